"""Golden imports: every config of `import/` and the job that it becomes, or why it is refused.

The configs are written for this repository. Write the expected files again after a wanted change with

    REWRITE=1 pytest tests/golden/test_import.py
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.errors import JobError
from ftctl.importing.files import around_of, source_of
from ftctl.importing.imported import Imported, convert, original_of

CASES = Path(__file__).parent / "import"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_file())
REFUSED = {
    "accelerate.yaml",
    "deepspeed_file.json",
    "lazyllm_easyr1.yaml",
    "megatron.yaml",
    "nothing.txt",
    "prepares_model.sh",
    "rows_info.json",
    "special_tokens.yaml",
    "starts_config.sh",
    "typo.yaml",
    "v1_merge.yaml",
    "v1_rewrite.yaml",
}
COMPARED = [name for name in NAMES if name not in REFUSED]


def imported(name: str) -> Imported:
    job = Path(f"{name.partition('.')[0]}.job.yaml")
    source = replace(source_of(CASES / name), name=name)
    around = around_of(CASES / name, job, source, info=None, gpus=None, cwd=CASES)
    return convert(source, around, kind=None, file=str(job), folder=CASES)


def told(name: str) -> str:
    try:
        return imported(name).text
    except JobError as error:
        return f"{error}\n".replace(f"{CASES}/", "")


@pytest.mark.parametrize("name", NAMES)
def test_an_import(name: str) -> None:
    expected = CASES / "expected" / f"{name}.txt"
    text = told(name)
    if os.environ.get("REWRITE"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_what_is_refused_is_what_should_be() -> None:
    assert {name for name in NAMES if not told(name).startswith("# Imported")} == REFUSED


@pytest.mark.parametrize("name", COMPARED)
def test_every_difference_has_a_reason(name: str) -> None:
    for found in imported(name).differences or ():
        assert found.why, f"{found.key}: {found.original!r} is rendered as {found.rendered!r}"


@pytest.mark.parametrize(
    "name", [name for name in COMPARED if name.startswith(("lora_", "full_", "freeze_", "qlora_"))]
)
def test_a_training_that_this_version_takes_is_rendered_and_compared(name: str) -> None:
    made = imported(name)
    assert made.differences is not None
    assert not made.problems


@pytest.mark.parametrize(
    "name", [name for name in COMPARED if name.startswith(("dpo", "kto", "oft", "ppo", "pretrain", "reward"))]
)
def test_what_a_later_version_trains_is_compared_too(name: str) -> None:
    made = imported(name)
    assert {fault.key for fault in made.problems} <= {"train.task", "train.method"}
    found = {difference.key for difference in made.differences or ()}
    assert "dataset_dir" in found or "dataset" in found
    assert not found & {"stage", "finetuning_type"}


@pytest.mark.parametrize(
    "name", [name for name in COMPARED if not name.startswith(("alpaca", "collie", "lazyllm"))]
)
def test_no_argument_is_lost(name: str) -> None:
    """Each key of the original stands in the job: as a native key, in a comment as the origin, or named."""
    text = imported(name).text
    for key in original_of(source_of(CASES / name)):
        assert key in text, key
