"""Asks an HTTP API many things at once, each again a few times where it fails."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

Item = TypeVar("Item")

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LONGEST = 30.0  # seconds between two attempts


class Failed(Exception):
    """A request that was not answered, or not as it should be."""


@dataclass(frozen=True)
class Place:
    """Where requests go: the API's address, its key, and where its certificate is its own, a file of
    authorities and the address to connect to in place of the URL's host."""

    url: str
    key: str | None = None
    ca: str | None = None
    listens: str | None = None

    @property
    def connect(self) -> tuple[str, str | None]:
        """The URL to connect to, and the name that the certificate must bear."""
        parts = urlsplit(self.url.rstrip("/"))
        if self.listens is None or parts.hostname is None:
            return parts.geturl(), None
        host = f"[{self.listens}]" if ":" in self.listens else self.listens
        return parts._replace(netloc=f"{host}:{parts.port or 443}").geturl(), parts.hostname


@dataclass(frozen=True)
class Patience:
    """How many requests are under way, the seconds of each, and how often a failed one is sent again."""

    concurrency: int
    timeout: float
    retries: int


@asynccontextmanager
async def _session(place: Place, patience: Patience) -> AsyncIterator[Any]:
    import aiohttp

    trust = ssl.create_default_context(cafile=place.ca) if place.ca else True
    headers = {"Authorization": f"Bearer {place.key}"} if place.key else {}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=patience.concurrency, ssl=trust),
        timeout=aiohttp.ClientTimeout(total=patience.timeout),
        headers=headers,
    ) as session:
        yield session


Post = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def ask_all(
    items: Iterable[Item], ask: Callable[[Post, Item], Awaitable[None]], place: Place, patience: Patience
) -> None:
    """`ask` every item, some at once; `ask` is given a function that posts JSON to a path and returns JSON.

    `ask` must take its own Failed; items are drawn as they are needed, so that there may be any number.
    """
    asyncio.run(_ask_all(iter(items), ask, place, patience))


async def _ask_all(items: Any, ask: Any, place: Place, patience: Patience) -> None:
    url, name = place.connect
    async with _session(place, patience) as session:

        async def post(path: str, body: Mapping[str, Any]) -> Any:
            return await _posted(session, url + path, body, patience, name)

        async def work() -> None:
            for item in items:
                await ask(post, item)

        async with asyncio.TaskGroup() as group:
            for _ in range(patience.concurrency):
                group.create_task(work())


async def _posted(
    session: Any, url: str, body: Mapping[str, Any], patience: Patience, name: str | None
) -> Any:
    """The answer to one request. Raises Failed after the last attempt, or at once where it is refused."""
    import aiohttp

    for attempt in range(patience.retries + 1):
        wait = min(LONGEST, 0.5 * 2**attempt)
        try:
            async with session.post(url, json=body, server_hostname=name) as answer:
                text = await answer.text()
                if answer.status == 200:
                    return json.loads(text)
                said = f"it answered {answer.status}: {' '.join(text.split())[:200]}"
                if answer.status not in AGAIN:
                    raise Failed(said)
                after = answer.headers.get("Retry-After", "")
                wait = min(LONGEST, float(after)) if after.isdigit() else wait
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            said = f"it did not answer: {str(error) or type(error).__name__}"
        if attempt < patience.retries:
            await asyncio.sleep(wait)
    raise Failed(said)
