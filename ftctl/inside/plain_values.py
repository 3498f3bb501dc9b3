"""Defaults and help texts of an engine's arguments as plain JSON that is the same on every machine."""

import enum
import math
import os
import re
import sys
from pathlib import PurePath
from typing import Any


class NotPlain(Exception):
    """A value that JSON cannot hold; its text is the name that stands for it."""


def default_of(value: Any) -> dict[str, Any]:
    """`{"default": value}`; an object, which JSON cannot hold, goes by its name under x-ftctl-default."""
    try:
        return {"default": plain(value)}
    except NotPlain as name:
        return {"x-ftctl-default": str(name)}


def plain(value: Any) -> Any:
    """The value in JSON's types. Raises NotPlain for any other object, a function, infinity or nan."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (str, PurePath)):
        return _anywhere(str(value))
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        raise NotPlain(str(value))
    # The object's own text may hold its address in memory.
    raise NotPlain(value.__name__ if hasattr(value, "__name__") else f"{type(value).__name__}()")


def _anywhere(text: str) -> str:
    """The text without this machine's folders."""
    for folder, name in ((sys.prefix, "<environment>"), (os.path.expanduser("~"), "~"), (os.getcwd(), ".")):  # noqa: PTH109, PTH111 - texts, not paths
        if len(folder) > 1:
            text = text.replace(folder, name)
    return text


def help_text(text: str | None) -> str:
    """A help text with its lines joined into paragraphs and list items."""
    lines = "\n".join(line.strip() for line in (text or "").strip().splitlines())
    joined = re.sub(r"(?<!\n)\n(?!\n|[-*+] |\d+[.)] )", " ", lines)
    return _anywhere(re.sub(r"[ \t]+", " ", re.sub(r"\n{3,}", "\n\n", joined)))
