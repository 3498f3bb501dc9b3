"""Attend a run: show its events, and end with its exit code.

`ftctl train` turns into this once the run is launched, and `ftctl watch` once it has found it. It imports
little: the libraries that checked and planned the job are not carried for the hours that the training takes.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from ftctl.errors import FtctlError, GateNotMet
from ftctl.run.directory import RunDir
from ftctl.run.follow import Ending, follow
from ftctl.run.notes import notes_of
from ftctl.view.follow_view import view_for
from ftctl.view.output import envelope, say

WORDS = {"_attend": "train", "_watch": "watch"}  # hidden words, and the verb that each one goes on with


def become(run: Path, *, as_json: bool, watching: bool = False, since: int = 0) -> NoReturn:
    """Replace this process by one that attends the run; one that is only `watching` leaves it alone.

    Events before the byte `since` are not shown.
    """
    sys.stdout.flush()
    # A Ctrl-C meanwhile waits until `follow` can act on it: the mask lives on in the new program.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    word = "_watch" if watching else "_attend"
    command = [sys.executable, "-P", "-m", "ftctl", word, str(run), str(since)]
    command += ["--json"] if as_json else []
    os.execv(sys.executable, command)  # noqa: S606 - the same program, by its argument tuple


def main(word: str, argv: list[str]) -> int:
    """Attend the run in `argv[0]` until it ends and return its exit code; `--json` may follow.

    `word` is one of WORDS; `argv[1]` is how many bytes of its events are known already. Raises FtctlError,
    with the run's exit code, where it failed.
    """
    verb, run, since, as_json = WORDS[word], RunDir(Path(argv[0])), int(argv[1]), "--json" in argv[2:]
    with view_for(sys.stderr.isatty(), as_json) as view:
        ending = follow(run.path, view.show, say, watching=verb == "watch", since=since)
    name = str((run.read_json("run.json") or {}).get("name", run.path.parent.name))
    if as_json:
        return _as_json(verb, run, name, ending)
    if ending.exit_code == GateNotMet.exit_code:
        _show_evaluation(run)
    if ending.exit_code not in (0, 130):
        error = FtctlError(f"{name} {run.path.name} {ending.state}: {ending.message}", ending.remedy)
        error.exit_code = ending.exit_code
        raise error
    if ending.exit_code == 130:
        say(f"{name} {run.path.name} {ending.message}; {ending.remedy}")
        return 130
    say(f"done: {run.path}")
    _show_deployment(run)
    _show_evaluation(run)
    if notes := notes_of(run):
        say(f"advice: {', '.join(str(note['name']) for note in notes)}; docs/advice.md explains")
    return 0


def _as_json(verb: str, run: RunDir, name: str, ending: Ending) -> int:
    from ftctl.view.comparison import as_data, evaluation_of

    result: dict[str, Any] = {
        "run": str(run.path),
        "id": run.path.name,
        "name": name,
        "state": ending.state,
    }
    evaluation = evaluation_of(run)
    if evaluation is not None:
        result["evaluation"] = as_data(evaluation)
    elif (run.path / "evaluations").is_dir():
        from ftctl.judge.evaluate_run import summary

        result["evaluation"] = summary(run.path / "evaluations")
    result["notes"] = notes_of(run)
    if (verdict := run.read_json("verdict.json")) is not None:
        result["verdict"] = verdict
    detail = {"message": ending.message, "remedy": ending.remedy} if ending.exit_code else None
    sys.stdout.write(envelope(verb, result, exit_code=ending.exit_code, error=detail) + "\n")
    return ending.exit_code


def _show_deployment(run: RunDir) -> None:
    """What is running now, and how to ask it, watch it and stop it."""
    names = [event.data.get("name") for event in run.events() if event.kind == "deployment"]
    if names:
        from ftctl.deployments.told import describe

        say(describe(str(names[-1])))


def _show_evaluation(run: RunDir) -> None:
    """How the served model compares with its base, where it was measured, and what the gate says to it."""
    from ftctl.view.comparison import comparison, evaluation_of

    evaluation = evaluation_of(run)
    if evaluation is not None:
        say(comparison(evaluation))
    elif (run.path / "evaluations").is_dir():
        from ftctl.view.evaluated import evaluated

        say(evaluated(run.path / "evaluations"))
    if (run.path / "verdict.json").is_file():
        from ftctl.judge.verdict import recorded
        from ftctl.view.gated import gated

        verdict = recorded(run.path)
        if verdict is not None:
            say(gated(verdict))
