"""Text of files and models made harmless, and figures as words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

# Controls, marks that turn the direction of what follows, invisible tags, and halves of surrogate pairs,
# which UTF-8 cannot hold. What emoji and scripts need (U+200C, U+200D) stays.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


Folders = Sequence[tuple[str, str]]  # absolute paths, and the short names that they are written by


def harmless(text: str) -> str:
    """The text with every character that is not seen shown by its name; lines and tabs stay."""
    return _UNSEEN.sub(_named, text.replace("\r\n", "\n"))


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def cut(text: str, most: int) -> str:
    """At most so many characters, and how many are not shown."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def nearer(text: str, folders: Folders) -> str:
    """The text with each folder (an absolute path, no / at its end) written as its short name, wherever it
    stands as a whole; where that is ".", what lies in it is written from there."""
    for folder, short in folders:
        place = rf"(?<![\w./~-]){re.escape(folder)}(?![\w.-])"
        if short == ".":
            text = re.sub(f"{place}/", "", text)
        text = re.sub(place, short, text)
    return text


def figure(value: float | None) -> str:
    """A figure with the digits that matter: 0.851, 12.34, 1,234, 3.20e-05; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size == 0 or size >= 0.01:
        return f"{value:.{3 - sum(size >= bound for bound in (10, 100))}f}"
    return f"{value:#.3g}"


def signed(value: float | None) -> str:
    """A difference with its sign, and no minus where it rounds to nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    text = figure(abs(value))
    if not text.strip("0.,"):
        return f"±{text}"
    return f"{'+' if value > 0 else '−'}{text}"


def count(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,234 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(at: float) -> str:
    """A time for people, in UTC: seconds since the epoch as 2026-01-31 14:05 UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
