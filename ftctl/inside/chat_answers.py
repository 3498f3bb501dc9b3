"""What a server's answer to a chat request says, or why it is none; for ask_questions.py, beside it."""

import json
from typing import Any

LARGEST = 16 * 2**20  # bytes of one answer: a server that goes on past any limit must not fill the memory
LONGEST_ORDERED = 300.0  # seconds that a server's Retry-After may name
THOUGHT = "</think>"


class Failed(Exception):
    """No answer. `again`: another try may get one, after `wait` seconds where the server names them."""

    def __init__(self, why: str, *, again: bool = True, wait: float | None = None) -> None:
        super().__init__(why)
        self.again, self.wait = again, wait


async def whole(response: Any) -> bytes:
    """The answer's bytes. Raises Failed past LARGEST."""
    text = b""
    async for piece in response.content.iter_any():
        text = text + piece if text else piece
        if len(text) > LARGEST:
            raise Failed(f"the answer is longer than {LARGEST} bytes", again=False)
    return text


def read(text: bytes) -> dict[str, Any]:
    """What an answer says. Raises Failed where it is none."""
    try:
        value = json.loads(text)
        choice, usage = value["choices"][0], value.get("usage") or {}
        message = choice["message"]
        content, thought = (
            message.get("content"),
            message.get("reasoning") or message.get("reasoning_content"),
        )
        if content is not None and thought is None:
            thought, content = parted(content)
        return {
            "prediction": content,
            "reasoning": thought,
            "tool_calls": message.get("tool_calls") or None,
            "finish_reason": choice.get("finish_reason"),
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
        }
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Failed(f"this is no answer: {text[:200].decode('utf-8', 'replace')}") from None


def parted(content: str) -> tuple[str | None, str]:
    """Thoughts and answer of a server that does not part them; one that only thought has said nothing."""
    thought, end, said = content.partition(THOUGHT)
    if end:
        return thought.strip().removeprefix("<think>").strip(), said.lstrip()
    return (content.strip(), "") if content.lstrip().startswith("<think>") else (None, content)


def reason(text: bytes) -> str:
    """What an error says, in one line."""
    try:
        error = json.loads(text)
        error = error.get("error", error)
        error = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        error = text.decode("utf-8", "replace")
    return " ".join(str(error).split())[:300]


def ordered(header: str | None) -> float | None:
    """The seconds that a Retry-After names; None for a date or none (RFC 9110, 10.2.3)."""
    text = (header or "").strip()
    return min(float(text), LONGEST_ORDERED) if text.isdigit() else None
