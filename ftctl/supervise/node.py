"""`ftctl node RUN`: supervise one run where the work happens, from its first step to its deployment.

It imports little, because it lives as long as the training does. Whatever happens it leaves `exit.json`.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from ftctl.errors import BUG, FtctlError, Interrupted
from ftctl.process import identify
from ftctl.run.directory import EXIT, RunDir
from ftctl.run.records import steps_of
from ftctl.run.state import progress
from ftctl.supervise.failure import EngineFailed
from ftctl.supervise.stages import Stopped, collect, run_step, serve_and_judge


def main(argv: list[str]) -> int:
    """Supervise the run in `argv[0]` and return the run's exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    run = RunDir(Path(argv[0]))
    run.write_json("node.json", identify(os.getpid()))  # a launcher on another machine could not
    try:
        _work(run)
    except OSError as error:
        return _end(run, "FAILED", 1, *_disk(run, error))
    except (Stopped, Interrupted) as stopped:
        return _end(run, "STOPPED", 130, str(stopped), f"its checkpoints are in {run.path / 'output'}")
    except EngineFailed as error:
        why = {"diagnosis": error.diagnosis.name, "may_pass": error.diagnosis.may_pass}
        return _end(run, "FAILED", error.exit_code, error.message, error.remedy, why)
    except FtctlError as error:
        return _end(run, "FAILED", error.exit_code, error.message, error.remedy)
    except Exception as bug:  # noqa: BLE001 - the last resort: the traceback goes to node.log
        traceback.print_exc()
        return _end(
            run, "FAILED", BUG, f"this is a bug in ftctl: {bug}", f"report it with {run.path / 'node.log'}"
        )
    return _end(run, "SUCCEEDED", 0, "", "")


def _work(run: RunDir) -> None:
    run.emit("run", {"state": "started"})
    for step in steps_of(run):
        run_step(run, step)
    artifact = collect(run)
    serve_and_judge(run, artifact)


def _terminated(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted("ended at once, as asked")


def _disk(run: RunDir, error: OSError) -> tuple[str, str]:
    """Why the run directory could not be written; the reserve makes room to record it."""
    run.release()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk of {run.path}", "free some and run the job again"
    return f"cannot write {error.filename or run.path}: {error.strerror}", "see to it and run the job again"


def _end(
    run: RunDir, state: str, code: int, message: str, remedy: str, why: Mapping[str, object] | None = None
) -> int:
    """Record how the run ended, for whoever asks later and for the exit code of `ftctl train`."""
    run.release()
    said = {"exit_code": code, "message": message, "remedy": remedy, **(why or {})}
    # How far it came stands in the record too, so that a list of runs reads no events.
    record = {"state": state, **said, "ended": time.time(), "progress": progress(run)}
    kinds = {"SUCCEEDED": "done", "FAILED": "failed", "STOPPED": "stopped"}
    run.write_json(EXIT, record)
    try:
        run.emit("run", {"state": kinds[state], **said})
    except OSError as error:
        sys.stderr.write(f"the last event could not be written: {error}\n")
    return code
