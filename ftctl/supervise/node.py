"""`ftctl node RUN`: supervise one run where the work happens, from its first step to its deployment.

It imports little, because it lives as long as the training does. Whatever happens it leaves `exit.json`.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import FrameType

from ftctl.diagnosis.faults import DISK_FULL
from ftctl.errors import BUG, FtctlError, Interrupted, UsageError
from ftctl.paths import state_dir
from ftctl.process import ProcessId, boot_id, identify
from ftctl.run.attempts import TRAIN, phases_of
from ftctl.run.curve import first_open
from ftctl.run.directory import RunDir
from ftctl.run.lock import held
from ftctl.run.records import plan_of, steps_of
from ftctl.supervise.again import start_again
from ftctl.supervise.ahead import ServerAhead
from ftctl.supervise.collecting import collect, collected
from ftctl.supervise.ending import record_end
from ftctl.supervise.failure import EngineFailed
from ftctl.supervise.guard import stand_guard
from ftctl.supervise.stages import Stopped, run_step, serve_and_judge

WAIT = 30.0  # seconds for who makes the run ready to let go of it


def main(argv: list[str]) -> int:
    """Supervise the run in `argv[0]` and return the run's exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    run = RunDir(Path(argv[0]))
    try:
        with held(run.path, wait=WAIT):
            return _supervise(run)
    except (UsageError, Interrupted) as error:  # before anything was begun
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _supervise(run: RunDir) -> int:
    """Carry the run to its end, and record that end."""
    node = identify(os.getpid()) or ProcessId(os.getpid(), 0, boot_id())
    try:
        run.write_json("node.json", node)  # a launcher on another machine could not
        stand_guard(run, node, restarts=bool(plan_of(run).job.resources.max_restarts))
        _work(run)
    except OSError as error:
        return record_end(run, "FAILED", 1, *_disk(run, error))
    except (Stopped, Interrupted) as stopped:
        return record_end(
            run, "STOPPED", 130, str(stopped), f"`ftctl resume {run.path.name}` goes on from there"
        )
    except EngineFailed as error:
        why = {"diagnosis": error.diagnosis.name, "may_pass": error.diagnosis.may_pass}
        return record_end(run, "FAILED", error.exit_code, error.message, error.remedy, why)
    except FtctlError as error:
        return record_end(run, "FAILED", error.exit_code, error.message, error.remedy)
    except Exception as bug:  # noqa: BLE001 - the last resort: the traceback goes to node.log
        traceback.print_exc()
        return record_end(
            run, "FAILED", BUG, f"this is a bug in ftctl: {bug}", f"report it with {run.path / 'node.log'}"
        )
    return record_end(run, "SUCCEEDED", 0, "", "")


def _work(run: RunDir) -> None:
    run.emit("run", {"state": "started"})
    while True:
        try:
            return _phases(run)
        except EngineFailed as failed:
            start_again(run, failed)


def _phases(run: RunDir) -> None:
    """Everything that is not done yet."""
    plan = plan_of(run)
    order = phases_of(run, plan)
    left = order[order.index(first_open(run.events(), order)) :]
    with closing(ServerAhead(run, plan)) as ahead:
        for step in steps_of(run):
            if step.name in left:
                run_step(run, step)
            if step.name == TRAIN:
                ahead.begin()
        artifact = (None if "collect" in left else collected(run)) or collect(run)
        serve_and_judge(run, artifact, ahead)


def _terminated(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted("ended at once, as asked")


def _disk(run: RunDir, error: OSError) -> tuple[str, str, Mapping[str, object]]:
    """What could not be written; the reserve of the run's directory makes room to record it."""
    from ftctl.facts.machine import disk_free

    full = min((run.path, state_dir()), key=disk_free)  # looked at before there is room again
    run.release()
    again = f"`ftctl resume {run.path.name}`"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = {"diagnosis": DISK_FULL.name, "may_pass": False}
        return f"no space left on the disk of {full}", f"free some, then {again}", why
    return f"cannot write {error.filename or run.path}: {error.strerror}", f"see to it, then {again}", {}
