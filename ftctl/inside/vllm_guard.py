"""ASGI middleware for vLLM: every route but /health needs the deployment's key.

vLLM's own --api-key guards a few path prefixes only (0.32.0 leaves /invocations, /tokenize, /metrics and
others open). The key comes by FTCTL_DEPLOYMENT_KEY; without one, nothing but /health is answered. The
routes by which adapters come and go load any folder that they are told: they want the owner's secret too,
which stands in the file `owner` of the working directory, so that a client of the model cannot change it.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/health"})
OWNERS = "adapter"  # what the paths of such routes have in common, however they begin (vLLM 0.32.0)
OWNER = b"x-ftctl-owner"
NO_KEY = "This server needs its key: send it as 'Authorization: Bearer KEY'."
NOT_OWNER = "Adapters are attached by the server's owner: ftctl deploy NAME --attach ADAPTER=RUN."


class Guard:
    """Let a request through to `app` when it bears the key, and refuse it with 401 when it does not."""

    def __init__(self, app: App, key: str | None = None, owner: str | None = None) -> None:
        self.app = app
        self.owner = (_owner() if owner is None else owner).encode()
        self.key = (os.environ.get("FTCTL_DEPLOYMENT_KEY", "") if key is None else key).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._open(scope):
            await self.app(scope, receive, send)
        elif self._bears_key(scope.get("headers", ())):
            if OWNERS in scope["path"].lower() and not self._is_owner(scope["headers"]):
                await _refuse(send, 403, NOT_OWNER, "not_the_owner")
            else:
                await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the key is missing or wrong"})
        else:
            await _refuse(send, 401, NO_KEY, "invalid_api_key")

    @staticmethod
    def _open(scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and scope["path"] in OPEN

    def _bears_key(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name.lower() == b"authorization"]
        if not self.key or len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self.key)

    def _is_owner(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name.lower() == OWNER]
        return bool(self.owner) and len(given) == 1 and hmac.compare_digest(given[0].strip(), self.owner)


def _owner() -> str:
    try:
        with open("owner") as file:
            return file.read().strip()
    except OSError:
        return ""


async def _refuse(send: Send, status: int, message: str, code: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *([(b"www-authenticate", b"Bearer")] if status == 401 else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
