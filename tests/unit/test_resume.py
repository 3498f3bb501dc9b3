"""What can be gone on from, what may change meanwhile, and what is taken up again by itself."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ftctl.errors import FtctlError, UsageError
from ftctl.events import Event
from ftctl.job.model import Deploy, Resources
from ftctl.job.training import Checkpoints, Train
from ftctl.plan.model import RetrievalPlan
from ftctl.plan.resuming import changed, refusals
from ftctl.rendered import Rendered
from ftctl.run.attempts import go_on, lost_record, phases_of
from ftctl.run.checkpoints import WEIGHTS_ONLY, checkpoints
from ftctl.run.create import create
from ftctl.run.curve import curve, first_open
from ftctl.run.directory import RunDir
from ftctl.run.lock import held
from ftctl.run.state import state_of
from ftctl.supervise.restart import Setback, decide
from ftctl.trainers import llamafactory
from tests.model_files import SHAPES, safetensors, write_adapter
from tests.plans import job, plan


def checkpoint(output: Path, step: int) -> Path:
    """A whole checkpoint, as one process of transformers' Trainer leaves it."""
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(SHAPES))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data.pkl", bytes(500))
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / name).write_bytes(archive.getvalue())
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


def test_a_whole_checkpoint_has_no_fault(tmp_path: Path) -> None:
    for step in (100, 20):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-old").mkdir()
    assert [(one.step, one.fault) for one in checkpoints(tmp_path)] == [(20, None), (100, None)]
    assert checkpoints(tmp_path / "none") == ()


def cut(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]
)
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_checkpoint_that_was_not_finished(tmp_path: Path, name: str, harm: str) -> None:
    folder = checkpoint(tmp_path, 20)
    if harm == "cut":
        cut(folder, name)
    else:
        (folder / name).unlink()
    (found,) = checkpoints(tmp_path)
    assert found.fault is not None
    assert name in found.fault


def test_a_checkpoint_of_two_processes_and_one_of_an_adapter(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 20)
    (found,) = checkpoints(tmp_path, processes=2)
    assert found.fault == "it has no rng_state_0.pth"
    for number in range(2):
        (folder / f"rng_state_{number}.pth").write_bytes((folder / "rng_state.pth").read_bytes())
    (folder / "model.safetensors").unlink()
    for file in write_adapter(tmp_path / "adapter", "base").iterdir():
        file.rename(folder / file.name)
    (found,) = checkpoints(tmp_path, processes=2)
    assert found.fault is None


def test_weights_alone_cannot_be_gone_on_from(tmp_path: Path) -> None:
    run = started(tmp_path)
    folder = checkpoint(run.path / "output", 20)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / name).unlink()
    (found,) = checkpoints(run.path / "output")
    assert found.fault == WEIGHTS_ONLY
    with pytest.raises(FtctlError, match="hold the weights alone"):
        go_on(run, plan(), lost_record(run))
    assert run.attempt() == 1


def started(root: Path) -> RunDir:
    """A run whose training has begun."""
    run = create(plan(), {"train": Rendered(("/bin/true",)), "merge": Rendered(("/bin/true",))}, root)
    run.emit("phase", {"name": "train", "state": "started"})
    return run


def steps(run: RunDir) -> list[int]:
    return [event.data["step"] for event in curve(run.events())]


def test_an_attempt_goes_on_from_the_last_whole_checkpoint(tmp_path: Path) -> None:
    run = started(tmp_path)
    for step in (10, 20, 25):
        run.emit("step", {"step": step, "total_steps": 30, "loss": 1.0})
    checkpoint(run.path / "output", 10)
    cut(checkpoint(run.path / "output", 20), "optimizer.pt")
    (run.path / "stop").touch()
    with open(run.path / "events.jsonl", "a") as file:
        file.write('{"time": 6, "event": "st')
    attempt = go_on(run, plan(), lost_record(run))
    assert (attempt.number, attempt.phase, attempt.checkpoint) == (2, "train", "output/checkpoint-10")
    assert [path.name for path in (run.path / "output").iterdir()] == ["checkpoint-10"]
    assert (run.path / "set-aside" / "checkpoint-20-2" / "model.safetensors").is_file()
    said = yaml.safe_load((run.path / "native/train.yaml").read_text())
    assert said["resume_from_checkpoint"] == "output/checkpoint-10"
    assert run.read_json("exit-1.json")["state"] == "LOST"
    assert not (run.path / "stop").exists()
    assert steps(run) == [10]
    assert state_of(run.path).step == 10
    kinds = [event.kind for event in run.events()]
    assert kinds[-2:] == ["set_aside", "attempt"]
    run.emit("step", {"step": 11, "total_steps": 30, "loss": 0.5})
    assert state_of(run.path).step == 11


