"""Where advice is told: by validate in every format, by plan, by train while it trains and at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.run.directory import RunDir
from ftctl.run.notes import notes_of
from tests.conftest import Cli

JOB = """\
name: n
model: any/Model-8B
data: {train: rows.jsonl}
resources: {gpus: 0}
train:
  engine: dummy
  epochs: 9
  learning_rate: 1e-3
  batch_size: 1
"""
EPOCHS = (
    "job.yaml:7:11: train.epochs: note: 9 epochs are more than the 1 to 3 that guides take: after three the "
    "gain is small and the model begins to learn its rows by heart (Unsloth's LoRA guide); take 1 to 3, or "
    "hold rows out (data.eval) and set train.early_stopping [epochs-many]"
)


@pytest.fixture
def folder(ftctl: Cli) -> Path:
    (ftctl.cwd / "job.yaml").write_text(JOB)
    rows = ({"instruction": f"a{number}", "output": "b"} for number in range(9))
    (ftctl.cwd / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ftctl.cwd


def test_validate_tells_advice_and_the_job_is_valid(ftctl: Cli, folder: Path) -> None:
    said = ftctl("validate", "job.yaml", "--strict", code=0)
    first, second = said.err.splitlines()
    assert first == EPOCHS and second.startswith(
        "job.yaml:8:18: train.learning_rate: note: 0.001 is over the "
    )
    envelope = ftctl("validate", "job.yaml", "--json", code=0).envelope
    assert envelope["problems"] == []
    note, _ = envelope["notes"]
    assert (note["rule"], note["level"], note["kind"]) == ("epochs-many", "note", "advice")
    assert note["reason"] in note["message"]
    assert note["sources"][0]["title"] == "Unsloth: LoRA fine-tuning Hyperparameters Guide"


def test_advice_for_pipelines(ftctl: Cli, folder: Path) -> None:
    github = ftctl("validate", "job.yaml", "--format", "github", code=0).out.splitlines()
    assert [line.partition(" ")[0] for line in github] == ["::notice", "::notice"]
    assert ",title=ftctl epochs-many::train.epochs: 9 epochs are more" in github[0]
    (run,) = json.loads(ftctl("validate", "job.yaml", "--format", "sarif", code=0).out)["runs"]
    assert [result["level"] for result in run["results"]] == ["note", "note"]
    described = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert described["epochs-many"].startswith("after three the gain is small")
    junit = ftctl("validate", "job.yaml", "--format", "junit", code=0).out
    assert 'failures="0"' in junit and "[epochs-many]" in junit


def test_silenced_advice_is_named_and_a_misspelt_name_is_an_error(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB + "silence: [epochs-many, learning-rate-high]\n")
    said = ftctl("validate", "job.yaml", code=0)
    assert said.out.endswith(", silencing epochs-many, learning-rate-high)\n") and said.err == ""
    said = ftctl("plan", "job.yaml", "--json", code=0)
    assert said.data["notes"] == [] and said.err == ""
    assert [note["rule"] for note in said.data["silenced"]] == ["epochs-many", "learning-rate-high"]
    (folder / "job.yaml").write_text(JOB + "silence: [epoch-many]\n")
    assert "did you mean epochs-many?" in ftctl("validate", "job.yaml", code=2).err


def test_a_training_is_told_its_notes_once_and_at_its_end(ftctl: Cli, folder: Path) -> None:
    quick = ("--set", "train.native.seconds_per_step=0", "--set", "train.epochs=100")
    said = ftctl("train", "job.yaml", *quick, code=0)
    lines = said.err.splitlines()
    near = [
        line
        for line in lines
        if line.startswith("note: the training loss of the last 10 logged steps is 0.1")
    ]
    assert len(near) == 1 and near[0].endswith("[loss-near-zero]")
    assert "advice: epochs-many, learning-rate-high, loss-near-zero; docs/advice.md explains" in lines
    (run,) = (folder / "runs" / "n").iterdir()
    notes = notes_of(RunDir(run))
    assert [note["name"] for note in notes] == ["epochs-many", "learning-rate-high", "loss-near-zero"]
    assert all(note["reason"] and note["sources"] for note in notes)
    watched = ftctl("watch", run.name, "--json", code=0)
    assert json.loads(watched.out.splitlines()[-1])["data"]["notes"] == notes
    ftctl("report", run.name, "--no-charts", "--output", folder / "page.md", code=0)
    page = (folder / "page.md").read_text()
    assert "| loss-near-zero |" in page and "Unsloth: LoRA fine-tuning" in page
    told = [json.loads(line) for line in watched.out.splitlines()[:-1]]
    assert [event["name"] for event in told if event["event"] == "note"] == ["loss-near-zero"]


def test_a_silenced_note_of_the_curves_is_not_told(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB + "silence: [epochs-many, learning-rate-high, loss-near-zero]\n")
    quick = ("--set", "train.native.seconds_per_step=0", "--set", "train.epochs=100")
    assert "note: " not in (said := ftctl("train", "job.yaml", *quick, code=0).err) and "advice" not in said
