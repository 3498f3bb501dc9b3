"""Trackers: what they are told, what they lack, and that no secret of theirs is written down."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftctl.engines.lock import Recipe, locks_dir, read_recipe
from ftctl.engines.table import ENGINES, Engine, Variant
from ftctl.engines.trackers import LOOSE, TRACKERS, link, needed_by, trackers_named, with_trackers
from ftctl.errors import UsageError
from ftctl.facts.model import EngineFacts
from ftctl.facts.packages import packages_of
from ftctl.facts.trackers import tracker_problems
from ftctl.job.training import Train
from ftctl.trainers.tracking import tracking_arguments, tracking_environment
from tests.conftest import Cli
from tests.plans import job

TRAINING = [(engine, variant) for engine in ENGINES.values() if engine.trains for variant in engine.variants]


def said(
    tmp_path: Path, trackers: tuple[str, ...], environ: Mapping[str, str] | None = None, **tracking: str
) -> list[str]:
    """The problems of a job that reports so, in an environment that knows nothing else."""
    made = job(Train(report_to=trackers, tracking=tracking))
    known = {"HOME": str(tmp_path), **(environ or {})}
    return [one.message for one in tracker_problems(made, None, known, anywhere=False)]


def test_what_is_not_asked_for_is_not_told() -> None:
    assert tracking_environment(Train(report_to=("tensorboard",)), "bot") == {
        "TENSORBOARD_LOGGING_DIR": "tracking/tensorboard"
    }
    assert tracking_arguments(Train(report_to=("mlflow", "wandb")), "bot") == {
        "report_to": ["mlflow", "wandb"]
    }


def test_a_project_is_the_jobs_name_unless_it_is_named() -> None:
    train = Train(report_to=("trackio", "mlflow"))
    assert tracking_arguments(train, "bot")["project"] == "bot"
    assert tracking_environment(train, "bot")["MLFLOW_EXPERIMENT_NAME"] == "bot"
    named = replace(train, tracking={"project": "support"})
    assert tracking_arguments(named, "bot")["project"] == "support"
    assert tracking_environment(named, "bot")["MLFLOW_EXPERIMENT_NAME"] == "support"


@pytest.mark.parametrize(
    ("mode", "wandb", "swanlab"), [("offline", "offline", "local"), ("online", "online", "cloud")]
)
def test_modes_have_each_trackers_own_name(mode: str, wandb: str, swanlab: str) -> None:
    found = tracking_environment(Train(report_to=("wandb", "swanlab"), tracking={"mode": mode}), "bot")
    assert (found["WANDB_MODE"], found["SWANLAB_MODE"]) == (wandb, swanlab)


@pytest.mark.parametrize(
    ("tracker", "environ"),
    [
        ("wandb", {"WANDB_API_KEY": "k"}),
        ("wandb", {"WANDB_MODE": "offline"}),
        ("swanlab", {"SWANLAB_API_KEY": "k"}),
        ("swanlab", {"SWANLAB_MODE": "local"}),
        ("trackio", {}),
        ("tensorboard", {}),
        ("mlflow", {}),
    ],
)
def test_who_has_a_key_or_needs_none_is_let_through(
    tmp_path: Path, tracker: str, environ: dict[str, str]
) -> None:
    assert said(tmp_path, (tracker,), environ) == []


@pytest.mark.parametrize("tracker", ["wandb", "swanlab"])
def test_an_online_tracker_without_a_key_is_refused(tmp_path: Path, tracker: str) -> None:
    assert said(tmp_path, (tracker,)) == [f"{tracker} is online and has no key"]
    assert said(tmp_path, (tracker,), mode="offline") == []
    assert said(tmp_path, (tracker,), {"WANDB_MODE": "offline", "SWANLAB_MODE": "local"}, mode="online")


def test_a_login_counts_as_a_key(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine elsewhere login user password secret\n")
    assert said(tmp_path, ("wandb",))
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert not said(tmp_path, ("wandb",))
    assert said(tmp_path, ("wandb",), {"WANDB_BASE_URL": "https://wandb.example"})


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("https://me:secret@host/x", "holds a user or a password"),
        ("sqlite:///x.db", "is no place for MLflow's client without a database: sqlite:"),
        ("http://", "names no host"),
        ("http://127.0.0.1:99999", "no server of MLflow can be reached at 127.0.0.1"),
        ("file:///{}/store", None),
        ("{}/store", None),
        ("{}/file/store", "cannot be written to"),
    ],
)
def test_a_place_of_mlflow_is_checked(tmp_path: Path, uri: str, message: str | None) -> None:
    (tmp_path / "file").write_text("")
    found = said(tmp_path, ("mlflow",), uri=uri.format(tmp_path))
    assert len(found) == (message is not None)
    assert message is None or message in found[0]
    assert "secret" not in str(found)


def test_a_server_of_mlflow_must_answer(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        (message,) = said(tmp_path, ("mlflow",), uri=uri)
        assert message == "no server of MLflow can be reached at 127.0.0.1"
        assert not said(tmp_path, ("mlflow",), {"HTTP_PROXY": "http://proxy:1"}, uri=uri)
        server.listen()
        assert not said(tmp_path, ("mlflow",), uri=uri)


def test_the_environments_place_of_mlflow_is_checked_too(tmp_path: Path) -> None:
    found = said(tmp_path, ("mlflow",), {"MLFLOW_TRACKING_URI": "postgresql://u:secret@h/d"})
    assert found == ["MLFLOW_TRACKING_URI is no place for MLflow's client without a database: postgresql:"]


@pytest.mark.parametrize("key", ["project", "uri", "mode"])
def test_what_nothing_reads_is_refused(tmp_path: Path, key: str) -> None:
    assert "nothing reads it" in said(tmp_path, ("tensorboard",), None, **{key: "offline"})[0]


def test_an_interpreter_of_the_users_must_have_the_packages(tmp_path: Path) -> None:
    own = EngineFacts("llamafactory", "user", Path(sys.executable), installed=True)
    made = job(Train(report_to=("tensorboard", "mlflow")))
    (problem,) = tracker_problems(made, own, {"HOME": str(tmp_path)}, anywhere=False)
    assert problem.message == f"{sys.executable} cannot import tensorboard, mlflow"
    assert problem.remedy == f"{sys.executable} -m pip install tensorboard mlflow-skinny"


@pytest.mark.parametrize(("engine", "variant"), TRAINING, ids=lambda value: value.name)
def test_a_layer_moves_no_version_of_its_engine(engine: Engine, variant: Variant) -> None:
    base = read_recipe(engine, variant, locks_dir())
    for name, tracker in TRACKERS.items():
        layer = with_trackers(base, [name], locks_dir())
        assert tracker.distribution in layer.packages
        shared = {package for package in layer.packages if package in base.packages}
        assert shared <= LOOSE.get(engine.name, frozenset())
    everything = with_trackers(base, TRACKERS, locks_dir())
    assert everything.lock == (locks_dir() / f"{base.name}.trackers.lock").read_text()
    assert "://" not in everything.lock
    heads = [line for line in everything.lock.splitlines() if not line.startswith(" ")]
    assert all(re.fullmatch(r"[a-z0-9-]+==\S+ \\", head) for head in heads)
    assert len(heads) == len(everything.packages)


def test_every_tracker_of_a_lock_is_taken_where_it_is_for() -> None:
    first = "a==1 \\\n    --hash=sha256:aa\n    # for mlflow, wandb\n"
    lock = f"{first}b==2 \\\n    --hash=sha256:bb\n    # for wandb\n"
    assert needed_by(lock, ["wandb"]) == lock
    assert needed_by(lock, ["mlflow"]) == first
    assert needed_by(lock, ["trackio"]) == ""


def test_trackers_are_named_in_any_order() -> None:
    assert trackers_named("wandb, mlflow,mlflow") == ("mlflow", "wandb")
    with pytest.raises(UsageError, match="there is no tracker 'tensorbord'"):
        trackers_named("tensorbord")


def test_a_layer_is_another_environment_for_every_set_of_trackers() -> None:
    base = Recipe(ENGINES["llamafactory"], ENGINES["llamafactory"].variants[0], "a==1 \\\n")
    one = replace(base, base=base, trackers=("mlflow",))
    assert one.name == "llamafactory-cpu+mlflow"
    assert one.title == "mlflow for LLaMA-Factory (cpu)"
    moved = replace(one, base=replace(base, lock="a==2 \\\n"))
    assert len({base.digest, one.digest, moved.digest}) == 3


def test_a_layer_finds_its_own_packages_first_and_then_the_engines(tmp_path: Path) -> None:
    """By a layer made by hand: what uv does is another test's."""
    folders = {}
    for name in ("engine", "engine+mlflow-1"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / name], check=True)
        (folders[name],) = (tmp_path / name).glob("lib/python3*/site-packages")
    for name, place in folders.items():
        (place / f"only_{place.parts[-4][:6]}{len(name)}.py").write_text("")
        (place / "both.py").write_text(f"origin = {name!r}\n")
    (folders["engine"] / "torch-1.dist-info").mkdir()
    (folders["engine+mlflow-1"] / "mlflow_skinny-3.dist-info").mkdir()
    link(folders["engine+mlflow-1"], folders["engine"])
    python = tmp_path / "engine+mlflow-1" / "bin" / "python"
    ask = "import both, only_engine6, only_engine15; print(both.origin)"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "engine+mlflow-1\n"
    assert packages_of(python) == frozenset({"torch", "mlflow-skinny"})


