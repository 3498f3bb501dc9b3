"""Ask any route of a server, with a key or without one."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit


def status(url: str, method: str, path: str, key: str | None = None) -> int:
    """The status that a route answers with."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method, path, body=b"{}" if method == "POST" else None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status
