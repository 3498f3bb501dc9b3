"""Ask any route of a server, with a key or without one."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# What asks a route to become a web socket (RFC 6455, 4.1).
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def status(
    url: str,
    method: str,
    path: str,
    key: str | None = None,
    *,
    trust: ssl.SSLContext | None = None,
    socket: bool = False,
) -> int:
    """The status that a route answers with; `socket` asks it to become a web socket."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port
    connection = http.client.HTTPConnection(host, port, timeout=60)
    if place.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=trust)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= UPGRADE if socket else {}
    connection.request(method, path, body=b"{}" if method == "POST" else None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def routes(log: str, openapi: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Every route and method of vLLM: as its router's own list in the log has them, web sockets and mounted
    applications too (their method is GET), and as its API pages do."""
    listed = {(method, path) for path, by_method in openapi["paths"].items() for method in by_method}
    found = {(method.upper(), path) for method, path in listed}
    for path, methods in re.findall(r"Route: (\S+), Methods: ([A-Z, ]+)", log):
        found |= {(method.strip(), path) for method in methods.split(",")}
    return found | {("GET", path) for path in re.findall(r"Route: (\S+), Endpoint: ", log)}
