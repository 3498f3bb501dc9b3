"""`ftctl resume` from outside, with a stand-in for the engine: one wins, and the rest is said."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ftctl.facts.model import Gpu
from ftctl.leases.folder import holders
from ftctl.leases.model import Wish
from ftctl.leases.take import Asking, take
from ftctl.record import to_record
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.conftest import ROOT, Cli
from tests.model_files import write_model

GPU = Gpu(0, "any", 1, None, "GPU-0")
Answer = TypeVar("Answer")
STANDIN = ROOT / "tests" / "standin" / "llamafactory.py"


def job(cli: Cli, **resources: int) -> Path:
    """A job of 12 steps with a checkpoint every 5."""
    write_model(cli.cwd / "base")
    rows = ({"instruction": f"q{number}", "output": f"a{number}"} for number in range(20))
    (cli.cwd / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = {
        "method": "full",
        "max_steps": 12,
        "max_length": 64,
        "batch_size": 4,
        "checkpoints": {"every": 5},
        "engine_python": str(STANDIN),
    }
    whole = {"name": "standin", "model": "./base", "data": {"train": "rows.jsonl"}, "train": train}
    path = cli.cwd / "job.yaml"
    path.write_text(json.dumps({**whole, "resources": {"gpus": 0, **resources}}))
    return path


def the_run(cli: Cli) -> RunDir:
    (found,) = cli.cwd.glob("runs/standin/*")
    return RunDir(found)


def steps(run: RunDir) -> list[int]:
    return [event.data["step"] for event in curve(run.events())]


def awaited(look: Callable[[], Answer | None]) -> Answer:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def listed(cli: Cli) -> tuple[str, int]:
    """The state and the step that `ftctl runs` tells of the only run."""
    (entry,) = cli("runs", "--json", code=0).data["runs"]
    return entry["state"], entry["step"]


def test_of_two_resumes_at_once_one_wins(ftctl: Cli) -> None:
    env = {"STANDIN_PAUSE": "0.02", "STANDIN_DIE": "8"}
    ftctl("train", job(ftctl), env=env, code=1)
    run = the_run(ftctl)
    assert listed(ftctl) == ("FAILED", 7)  # the index of runs knows this end from now on
    (ftctl.cwd / "rows.jsonl").rename(ftctl.cwd / "away")
    assert "rows.jsonl" in ftctl("resume", run.path.name, code=2).err
    (ftctl.cwd / "away").rename(ftctl.cwd / "rows.jsonl")
    both = [
        subprocess.Popen(
            ftctl.argv("resume", run.path.name, "--set", "train.max_steps=40"),
            env={**ftctl.environment, "STANDIN_PAUSE": "0.05"},
            cwd=ftctl.cwd,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[1] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 2], said
    assert "in the hands of another" in said[codes.index(2)] or "is RUNNING" in said[codes.index(2)]
    assert steps(run) == list(range(1, 41))
    assert run.attempt() == 2
    assert listed(ftctl) == ("SUCCEEDED", 40)
    assert run.read_json("run.json")["overrides"] == ["train.max_steps=40"]
    assert "nothing to do" in ftctl("resume", run.path.name, code=0).out


def on_a_gpu(run: RunDir) -> None:
    """Let the run's plan say that it trains on a GPU, of which this machine may have none."""
    record = run.read_json("plan.json")
    record["facts"]["machine"]["gpus"] = [to_record(GPU)]
    record["train"]["devices"] = [GPU.index]
    run.write_json("plan.json", record)


def test_it_goes_on_with_its_gpus_and_keeps_them_when_it_is_started_again(ftctl: Cli, tmp_path: Path) -> None:
    ftctl("train", job(ftctl, max_restarts=1), env={"STANDIN_PAUSE": "0.01", "STANDIN_RAISE": "2"}, code=1)
    run, leases = the_run(ftctl), tmp_path / "leases"
    on_a_gpu(run)
    env = {"FTCTL_LEASES": str(leases), "STANDIN_PAUSE": "0.02", "STANDIN_DIE": "8"}
    lease = take(Asking(Wish((), 1, (0,)), (GPU,), "this test", leases, lambda: ({}, None)))
    assert "is held by this test" in ftctl("resume", run.path.name, env=env, code=4).err
    assert run.attempt() == 1
    lease.close()
    ftctl("resume", run.path.name, "--detach", env=env, code=0)
    decision = awaited(lambda: next((one for one in run.events() if one.data.get("again")), None))
    assert [one.what for one in holders(leases)] == [f"run standin {run.path.name}"]
    awaited(lambda: run.read_json("exit.json"))
    assert (decision.data["again"], decision.data["used"], decision.data["allowed"]) == (True, 0, 1)
    assert steps(run) == list(range(1, 13))
    assert [run.read_json(f"exit-{number}.json")["state"] for number in (1, 2)] == ["FAILED", "FAILED"]
    assert run.read_json("exit.json")["state"] == "SUCCEEDED"
    awaited(lambda: not holders(leases))


def test_an_error_of_the_engines_own_is_not_tried_again(ftctl: Cli) -> None:
    ftctl("train", job(ftctl, max_restarts=3), env={"STANDIN_PAUSE": "0.01", "STANDIN_RAISE": "2"}, code=1)
    decisions = [event.data["again"] for event in the_run(ftctl).events() if event.kind == "restart"]
    assert decisions == [False]
