"""Answers that were paid for once: a file of lines by key, so that what was broken off is not asked again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any


class Kept:
    """Values by key in a file, appended as they come. A torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        self._values: dict[str, Any] = {}
        whole = b""
        if path.is_file():
            whole, _, torn = path.read_bytes().rpartition(b"\n")
            if torn:
                path.write_bytes(whole + b"\n" if whole else b"")
        for line in whole.splitlines():
            value = json.loads(line)
            self._values[value["key"]] = value["value"]
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def put(self, key: str, value: Any) -> None:
        """Keep a value, on the disk too."""
        self._values[key] = value
        self._file.write(json.dumps({"key": key, "value": value}) + "\n")
        self._file.flush()

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def key_of(*parts: Any) -> str:
    """One key for all that an answer follows from."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
