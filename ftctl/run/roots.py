"""The folders that runs were ever kept in: from these the index is made again when it is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ftctl.paths import state_dir

FILE = "run-folders.jsonl"


def runs_root() -> Path:
    """Where runs are kept: $FTCTL_RUNS, else `runs` in the working directory."""
    return Path(os.environ.get("FTCTL_RUNS") or "runs").absolute()


def roots() -> list[Path]:
    """The folder of this shell, and every other that has been told."""
    return [Path(text) for text in dict.fromkeys((str(runs_root()), *_told()))]


def tell_root(root: Path) -> None:
    """Remember a folder of runs. Where that cannot be written, the index alone knows its runs."""
    text = str(root.absolute())
    if text in _told():
        return
    try:
        file = state_dir() / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(text, ensure_ascii=False) + "\n")  # one write: two at once lose nothing
    except OSError:
        return


def _told() -> list[str]:
    try:
        lines = (state_dir() / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [text for line in lines if isinstance(text := _text(line), str) and os.path.isabs(text)]  # noqa: PTH117 - no path yet


def _text(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
