"""Errors: one clear message each, as text or in the JSON envelope."""

from __future__ import annotations

import dataclasses
import errno
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from ftctl.errors import BUG, FtctlError, JobError, shown_text
from ftctl.view.output import envelope, say
from ftctl.view.reports.model import counted_all


def _command(argv: Sequence[str]) -> str:
    word = next((word for word in argv if not word.startswith("-")), "")
    return {"_attend": "train", "_watch": "watch"}.get(word, word)


def show_error(error: FtctlError, argv: Sequence[str]) -> None:
    """Print what a user can put right; with --json the envelope goes to standard output."""
    problems = (
        [dataclasses.asdict(problem) for problem in error.problems] if isinstance(error, JobError) else []
    )
    if "--json" in argv:
        detail = {"message": error.message, "remedy": error.remedy, "type": type(error).__name__}
        fields = {"error": detail, "problems": problems}
        sys.stdout.write(envelope(_command(argv), {}, exit_code=error.exit_code, **fields) + "\n")
        return
    if isinstance(error, JobError):
        say(error.message)
        say(f"ftctl: {counted_all(error.problems)}")
    else:
        say(f"ftctl: {_lines(error.message)}")
        if error.remedy:
            say(f"  → {_lines(error.remedy)}")


def _lines(text: str) -> str:
    """A message as a terminal may show it: it may tell what a model's files or an engine's log hold."""
    return "\n".join(map(shown_text, text.split("\n")))


def disk_full(error: Exception) -> FtctlError | None:
    """The failure that a full disk is to a user; None where the error is another."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    from ftctl.facts.machine import disk_free
    from ftctl.paths import state_dir

    full = min((Path.cwd(), state_dir()), key=disk_free)
    return FtctlError(f"no space left on the disk of {error.filename or full}", "free some and try again")


def show_bug(bug: Exception, argv: Sequence[str]) -> None:
    """Keep a bug's traceback in a file that the message names."""
    from ftctl.paths import state_dir

    folder = state_dir() / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    log.write_text("".join(traceback.format_exception(bug)))
    message = f"this is a bug in ftctl: {type(bug).__name__}: {bug}"
    if "--json" in argv:
        detail = {"message": message, "remedy": f"report it with {log}", "type": type(bug).__name__}
        sys.stdout.write(envelope(_command(argv), {}, exit_code=BUG, error=detail) + "\n")
    say(f"ftctl: {_lines(message)}\n  → report it with {log}")
