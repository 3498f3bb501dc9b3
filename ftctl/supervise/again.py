"""Take a run up again after its engine failed, as often as the job allows and where it can help."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ftctl.errors import FtctlError
from ftctl.run.attempts import go_on
from ftctl.run.directory import STOP, RunDir
from ftctl.run.records import plan_of
from ftctl.supervise.failure import EngineFailed
from ftctl.supervise.restart import decide
from ftctl.supervise.stages import Stopped

POLL = 0.1  # seconds


def start_again(run: RunDir, failed: EngineFailed, failures: Sequence[EngineFailed]) -> None:
    """Make the run ready for another attempt, after a while; raises `failed` where there is to be none.

    `failures` are all that this node has seen, `failed` the last of them. Raises Stopped where the run is
    asked to stop meanwhile.
    """
    plan = plan_of(run)
    allowed = plan.job.resources.max_restarts
    if not allowed:
        raise failed
    decision = decide(failures, allowed)
    told = {"again": decision.again, "reason": decision.reason, "wait": decision.wait}
    run.emit("restart", {**told, "used": len(failures) - 1, "allowed": allowed})
    if not decision.again:
        raise failed
    _pause(run, decision.wait)
    record = {"state": "FAILED", "exit_code": failed.exit_code, "message": failed.message, "remedy": ""}
    try:
        go_on(run, plan, {**record, "ended": time.time()})
    except FtctlError as refused:
        run.emit("warning", {"message": f"{refused}"})
        raise failed from refused


def _pause(run: RunDir, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (run.path / STOP).exists():
            raise Stopped("stopped before it was taken up again")
        time.sleep(POLL)
