"""The run directory: whole files or none, whole events or none, ids that never collide."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from ftctl.errors import FtctlError, UsageError
from ftctl.rendered import Rendered
from ftctl.run.create import Step, create
from ftctl.run.directory import RunDir, Tail
from ftctl.run.state import state_of
from tests.plans import plan

STEP = Rendered(
    ("/bin/true",), {"A": "1", "B": None}, {"native/a.yaml": "a: 1\n"}, {"data/x": Path("/data/x")}
)


def test_a_run_explains_itself(tmp_path: Path) -> None:
    run = create(plan(), {"train": STEP}, tmp_path)
    assert run.path.parent == tmp_path / "small"
    assert (run.path / "job.yaml").read_text() == "name: small\n"
    assert (run.path / "native/a.yaml").read_text() == "a: 1\n"
    assert (run.path / "data/x").readlink() == Path("/data/x")
    assert run.read_json("steps.json") == [
        {"name": "train", "argv": ["/bin/true"], "env": {"A": "1", "B": None}, "scratch": []}
    ]
    assert state_of(run.path).state == "PENDING"
    assert not list(run.path.rglob("*.tmp"))


def test_a_folder_that_the_engine_would_read_as_a_pattern(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose another --runs-dir"):
        create(plan(), {"train": STEP}, tmp_path / "runs [1]")
    assert not (tmp_path / "runs [1]").exists()


def _create(root: Path) -> str:
    return str(create(plan(), {"train": STEP}, root).path)


def test_many_at_once_get_runs_of_their_own(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(_create, [tmp_path] * 40)
    assert len(set(made)) == 40
    assert sorted(made) == sorted(str(path) for path in (tmp_path / "small").iterdir())


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FtctlError, match="cannot write the run under"):
        create(plan(), {"train": STEP}, tmp_path / "file")


def test_a_step_reads_back(tmp_path: Path) -> None:
    from ftctl.run.records import plan_of, steps_of

    run = create(plan(), {"train": STEP}, tmp_path)
    assert steps_of(run) == (Step("train", STEP.argv, STEP.env),)
    assert plan_of(run) == plan()


def test_a_line_cut_short_is_no_event(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.emit("step", {"step": 1}, at=5.0)
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('{"time": 6, "event": "st')
    assert [(event.kind, event.time, dict(event.data)) for event in run.events()] == [
        ("step", 5.0, {"step": 1})
    ]


def test_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    file = tmp_path / "log"
    tail = Tail(file)
    assert tail.lines() == []
    file.write_text("one\ntw")
    assert tail.lines() == ["one"]
    with open(file, "a") as more:
        more.write("o\nüç\n")
    assert tail.lines() == ["two", "üç"]
    assert tail.lines() == []