def test_without_a_checkpoint_it_begins_again(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.emit("step", {"step": 3, "loss": 1.0})
    (run.path / "output").mkdir()
    (run.path / "output" / "model.safetensors").write_bytes(b"half")
    attempt = go_on(run, plan(), lost_record(run))
    assert (attempt.checkpoint, attempt.step) == (None, 0)
    assert not (run.path / "output").exists()
    assert "resume_from_checkpoint" not in (run.path / "native/train.yaml").read_text()
    assert steps(run) == []


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.emit("step", {"step": 30, "loss": 1.0})
    run.emit("phase", {"name": "train", "state": "done"})
    run.emit("phase", {"name": "merge", "state": "failed"})
    checkpoint(run.path / "output", 30)
    assert go_on(run, plan(), lost_record(run)).phase == "merge"
    assert steps(run) == [30]
    assert state_of(run.path).loss == 1.0
    assert not (run.path / "native/train.yaml").exists()
    longer = go_on(run, plan(), lost_record(run), longer=True)
    assert (longer.phase, longer.step) == ("train", 30)
    assert first_open(run.events(), ("train", "merge", "collect")) == "train"


def test_what_is_measured_is_among_the_phases(tmp_path: Path) -> None:
    run, made = started(tmp_path), plan(deploy=Deploy())
    assert phases_of(run, made) == ("train", "merge", "collect", "serve")
    assert made.train is not None and made.job.data is not None
    retrieval = RetrievalPlan(
        "encoder-only-base", "full", 8, 32, 96, 0.02, "mean", True, "query: ", None, False, False
    )
    made = replace(
        made,
        train=replace(made.train, retrieval=retrieval),
        job=replace(made.job, data=replace(made.job.data, eval_share=0.1)),
    )
    order = phases_of(run, made)
    assert order == ("train", "merge", "collect", "judge base", "serve", "judge")
    for name in order[:-1]:
        run.emit("phase", {"name": name, "state": "done"})
    assert first_open(run.events(), order) == "judge"


def test_what_the_engine_said_after_its_supervisor_died_is_kept(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.emit("step", {"step": 1, "loss": 2.0}, at=5.0)
    checkpoint(run.path / "output", 2)
    told = [Event("step", 5.0, {"step": 1, "loss": 2.0}), Event("step", 6.0, {"step": 2, "loss": 1.0})]
    (run.path / "progress.jsonl").write_text("".join(event.line() + "\n" for event in told))
    go_on(run, plan(), lost_record(run))
    assert steps(run) == [1, 2]


def test_a_run_is_held_once_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(UsageError, match="in the hands of another"), held(tmp_path):
        pass
    with held(tmp_path):
        assert (tmp_path / "run.lock").exists()


def test_rendering_to_go_on_changes_one_line() -> None:
    before, after = llamafactory.render(plan()), llamafactory.render_resume(plan(), "output/checkpoint-5")
    assert before.argv == after.argv
    added = set(after.files["native/train.yaml"].splitlines()) - set(
        before.files["native/train.yaml"].splitlines()
    )
    assert added == {"resume_from_checkpoint: output/checkpoint-5"}


BASE = Train(method="full")
REFUSED = {
    "train.seed": replace(BASE, seed=3),
    "train.batch_size": replace(BASE, batch_size=8),
    "train.max_length": replace(BASE, max_length=64),
    "train.method": replace(BASE, method="lora"),
    "train.learning_rate": replace(BASE, learning_rate=1e-3),
    "train.native": replace(BASE, native={"neftune_noise_alpha": 5}),
    "train.epochs": replace(BASE, epochs=1),
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_cannot_change_is_refused_with_its_reason(key: str) -> None:
    (problem,) = refusals(job(BASE), job(REFUSED[key]), reached=4)
    assert problem.key.startswith(key)
    assert problem.remedy


def test_model_data_and_processes_cannot_change_either() -> None:
    old = job(BASE)
    assert old.data is not None
    new = replace(
        old,
        model=replace(old.model, path="/models/other"),
        data=replace(old.data, mix="interleave_under"),
        resources=Resources(gpus=0, processes=2),
    )
    keys = [problem.key for problem in refusals(old, new, reached=0)]
    assert keys == ["model.path", "data.mix", "resources.processes"]


def test_what_may_change_is_not_refused() -> None:
    new = job(
        replace(BASE, epochs=5, max_steps=40, log_every=5, checkpoints=Checkpoints(every=7)),
        deploy=Deploy(port=8001),
        resources=Resources(gpus=0, max_restarts=3),
    )
    assert refusals(job(BASE), new, reached=40) == ()
    assert "deploy" in changed(job(BASE), new)
    (problem,) = refusals(job(BASE), new, reached=41)
    assert problem.key == "train.max_steps"


def killed(step: int, *, may_pass: bool = True) -> Setback:
    return Setback("it was killed", may_pass, "train", -9, step)


@pytest.mark.parametrize(
    ("setbacks", "again"),
    [
        ([killed(5)], True),
        ([killed(5), killed(9)], True),
        ([killed(5), killed(5)], False),
        ([killed(5), killed(9), killed(12)], False),
        ([killed(5, may_pass=False)], False),
    ],
)
def test_only_what_may_pass_is_tried_again(setbacks: list[Setback], again: bool) -> None:
    decision = decide(setbacks, allowed=2)
    assert decision.again is again
    assert decision.reason


def test_the_wait_grows_and_has_an_end() -> None:
    def wait(count: int) -> float:
        return decide([killed(step) for step in range(count)], allowed=99).wait

    assert [wait(1), wait(2), wait(3)] == [2.0, 4.0, 8.0]
    assert wait(30) == 300.0
