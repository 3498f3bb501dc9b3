"""What is said of a GGUF file that was checked, and of a model that cannot be converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import FtctlError, UsageError
from ftctl.export.converter import CONVERTER, READER, lock_of
from ftctl.export.for_gguf import failure, judged
from ftctl.export.make import Asked, Watched, export
from ftctl.export.source import source_of
from tests.ended_runs import again, ended_run

FINE: dict[str, Any] = {
    "tensors": 3, "same": 3, "other": [], "missing": [], "tokens": True, "template": None, "eos": 2,
}  # fmt: skip
QUIET = Watched(lambda path, count: None, lambda said: None, lambda total: None)


def test_a_file_that_is_the_model() -> None:
    assert judged(FINE, None) == (
        "3 of 3 tensors hold the model's weights, value by value; its vocabulary is the model's",
    )
    end = {"id": 7, "token": "<|eot_id|>"}
    _, compared, ends = judged({**FINE, "same": 2, "other": ["output.weight"]}, end)
    assert "1 are quantized or changed by the converter, and not compared, such as output.weight" in compared
    assert "trained is <|eot_id|>" in ends


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tokens": False}, "another vocabulary"),
        ({"template": False}, "another chat template"),
        ({"same": 0, "other": ["a", "b", "c"]}, "no tensor of the GGUF file"),
        ({"missing": ["model.norm.weight"]}, r"lacks weights of the model: model\.norm\.weight"),
    ],
)
def test_a_file_that_is_not(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FtctlError, match=words):
        judged({**FINE, **change}, None)


def test_why_a_conversion_failed() -> None:
    unknown = failure("Traceback\nNotImplementedError: BPE pre-tokenizer was not recognized - update")
    assert "it does not know this tokenizer" in unknown.message
    assert "does not know this architecture" in failure("ERROR: Model XForCausalLM is not supported").message
    assert "KeyError: 'x'" in failure("a\nb\nc\nKeyError: 'x'").message


def test_a_models_own_code_is_not_run(tmp_path: Path) -> None:
    run = ended_run(tmp_path)
    (run.path / "output" / "config.json").write_text(
        '{"architectures": ["X"], "model_type": "x", "auto_map": {"AutoConfig": "evil.X"}}'
    )
    again(run, "output")
    with pytest.raises(UsageError, match="names code of its own"):
        export(source_of(str(run.path)), tmp_path / "there", Asked("gguf"), QUIET)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("name", [CONVERTER, READER])
def test_the_locks_are_hashed(name: str) -> None:
    lines = [line for line in lock_of(name).read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    assert "==" in lines[0]
    assert "--hash=sha256:" in lines[1]
