"""GPU leases as runs and deployments hold them: until their processes have ended, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.stop import stop as stop_deployment
from ftctl.deployments.target import target_of
from ftctl.errors import Missing
from ftctl.facts.model import EngineFacts
from ftctl.job.model import Deploy
from ftctl.launchers import launcher
from ftctl.leases.folder import holders
from ftctl.leases.hold import NOTHING, held_here
from ftctl.leases.model import run_phrase
from ftctl.leases.queue import queue
from ftctl.plan.model import Plan
from ftctl.plan.serve import plan_serve
from ftctl.process import ProcessId, alive, stop_session
from ftctl.record import from_record
from ftctl.rendered import Rendered
from ftctl.run.control import stop
from ftctl.run.create import create
from ftctl.run.directory import RunDir
from ftctl.run.follow import follow
from ftctl.supervise.ahead import ServerAhead
from ftctl.supervise.serving import deploy
from tests.conftest import Cli
from tests.gpu_leases import STANDIN, ask, cards, held, race
from tests.plans import machine, plan
from tests.waiting import freeze, until


@pytest.fixture
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of leases of this test's own, for the processes that it starts."""
    monkeypatch.setenv("FTCTL_LEASES", str(tmp_path / "leases"))
    return tmp_path / "leases"


@pytest.fixture
def start(tmp_path: Path, leases: Path) -> Iterator[Callable[..., RunDir]]:
    """Start a run of the stand-in engine that leases two GPUs of four; ends what a test leaves."""
    runs: list[RunDir] = []

    def _start(*options: str) -> RunDir:
        step = Rendered((sys.executable, str(STANDIN / "engine.py"), *options))
        run = create(plan(), {"train": step}, tmp_path)
        runs.append(run)
        launcher("local").submit(run.path, ask(leases, 2))
        return run

    yield _start
    for run in runs:
        stop_session(from_record(ProcessId, run.read_json("node.json")), grace=0.0)
        stop_session(from_record(ProcessId, run.read_json("engine.json")), grace=0.0)


def test_a_run_holds_its_gpus_until_its_engine_has_ended(start: Callable[..., RunDir], leases: Path) -> None:
    run = start("--steps", "3", "--pause", "0.2")
    assert held(leases) == [0, 1]
    (first, _) = holders(leases)
    node = from_record(ProcessId, run.read_json("node.json"))
    assert (first.what, first.pid) == (f"run small {run.path.name}", node.pid)
    until(lambda: any(event.kind == "step" for event in run.events()))
    with pytest.raises(Missing, match="GPU 0,1 is held by run small"):
        ask(leases, 3)
    follow(run.path, lambda _: None, lambda _: None)
    until(lambda: not alive(node))
    assert held(leases) == []


def test_a_killed_supervisor_leaves_the_lease_to_its_living_engine(
    start: Callable[..., RunDir], leases: Path
) -> None:
    run = start("--steps", "1000")
    until(lambda: any(event.kind == "step" for event in run.events()))
    node, engine = (from_record(ProcessId, run.read_json(f"{one}.json")) for one in ("node", "engine"))
    freeze(engine.pid)  # so that it cannot end when the guard asks it to
    os.kill(node.pid, signal.SIGKILL)
    until(lambda: not alive(node))
    assert held(leases) == [0, 1], "the engine is still there, with memory on them"
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: not alive(engine))
    until(lambda: held(leases) == [], 2.0)


def test_stop_now_frees_the_gpus(start: Callable[..., RunDir], leases: Path) -> None:
    run = start("--steps", "1000", "--child")
    until(lambda: any(event.kind == "step" for event in run.events()))
    stop(run.path, now=True)
    assert held(leases) == []


def serving_on_one_of_two() -> Plan:
    """The plan of a run on GPUs 0 and 1 that serves on the second."""
    block = Deploy(native={"stand-in": "quick"}, gpus=(1,))
    four = replace(machine(*cards(4)), leased=(0, 1))
    known = replace(
        plan().facts, machine=four, server=EngineFacts("vllm", "user", STANDIN / "server.py", True)
    )
    serve, _ = plan_serve(block, name="ft", model=known.model, machine=four)
    return replace(plan(), job=replace(plan().job, deploy=block, name="ft"), facts=known, serve=serve)


def test_a_deployment_after_training_keeps_only_what_it_serves_on(
    tmp_path: Path, leases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    decided = serving_on_one_of_two()
    run = create(decided, {}, tmp_path)
    assert ask(leases, 2).gpus == (0, 1)  # as the node is given it

    deploy(run, decided, Artifact("hub", Path("some/model")), ServerAhead(run, decided))
    entry = store.get("ft")
    (holder,) = holders(leases)
    assert (holder.index, holder.what, holder.pid) == (1, "deployment ft", entry.deployment.process.pid)
    assert held_here(leases) == NOTHING, "the server alone holds it"
    stop_deployment(entry, now=True)
    assert held(leases) == []


def test_a_server_that_is_begun_ahead_leaves_the_lease_to_its_run(
    tmp_path: Path, leases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    decided = serving_on_one_of_two()
    run = create(decided, {}, tmp_path)
    assert ask(leases, 2).gpus == (0, 1)  # as the node is given it
    ahead = ServerAhead(run, decided)
    ahead.begin()
    assert ahead.begun is not None
    assert ahead.begun.gpus == (1,)
    until(lambda: [holder.what for holder in holders(leases)][1:] == ["deployment ft"])
    assert held_here(leases).gpus == (0, 1)
    ahead.close()
    assert held_here(leases).gpus == (0, 1)
    assert {holder.what for holder in holders(leases)} == {run_phrase("ft", run.path.name)}
    assert not store.lives(store.get("ft"))
    held_here(leases).close()
    until(lambda: held(leases) == [])


@pytest.mark.parametrize(("written", "asked"), [(frozenset(), 2), (frozenset({"deploy.gpus"}), (1, 3))])
def test_a_run_is_deployed_again_on_any_gpus_unless_its_job_names_them(
    tmp_path: Path, written: frozenset[str], asked: int | tuple[int, ...]
) -> None:
    placed = replace(plan().job, deploy=Deploy(gpus=(1, 3)), written=written)
    run = create(replace(plan(), job=placed), {}, tmp_path)
    run.write_json("artifact.json", Artifact("model", tmp_path))
    assert target_of(str(run.path), ()).deploy.gpus == asked


def test_doctor_shows_who_holds_what_and_who_waits(tmp_path: Path, ftctl: Cli) -> None:
    leases = tmp_path / "leases"
    mine = ask(leases, 1, gpus=1)
    mine.name("run support-bot 20260101-120000-abcd")
    with race(tmp_path, 1, 1, 1, "turns", subprocess.PIPE) as waiter:
        until(lambda: len(queue(leases)) == 1)
        answer = ftctl("doctor", "--json", env={"FTCTL_LEASES": str(leases)}, code=0)
        mine.close()
        waiter.communicate(timeout=60)
    found = {one["what"]: one["answer"] for one in answer.data["findings"]}
    assert found["gpu 0"].startswith(f"is held by run support-bot 20260101-120000-abcd (pid {os.getpid()}, ")
    assert "racer" in found["gpu queue"] and found["gpu queue"].endswith("waits")
