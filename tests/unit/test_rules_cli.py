"""The engine's rules as a user meets them: warnings, strictness, silence, and what an environment holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.facts.deepspeed import deepspeed_config
from ftctl.facts.packages import packages_of
from tests.conftest import Cli

ROWS = "".join(f'{{"instruction": "question {number}?", "output": "answer"}}\n' for number in range(8))
JOB = """\
name: small
model: {path: x/y, template: default}
data: {train: rows.jsonl}
train:
  method: freeze
"""
WARNING = "job.yaml:2:30: model.template: warning: is a plain format of the engine's own"


@pytest.fixture
def folder(ftctl: Cli) -> Path:
    (ftctl.cwd / "rows.jsonl").write_text(ROWS)
    return ftctl.cwd


def test_a_warning_is_said_and_the_job_is_valid(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB)
    said = ftctl("validate", "job.yaml", code=0)
    assert said.err.startswith(WARNING)
    assert said.err.endswith("[template-literal]\nftctl: 1 warning\n")
    envelope = ftctl("validate", "job.yaml", "--json", code=0).envelope
    assert [warning["rule"] for warning in envelope["problems"]] == ["template-literal"]


def test_strict_takes_a_warning_for_an_error(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB)
    said = ftctl("validate", "--strict", "job.yaml", code=2)
    assert said.err.startswith(WARNING.replace(" warning:", ""))
    assert said.err.endswith("ftctl: 1 problem\n")
    assert ftctl("plan", "--strict", "job.yaml", "--gpus", "0").code == 2


def test_a_silenced_rule_is_seen_and_refuses_nothing(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB + "  native: {use_rslora: true}\nsilence: [rslora-needs-lora]\n")
    said = ftctl("validate", "job.yaml", code=0)
    assert said.out == "job.yaml: valid (sft, freeze, x/y, silencing rslora-needs-lora)\n"


def test_a_rule_that_does_not_exist_cannot_be_silenced(ftctl: Cli, folder: Path) -> None:
    (folder / "job.yaml").write_text(JOB + "silence: [rslora-need-lora]\n")
    said = ftctl("validate", "job.yaml", code=2)
    warning, error, verdict = said.err.splitlines()  # and not the rule that was meant
    assert error == (
        "job.yaml:6:11: silence[0]: rslora-need-lora is no rule of an engine and no advice; "
        "did you mean rslora-needs-lora?"
    )
    assert "[template-literal]" in warning and verdict == "ftctl: 1 problem and 1 warning"


def test_all_broken_rules_are_told_at_once_in_file_order(ftctl: Cli, folder: Path) -> None:
    native = [
        "use_dora: true", "mask_history: true", "train_on_prompt: true",
        "logging_steps: 1.5", "fp8: true", "tf32: true", "report_to: trackio", "project: ''",
    ]  # fmt: skip
    lines = "".join(f"    {line}\n" for line in native)
    (folder / "job.yaml").write_text(f"{JOB}  native:\n{lines}resources: {{gpus: 0}}\n")
    said = ftctl("validate", "job.yaml", code=2).err.splitlines()
    told = [line.rpartition("[")[2].rstrip("]") for line in said[:-1] if "warning" not in line]
    assert told == [
        "dora-needs-lora", "mask-history-or-prompt", "logging-steps-whole",
        "fp8-on-the-cpu", "tf32-needs-a-gpu", "trackio-needs-project",
    ]  # fmt: skip


def test_what_an_environment_holds(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    assert packages_of(python) is None
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    for name in ("kt_kernel-1.0.dist-info", "Torch-2.0.dist-info", "torch", "old.name-1.egg-info"):
        (site / name).mkdir(parents=True)
    settings = tmp_path / "env" / "pyvenv.cfg"
    settings.write_text("include-system-site-packages = false\n")
    assert packages_of(python) == frozenset({"kt-kernel", "torch", "old-name"})
    settings.write_text("include-system-site-packages = true\n")
    assert packages_of(python) is None


def test_a_deepspeed_file(tmp_path: Path) -> None:
    file = tmp_path / "zero.json"
    file.write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    assert deepspeed_config(str(file)) == {"zero_optimization": {"stage": 3}}
    file.write_text("[1]")
    assert deepspeed_config(str(file)) is None
    file.write_text("{")
    assert deepspeed_config(str(file)) is None
    assert deepspeed_config(str(tmp_path / "gone.json")) is None
    assert deepspeed_config("zero.json") is None
    assert deepspeed_config({"zero_optimization": {}}) is None


@pytest.mark.parametrize("verb", [("plan",), ("render",), ("train", "--no-install")])
def test_warnings_are_shown_beside_errors(ftctl: Cli, folder: Path, verb: tuple[str, ...]) -> None:
    (folder / "job.yaml").write_text(JOB + "  epochs: many\nresources: {gpus: 0}\n")
    lines = ftctl(*verb, "job.yaml", code=2).err.splitlines()
    assert lines[0].startswith(WARNING) and lines[1].startswith("job.yaml:6:11: train.epochs: is text")
    assert lines[2:] == ["ftctl: 1 problem and 1 warning"]
