"""The texts of a dummy server's requests and answers; words stand in for tokens.

Standard library only.
"""

import hashlib
import time
from collections.abc import Iterator
from typing import Any


def stamp(kind: str) -> dict[str, Any]:
    return {"object": kind, "created": int(time.time())}


def usage(asked: str, words: list[str]) -> dict[str, int]:
    """Words stand in for tokens."""
    told = len(asked.split())
    return {"prompt_tokens": told, "completion_tokens": len(words), "total_tokens": told + len(words)}


def text_of(content: Any) -> str:
    """The text of a message's content, a prompt or a list of parts; tokens are shown as they are."""
    return content if isinstance(content, str) else " ".join(_parts(content))


def _parts(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else []:
        yield str(part.get("text", "")) if isinstance(part, dict) else str(part)


def token_id(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:2], "big")
