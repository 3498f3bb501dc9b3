"""Runs a program of ftctl/inside by an engine's interpreter and follows what it says, in lines of JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftctl.errors import FtctlError
from ftctl.process import identify, start_guard, stop_session
from ftctl.rendered import environment

Tell = Callable[[Mapping[str, Any]], None]  # told every line; may raise, which ends the program

POLL = 0.1  # seconds between two looks at what it said
GRACE = 5.0  # seconds that a program gets to end once it is asked to
LAST = 4  # lines of a failed program that are shown


def followed(
    argv: Sequence[str], *, log: Path, tell: Tell, what: str, env: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """Run it to its end, and give back the last line of JSON that it said; empty where it said none.

    Its output is in `log` until it has ended well. Its standard input ends when this process does, however
    that went. Raises FtctlError, with its last words, where it fails.
    """
    log.write_bytes(b"")
    told = environment(os.environ, {"PYTHONPATH": None, "PYTHONUNBUFFERED": "1", **(env or {})})
    child = start_guard(argv, cwd=log.parent, env=told, log=log)
    leader = identify(child.pid)
    last: dict[str, Any] = {}
    try:
        with open(log, "rb") as file:
            while True:
                ended = child.poll() is not None
                for last in _said(file.readlines()):
                    tell(last)
                if ended:
                    break
                time.sleep(POLL)
    finally:
        if leader is not None:
            stop_session(leader, grace=GRACE)
        child.wait()
        if child.stdin is not None:
            child.stdin.close()
    if child.returncode:
        lines = log.read_text(errors="replace").strip().splitlines()
        words = "\n".join(f"    {line}" for line in [line for line in lines if line[:2] != '{"'][-LAST:])
        raise FtctlError(f"{what} failed with exit code {child.returncode}:\n{words}", "see the lines above")
    log.unlink()
    return last


def _said(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith(b'{"') and line.endswith(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:
                continue
