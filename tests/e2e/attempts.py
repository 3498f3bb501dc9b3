"""What the drivers of the servers' rules share: start one with an example's words, and say what it did.

Run by the engine's interpreter, from the folder that the driver lies in.
"""

import traceback
from collections.abc import Callable, Iterator


def attempt(start: Callable[[list[str]], object], words: list[str]) -> dict[str, object]:
    try:
        start(words)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the engine raises whatever it likes
        return {"error": type(error).__name__, "message": str(error)[:400], "passed": list(passed(error))}
    return {"error": "", "message": "", "passed": []}


def passed(error: BaseException) -> Iterator[str]:
    """Every `file:function` on the way; argparse and pydantic keep apart what the engine's code raised."""
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.name}"
    for one in error.errors() if hasattr(error, "errors") else ():
        if isinstance(inner := one.get("ctx", {}).get("error"), BaseException):
            yield from passed(inner)
    if error.__context__ is not None:
        yield from passed(error.__context__)
