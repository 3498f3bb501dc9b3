"""Start a run's supervisor again after it was killed, as `ftctl resume` would: the guard's last work."""

from __future__ import annotations

import os
import sys

from ftctl.errors import FtctlError
from ftctl.launchers import launcher
from ftctl.leases.hold import held_here
from ftctl.leases.model import run_phrase
from ftctl.plan.model import Plan
from ftctl.process import identify
from ftctl.run.attempts import go_on, lost_record, phases_of
from ftctl.run.curve import first_open
from ftctl.run.directory import CREATOR, STOP, RunDir
from ftctl.run.lock import held
from ftctl.run.records import plan_of
from ftctl.run.state import progress
from ftctl.supervise.again import awaited
from ftctl.supervise.ending import record_end
from ftctl.supervise.guard import end_server
from ftctl.supervise.restart import Setback
from ftctl.supervise.serving import check_place
from ftctl.supervise.stages import Stopped

KILLED = "the run's supervisor was killed"
PATIENCE = 30.0  # seconds for another process to be done with the run


def revive(run: RunDir) -> None:
    """Begin the run's next attempt, after a while, with the GPUs that this process holds.

    Nothing of the attempt before may run any more. Where there is to be none, or it cannot begin, the run is
    left as it is; a stop that was asked for is recorded.
    """
    run.mend()
    plan = plan_of(run)
    held_here().name(f"{run_phrase(plan.job.name, run.path.name)}, to be started again")
    try:
        if (run.path / STOP).exists():
            raise Stopped(f"stopped; {KILLED} meanwhile")
        number = awaited(run, _setback(run, plan), plan.job.resources.max_restarts)
        if number is not None:
            _begin(run, plan, number)
    except Stopped as stopped:
        record_end(run, "STOPPED", 130, str(stopped), f"`ftctl resume {run.path.name}` goes on from there")
    except (FtctlError, OSError) as error:
        sys.stderr.write(f"not started again: {error}\n")
        run.emit("warning", {"message": f"{KILLED}, and it cannot be started again: {error}"})


def _setback(run: RunDir, plan: Plan) -> Setback:
    phase = first_open(run.events(), phases_of(run, plan))
    return Setback(KILLED, True, phase, -9, int(progress(run).get("step") or 0))


def _begin(run: RunDir, plan: Plan, number: int) -> None:
    with held(run.path, wait=PATIENCE):
        end_server(run.path, ready=True)
        check_place(plan)
        run.write_json(CREATOR, identify(os.getpid()))
        run.remove("node.json")
        go_on(run, plan, lost_record(run), restart=number)
        launcher(plan.job.resources.launcher).submit(run.path, held_here())
