"""ASGI middleware for vLLM: every route but /health needs the deployment's key.

vLLM's own --api-key guards a few path prefixes only (0.32.0 leaves /invocations, /tokenize, /metrics and
others open). The key comes by FTCTL_DEPLOYMENT_KEY; without one, nothing but /health is answered.
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
BODY = json.dumps(
    {
        "error": {
            "message": "This server needs its key: send it as 'Authorization: Bearer KEY'.",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }
).encode()


class Guard:
    """Let a request through to `app` when it bears the key, and refuse it with 401 when it does not."""

    def __init__(self, app: App, key: str | None = None) -> None:
        self.app = app
        self.key = (os.environ.get("FTCTL_DEPLOYMENT_KEY", "") if key is None else key).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._open(scope) or self._bears_key(scope.get("headers", ())):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the key is missing or wrong"})
        else:
            await _refuse(send)

    @staticmethod
    def _open(scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and scope["path"] in OPEN

    def _bears_key(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name.lower() == b"authorization"]
        if not self.key or len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self.key)


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
