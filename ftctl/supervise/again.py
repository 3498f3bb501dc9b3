"""Let a run go on by itself after a failure, as often as the job allows and where it can help."""

from __future__ import annotations

import time

from ftctl.errors import FtctlError
from ftctl.run.attempts import go_on
from ftctl.run.directory import STOP, RunDir
from ftctl.run.records import plan_of
from ftctl.supervise.failure import EngineFailed
from ftctl.supervise.restart import Setback, before, decide, told
from ftctl.supervise.stages import Stopped

POLL = 0.1  # seconds


def start_again(run: RunDir, failed: EngineFailed) -> None:
    """Make the run ready for another attempt, after a while; raises `failed` where there is to be none.

    Raises Stopped where the run is asked to stop meanwhile.
    """
    plan = plan_of(run)
    why = failed.diagnosis
    setback = Setback(why.cause, why.may_pass, failed.phase, failed.code, failed.step)
    number = awaited(run, setback, plan.job.resources.max_restarts)
    if number is None:
        raise failed
    record = {"state": "FAILED", "exit_code": failed.exit_code, "message": failed.message, "remedy": ""}
    try:
        go_on(run, plan, {**record, "ended": time.time()}, restart=number)
    except FtctlError as refused:
        run.emit("warning", {"message": f"{refused}"})
        raise failed from refused


def awaited(run: RunDir, setback: Setback, allowed: int) -> int | None:
    """Decide whether the run goes on after `setback`, and wait until it does: the number of the restart.

    None where it does not. The decision is an event. Raises Stopped where the run is asked to stop meanwhile.
    """
    if not allowed:
        return None
    setbacks = [*before(run.events()), setback]
    decision = decide(setbacks, allowed)
    run.emit("restart", told(decision, setbacks, allowed))
    if not decision.again:
        return None
    _pause(run, decision.wait)
    return len(setbacks)


def _pause(run: RunDir, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (run.path / STOP).exists():
            raise Stopped("stopped before it was taken up again")
        time.sleep(POLL)
