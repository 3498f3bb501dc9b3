"""Calls a user's function: `python call_function.py FILE FUNCTION BYTES PARENT`, the rows on standard input.

Standard library only: any interpreter may run it. Each line of input is a row, each line of output its value
or why there is none; what the function itself prints goes nowhere.
"""

import ctypes
import importlib.util
import json
import math
import os
import pathlib
import resource
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Be killed when the parent ends, whatever the function is doing then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def found(file: str, name: str) -> Any:
    """The function of that name in the file, imported with the file's folder beside it."""
    path = pathlib.Path(file).resolve()
    sys.path[0] = str(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise ImportError(f"{path.name} has no function {name}")
    return function


def value_of(function: Any, row: dict[str, Any]) -> float:
    """The function's value. Raises ValueError where it is neither a bool nor a number from 0 to 1."""
    value = function(row["prediction"], row["reference"], row["question"])
    if type(value).__name__ in ("bool", "bool_"):
        return float(value)
    try:
        number = float(value) if not isinstance(value, str) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"it gave {value!r:.80}, which is neither a bool nor a number from 0 to 1")
    return number


def main() -> None:
    """Import, say so, and answer row by row."""
    file, name, memory, parent = sys.argv[1:]
    end_with(int(parent))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out, os.fdopen(os.dup(0), "rb") as rows:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)

        def say(**answer: Any) -> None:
            out.write(json.dumps(answer) + "\n")
            out.flush()

        try:
            function = found(file, name)
        except BaseException as error:  # noqa: BLE001 - whatever the file raises, sys.exit too
            say(error=f"{type(error).__name__}: {error}"[:300])
            return
        say(value=None)
        for line in rows:
            try:
                say(value=value_of(function, json.loads(line)))
            except BaseException as error:  # noqa: BLE001 - as above
                say(error=f"{type(error).__name__}: {error}"[:300])


main()