def tracked(cli: Cli, **train: Any) -> Path:
    """The file of a job for the dummy that reports nowhere but names trackers."""
    (cli.cwd / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n' * 8)
    file = cli.cwd / "job.yaml"
    block = {"report_to": "wandb", "max_steps": 2, **train}
    file.write_text(
        json.dumps({"name": "t", "model": "some/base", "data": {"train": "rows.jsonl"}, "train": block})
    )
    return file


def test_the_refusal_names_the_line_and_the_way_out(ftctl: Cli) -> None:
    answer = ftctl("plan", tracked(ftctl), "--gpus", "0", env={"WANDB_API_KEY": "", "WANDB_MODE": ""}, code=2)
    assert "train.report_to: wandb is online and has no key" in answer.err
    assert "mode: offline" in answer.err


def test_the_dummy_reports_nowhere_and_no_key_is_written_down(ftctl: Cli) -> None:
    secret = "wandb-key-that-no-file-may-hold"
    file = tracked(ftctl, engine="dummy")
    answer = ftctl("train", file, "--json", env={"WANDB_API_KEY": secret}, code=0)
    run = Path(answer.data["run"])
    texts = [path.read_text(errors="replace") for path in run.rglob("*") if path.is_file()]
    assert len(texts) > 8
    assert not [text for text in texts if secret in text]
    assert not (run / "tracking").exists()
