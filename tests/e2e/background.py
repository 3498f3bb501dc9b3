"""Start `ftctl train` as a shell does in the background, and wait for what it does."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from tests.conftest import Cli
from tests.waiting import until


def start_in_background(cli: Cli, job: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        cli.argv("train", job),
        cwd=cli.cwd,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_step(cli: Cli, name: str) -> Path:
    """The directory of the run once its engine has taken a step."""
    found = partial(_stepping, cli, name)
    until(found, 240)
    return found()[0]


def _stepping(cli: Cli, name: str) -> list[Path]:
    files = (cli.cwd / "runs" / name).glob("*/events.jsonl")
    return [file.parent for file in files if '"event": "step"' in file.read_text()]
