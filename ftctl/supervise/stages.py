"""The stages of a run: the engine's commands, then collecting, then serving."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.errors import FtctlError
from ftctl.events import Event
from ftctl.plan.model import Plan
from ftctl.process import ProcessId, start, stop_session
from ftctl.rendered import environment
from ftctl.run.create import Step
from ftctl.run.directory import LOG, PROGRESS, STOP, RunDir, Tail
from ftctl.run.records import plan_of
from ftctl.supervise.lastwords import last_words, log_end
from ftctl.supervise.restart import Failure
from ftctl.trainers.table import trainer_of

POLL = 0.1  # seconds between looks at the engine
FULL = 16 * 1024  # bytes: with less free than this an engine failed because the disk is full
GRACE = 10.0  # seconds an engine that has nothing to save gets to end


class Stopped(FtctlError):
    """The run was asked to stop and did."""

    exit_code = 130


class EngineFailed(FtctlError):
    """A command of the engine failed; `failure` is what is known of it."""

    def __init__(self, message: str, remedy: str, failure: Failure) -> None:
        super().__init__(message, remedy)
        self.failure = failure


def run_step(run: RunDir, step: Step) -> None:
    """Run one command of the engine to its end, passing its progress on as events.

    Raises FtctlError where it fails, with the engine's last words, and Stopped where it was asked to stop.
    """
    began = time.monotonic()
    run.emit("phase", {"name": step.name, "state": "started"})
    logged = _size(run.path / LOG)
    following = Following(run)  # before the engine: what it writes at once is not old
    child, process = start(step.argv, cwd=run.path, env=environment(os.environ, step.env), log=run.path / LOG)
    run.write_json("engine.json", process)
    try:
        while child.poll() is None:
            following.look()
            following.stop_if_asked(process)
            time.sleep(POLL)
        following.look()
    finally:
        stop_session(process, grace=0.0)
    seconds = round(time.monotonic() - began, 3)
    if following.stopped or (run.path / STOP).exists():
        where = f"stopped at step {following.step}" if following.step else "stopped before its first step"
        raise Stopped(where)
    if child.returncode != 0:
        run.emit("phase", {"name": step.name, "state": "failed", "seconds": seconds})
        raise _failure(run, step, child.returncode, following.step, logged)
    run.drop(step.scratch)
    run.emit("phase", {"name": step.name, "state": "done", "seconds": seconds})


class Following:
    """What has been seen of a running engine through its progress file."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.tail = Tail(run.path / PROGRESS)
        self.training = False
        self.stopped = False
        self.ending = False
        self.step = 0
        self.read = trainer_of(plan_of(run)).progress
        self.tail.lines()  # a step before this one may have left its lines

    def look(self) -> None:
        """Pass on the events that the engine has written since the last look."""
        for line in self.tail.lines():
            event = self.read(line)
            if event is not None:
                self._note(event)
                self.run.emit(event.kind, event.data, event.time)

    def _note(self, event: Event) -> None:
        self.training |= event.kind == "begin"
        self.stopped |= event.kind == "stopped"
        if event.kind in ("step", "stopped"):
            self.step = int(event.data.get("step", self.step))

    def stop_if_asked(self, process: ProcessId) -> None:
        """Asked to stop: an engine that trains saves a checkpoint by itself, any other is ended."""
        if self.ending or not (self.run.path / STOP).exists():
            return
        self.ending = True
        self.run.emit("stopping")
        if not self.training:
            stop_session(process, grace=GRACE)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _failure(run: RunDir, step: Step, code: int, at: int, logged: int) -> FtctlError:
    """The error of a failed command: which step, how it ended, its last words, where the whole log is.

    `logged` is how long the log was when the command was started, in bytes.
    """
    log = run.path / LOG
    if shutil.disk_usage(run.path).free < FULL:
        return FtctlError(
            f"{step.name}: no space left on the disk of {run.path}", "free some and run the job again"
        )
    failure = Failure(step.name, code, at, tuple(log_end(log, logged)))
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    where = f" after step {at}" if at else ""
    words = "\n".join(f"    {line}" for line in last_words(log, since=logged))
    said = f"; its last words:\n{words}" if words else ", without a word"
    return EngineFailed(f"{step.name}: the engine {how}{where}{said}", f"the whole log is {log}", failure)


def collect(run: RunDir) -> Artifact:
    """Verify what the training left and record it. Raises FtctlError where it is not complete."""
    from ftctl.artifacts.verify import verify_adapter, verify_model

    run.emit("phase", {"name": "collect", "state": "started"})
    began = time.monotonic()
    plan = plan_of(run)
    found: Mapping[str, Path] = trainer_of(plan).results(plan)
    adapter = found.get("adapter")
    whole = found.get("merged", found.get("model"))
    artifact = None
    if adapter is not None:
        artifact = verify_adapter(run.path / adapter, plan.job.model.path)
        run.write_json("adapter.json", artifact)
        run.emit("artifact", {"kind": artifact.kind, "path": str(adapter)})
    if whole is not None:
        _describe(run.path / whole, plan)
        artifact = verify_model(run.path / whole)
        run.emit("artifact", {"kind": artifact.kind, "path": str(whole)})
    if artifact is None:
        raise FtctlError("the trainer names no result", "this is a fault of its module")
    run.write_json("artifact.json", artifact)
    run.emit("phase", {"name": "collect", "state": "done", "seconds": round(time.monotonic() - began, 3)})
    return artifact


def _describe(folder: Path, plan: Plan) -> None:
    """Write what an embedder or a reranker is beside its weights: every reader has another default."""
    if plan.train is None or plan.train.retrieval is None:
        return
    from ftctl.artifacts.sentence_transformers import describe

    describe(folder, plan.train.retrieval)


def serve(run: RunDir, artifact: Artifact) -> None:
    """Start the deployment that the job asks for, if it asks for one."""
    plan = plan_of(run)
    if plan.job.deploy is None:
        return
    from ftctl.supervise.serving import deploy

    run.emit("phase", {"name": "serve", "state": "started"})
    began = time.monotonic()
    try:
        deploy(run, plan, artifact)
    except FtctlError:
        run.emit("phase", {"name": "serve", "state": "failed", "seconds": round(time.monotonic() - began, 3)})
        raise
    run.emit("phase", {"name": "serve", "state": "done", "seconds": round(time.monotonic() - began, 3)})
