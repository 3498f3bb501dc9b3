"""The stages of a run: the engine's commands, then serving; collecting in between is beside this file."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.errors import FtctlError
from ftctl.events import Event
from ftctl.leases.hold import held_here
from ftctl.plan.judging import compared_with_base, evaluated, judged
from ftctl.plan.model import Plan
from ftctl.process import ProcessId, start_recorded, stop_session
from ftctl.rendered import environment
from ftctl.run.create import Step
from ftctl.run.directory import LOG, PROGRESS, STOP, RunDir, Tail
from ftctl.run.records import plan_of
from ftctl.supervise.advising import Advising
from ftctl.supervise.ahead import ServerAhead
from ftctl.supervise.failure import failed
from ftctl.supervise.memory_killer import killed_for_memory
from ftctl.supervise.silence import Silence
from ftctl.trainers.table import trainer_of

POLL = 0.1  # seconds between looks at the engine
GRACE = 10.0  # seconds an engine that has nothing to save gets to end


class Stopped(FtctlError):
    """The run was asked to stop and did."""

    exit_code = 130


def run_step(run: RunDir, step: Step) -> None:
    """Run one command of the engine to its end, passing its progress on as events.

    Raises FtctlError where it fails, with the engine's last words, and Stopped where it was asked to stop.
    """
    began = time.monotonic()
    run.emit("phase", {"name": step.name, "state": "started"})
    killed, logged = killed_for_memory(), _size(run.path / LOG)
    following = Following(run)  # before the engine: what it writes at once is not old
    env, lease = environment(os.environ, step.env), held_here()
    if shutil.which(step.argv[0]) is None:
        raise FtctlError(f"{step.name}: {step.argv[0]} cannot be started", "see ftctl engines doctor")
    # The engine holds the GPUs too: should it outlive this process, they are not free.
    child = start_recorded(
        step.argv,
        cwd=run.path,
        env=env,
        log=run.path / LOG,
        keep=lease.files,
        record=lambda process: run.write_json("engine.json", process),
    )
    process = child.process
    try:
        while (end := child.end()) is None:
            following.look()
            following.stop_if_asked(process)
            following.end_if_stalled(process)
            time.sleep(POLL)
        following.look()
    finally:
        stop_session(process, grace=0.0)
    seconds = round(time.monotonic() - began, 3)
    if following.stopped or (run.path / STOP).exists():
        where = f"stopped at step {following.step}" if following.step else "stopped before its first step"
        raise Stopped(where)
    code = end.code or 0
    if code or following.silent is not None:
        run.emit("phase", {"name": step.name, "state": "failed", "seconds": seconds})
        raise failed(
            run.path,
            plan_of(run),
            step.name,
            code,
            step=following.step,
            begun=following.training,
            killed=killed_for_memory().since(killed),
            logged=logged,
            silent=following.silent,
        )
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
        self.heard = False
        self.silent: float | None = None
        self.plan = plan_of(run)
        self.advising: Advising | None = None  # once it trains
        self.read = trainer_of(self.plan).progress
        limit = self.plan.job.resources.stall_timeout
        self.silence = Silence(run.path / LOG, limit, lambda said: run.emit("warning", {"message": said}))
        self.tail.lines()  # a step before this one may have left its lines

    def look(self) -> None:
        """Pass on the events that the engine has written since the last look."""
        lines = self.tail.lines()
        self.heard = bool(lines)
        for line in lines:
            event = self.read(line)
            if event is not None:
                self._note(event)
                self.run.emit(event.kind, event.data, event.time)
                self._advise(event)

    def _note(self, event: Event) -> None:
        self.training |= event.kind == "begin"
        self.stopped |= event.kind == "stopped"
        if event.kind in ("step", "stopped"):
            self.step = int(event.data.get("step", self.step))

    def _advise(self, event: Event) -> None:
        if event.kind == "begin":
            self.advising = Advising(self.run, self.plan)
        elif self.advising is not None:
            self.advising.see(event)

    def stop_if_asked(self, process: ProcessId) -> None:
        """Asked to stop: an engine that trains saves a checkpoint by itself, any other is ended."""
        if self.ending or not (self.run.path / STOP).exists():
            return
        self.ending = True
        self.run.emit("stopping")
        if not self.training:
            stop_session(process, grace=GRACE)

    def end_if_stalled(self, process: ProcessId) -> None:
        """End an engine that has given no sign of life for longer than the job allows."""
        if self.silent is None:
            self.silent = self.silence.stalled(self.heard)
            if self.silent is not None:
                stop_session(process, grace=GRACE)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def serve_and_judge(run: RunDir, artifact: Artifact, ahead: ServerAhead) -> None:
    """Start the deployment that the job asks for, if it asks for one; measure it where it can be measured."""
    plan = plan_of(run)
    if plan.job.deploy is None:
        return
    run.remove("verdict.json")  # of an earlier attempt
    if judged(plan):
        from ftctl.supervise.judging import judge, judge_base

        evaluation = judge_base(run, plan, artifact)
        serve(run, plan, artifact, ahead)
        judge(run, plan, artifact, evaluation)
    elif evaluated(plan):
        from ftctl.supervise.evaluating import evaluate, evaluate_base

        if compared_with_base(plan):
            evaluate_base(run, plan, artifact)
        serve(run, plan, artifact, ahead)
        evaluate(run, plan, artifact)
    else:
        serve(run, plan, artifact, ahead)
        if plan.job.evaluate is not None and plan.job.evaluate.gate:
            run.emit(
                "warning", {"message": "the gate is not judged: nothing is measured of a dummy's vectors"}
            )


def serve(run: RunDir, plan: Plan, artifact: Artifact, ahead: ServerAhead) -> None:
    """Start the deployment of a plan that has one, in the interpreter that was begun ahead if any was."""
    from ftctl.supervise.serving import deploy

    run.emit("phase", {"name": "serve", "state": "started"})
    began = time.monotonic()
    try:
        deploy(run, plan, artifact, ahead)
    except FtctlError:
        run.emit("phase", {"name": "serve", "state": "failed", "seconds": round(time.monotonic() - began, 3)})
        raise
    run.emit("phase", {"name": "serve", "state": "done", "seconds": round(time.monotonic() - began, 3)})
