"""The user's own function, in a process of its own that may take neither for ever nor all memory."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .refused import Refused
from .rows import Row
from .scorer import Options, Rowwise

PROGRAM = Path(__file__).with_name("call_function.py")
IMPORT = 60.0  # seconds for the import of the user's file, which may import much


class Broken(Exception):
    """A call that gave no score, and why."""


class PassRate(Rowwise):
    """The mean of the function's values, a bool or a number from 0 to 1. A call that crashes, takes too long
    or gives anything else is a 0; the notes say how many, and why the first."""

    def __init__(self, options: Options) -> None:
        super().__init__(["python"], self._call, needs="answer", library="ftctl")
        self._options = options
        self._faults: list[str] = []
        self._worker: Worker | None = None
        self._ready().check()  # a file that cannot be imported is told at once, not with every row

    def _ready(self) -> Worker:
        self._worker = self._worker or Worker(self._options)
        return self._worker

    def _call(self, row: Row) -> Sequence[float]:
        try:
            worker = self._ready()
            worker.check()
            given = {"prediction": row.text, "reference": row.reference, "question": _question(row)}
            return [worker.call(given, self._options["timeout"])]
        except Broken as fault:
            self._faults.append(f"{row.id}: {fault}")
            if self._worker is not None and not self._worker.alive:
                self._worker.end()
                self._worker = None
        count = len(self._faults)
        self.notes[:] = [f"python: {count} calls gave no score and count as 0: {self._faults[0]}"]
        return [0.0]

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.end()


class Worker:
    """The process in which the function is called, in a group of its own to end with its children."""

    def __init__(self, options: Options) -> None:
        file, _, function = options["function"].rpartition(":")
        python = options["interpreter"] or sys.executable
        argv = [python, str(PROGRAM), file, function, str(int(options["memory"] * 2**30)), str(os.getpid())]
        self._name, self._buffer = options["function"], b""
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                process_group=0, env=_without_secrets(),
            )  # fmt: skip
        except OSError as error:
            raise Refused(f"python: {python} cannot be run: {error.strerror}") from None
        self._checked = False
        self.alive = True

    def check(self) -> None:
        """Wait for the import. Raises Refused where it fails."""
        if self._checked:
            return
        try:
            self._answer(IMPORT)
        except Broken as fault:
            self.end()
            raise Refused(f"python: {self._name} cannot be used: {fault}") from None
        self._checked = True

    def call(self, given: Mapping[str, Any], timeout: float) -> float:
        """The function's value for one row. Raises Broken."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(given).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self.alive = False
            raise Broken("its process has ended") from None
        value = self._answer(timeout)
        return float(value)

    def _answer(self, timeout: float) -> Any:
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                self.alive = False
                raise Broken(f"it took over {timeout:g} s")
            piece = os.read(self._process.stdout.fileno(), 65536)
            if not piece:
                self.alive = False
                raise Broken(self._last_word())
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise Broken(answer["error"])
        return answer["value"]

    def _last_word(self) -> str:
        code = self._process.wait()
        return (
            f"its process ended by {signal.Signals(-code).name}"
            if code < 0
            else f"its process ended ({code})"
        )

    def end(self) -> None:
        """End the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()
        self.alive = False


def _question(row: Row) -> str:
    """The last thing that the user said."""
    said = [message.get("content") for message in row.prompt if message.get("role") == "user"]
    return said[-1] if said and isinstance(said[-1], str) else ""


def _without_secrets() -> dict[str, str]:
    """The environment, less what looks like a key: the function has no need of the server's."""
    secret = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    return {
        name: value for name, value in os.environ.items() if not any(one in name.upper() for one in secret)
    }


def python(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> PassRate:
    """See PassRate."""
    return PassRate(options)
