"""The run directory: the one module that writes into it, atomically, so that a kill loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.events import Event, parse
from ftctl.record import to_record

EVENTS = "events.jsonl"
LOG = "engine.log"
PROGRESS = "progress.jsonl"
STOP = "stop"
EXIT = "exit.json"
ASIDE = "set-aside"
CREATOR = "creator.json"
GUARD = "guard.json"
RESERVE = ".reserve"
BLOCK = 64 * 1024  # bytes of a log that are held at once
RESERVED = 64 * 1024  # bytes, given back when the disk is full so that the end can still be recorded


@dataclass(frozen=True)
class RunDir:
    """A run's folder. Reading never fails on what is not there yet: it gives None or nothing."""

    path: Path

    def write(self, name: str, content: str) -> None:
        """Put a file there whole or not at all, folders included."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(to_record(value), ensure_ascii=False, indent=2) + "\n")

    def link(self, name: str, target: Path) -> None:
        """A symbolic link to a file outside; one of that name is replaced."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        place.symlink_to(target)

    def read_json(self, name: str) -> Any:
        """The value of a JSON file; None where it is missing or was never finished."""
        try:
            # A path for each of 100,000 files would take longer than to read them.
            with open(f"{self.path}/{name}", "rb", buffering=0) as file:
                return json.loads(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def emit(self, kind: str, data: Mapping[str, Any] | None = None, at: float | None = None) -> Event:
        """Append an event; the line is written in one call, so that no reader sees half of one."""
        event = Event(kind, time.time() if at is None else at, data or {})
        with open(self.path / EVENTS, "a", encoding="utf-8") as file:
            file.write(event.line() + "\n")
        return event

    def events(self) -> Iterator[Event]:
        """All events so far."""
        try:
            with open(self.path / EVENTS, encoding="utf-8") as file:
                for line in file:
                    event = parse(line)
                    if event is not None:
                        yield event
        except FileNotFoundError:
            return

    def newest(self, *kinds: str, having: str | None = None) -> Event | None:
        """The last event of these kinds (where none is named, of any), and with the field `having`; looked
        for from the end: what came before it is not read."""
        words = [json.dumps(kind) for kind in kinds]
        for line in _backwards(self.path / EVENTS):
            event = parse(line) if not words or any(word in line for word in words) else None
            if (
                event is not None
                and (not kinds or event.kind in kinds)
                and (having is None or having in event.data)
            ):
                return event
        return None

    def ask_to_stop(self) -> None:
        (self.path / STOP).touch()

    def drop(self, folders: Sequence[str]) -> None:
        """Remove folders that are not needed any more; one that is not there is no matter."""
        for name in folders:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def set_aside(self, name: str, number: int) -> str:
        """Move what is not used any more to `set-aside/`, kept for a look; returns where it is now."""
        place = f"{ASIDE}/{Path(name).name}-{number}"
        (self.path / ASIDE).mkdir(exist_ok=True)
        shutil.rmtree(self.path / place, ignore_errors=True)
        (self.path / name).rename(self.path / place)
        return place

    def end_attempt(self, record: Mapping[str, Any]) -> None:
        """Keep how an attempt ended as `exit-N.json`; `record` is for one that left no `exit.json`."""
        kept = f"exit-{self.attempt()}.json"
        if (self.path / EXIT).exists():
            (self.path / EXIT).rename(self.path / kept)
        else:
            self.write_json(kept, record)

    def attempt(self) -> int:
        """The number of the attempt that is on, from 1: one more than those that have ended."""
        names = (path.stem.partition("-")[2] for path in self.path.glob("exit-*.json"))
        return 1 + max((int(name) for name in names if name.isdigit()), default=0)

    def mend(self) -> None:
        """End a last line that a kill or a full disk cut short, so that the next one stands alone."""
        for name in (EVENTS, PROGRESS):
            try:
                with open(self.path / name, "rb+") as file:
                    if file.seek(0, 2) and (file.seek(-1, 2), file.read(1))[1] != b"\n":
                        file.write(b"\n")
            except FileNotFoundError:
                continue

    def remove(self, *names: str) -> None:
        """Remove files; one that is not there is no matter."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def reserve(self) -> None:
        """Set aside room for the exit record."""
        (self.path / RESERVE).write_bytes(b"\0" * RESERVED)

    def release(self) -> None:
        (self.path / RESERVE).unlink(missing_ok=True)


def _backwards(path: Path) -> Iterator[str]:
    """The lines of a file from the last to the first; none where it is not there."""
    try:
        with open(path, "rb") as file:
            position, rest = file.seek(0, os.SEEK_END), b""
            while position:
                step = min(BLOCK, position)
                position = file.seek(position - step)
                rest, *lines = (file.read(step) + rest).split(b"\n")
                for line in reversed(lines):
                    yield line.decode("utf-8", "replace")
            yield rest.decode("utf-8", "replace")
    except FileNotFoundError:
        return


class Tail:
    """Reads what is appended to a file, whole lines only; a file that is not there yet has none.

    Reading begins at the byte `since`, where a line begins.
    """

    def __init__(self, path: Path, since: int = 0) -> None:
        self._path = path
        self._offset = since
        self._rest = b""

    def lines(self) -> list[str]:
        """The lines that were finished since the last call, of a long file those of its next block.

        None are given only where nothing more is there.
        """
        while chunk := self._read():
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            if whole:
                return [line.decode("utf-8", "replace") for line in whole]
        return []

    def _read(self) -> bytes:
        try:
            if self._path.stat().st_size <= self._offset:
                return b""
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                chunk = file.read(BLOCK)
        except FileNotFoundError:
            return b""
        self._offset += len(chunk)
        return chunk
