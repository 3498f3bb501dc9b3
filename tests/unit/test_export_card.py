"""The model card: what it tells of a run, and what it keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ftctl.export.card import text
from ftctl.export.described import card_of
from ftctl.export.scrubbed import scrubbed
from ftctl.export.scrubbed import text as without_paths
from ftctl.export.source import source_of
from tests.ended_runs import ended_run


def card(tmp_path: Path, form: str = "merged") -> str:
    run = ended_run(tmp_path)
    run.write_json(
        "trained_template.json",
        {"template": "llama3", "end": {"id": 2, "token": "<|eot_id|>"}, "conversations": [{}, {}]},
    )
    return text(card_of(source_of(str(run.path)), form))


def test_it_tells_what_the_model_is_made_of(tmp_path: Path) -> None:
    said = card(tmp_path)
    _, front, body = said.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["ftctl", "sft", "full"],
    }
    assert f"| train.jsonl | training | alpaca | 80 | {'0' * 64} |" in body
    for row in ("| final training loss | 0.25 |", "| eval_loss | 0.5 |", "| ftctl, trained with | 0.0.9 |"):
        assert row in body
    assert "Trained with the template llama3" in body
    job = yaml.safe_load(body.split("```yaml\n")[1].split("```")[0])
    assert job["model"] == {"path": "base"}
    assert job["train"]["method"] == "full"
    assert job["data"]["train"] == [{"path": "train.jsonl", "format": "auto"}]
    assert job["resources"] == {"gpus": 0}


def test_it_keeps_paths_and_secrets_to_itself(tmp_path: Path) -> None:
    said = card(tmp_path)
    for private in ("hf_secret", "secret-place", "/models", "/data", "/home", str(tmp_path)):
        assert private not in said


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("/home/me/models/base", "base"),
        ("~/data/rows.jsonl", "rows.jsonl"),
        ("../other/rows.jsonl", "rows.jsonl"),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("https://me:word@host/x", "…"),
        ("${env:HF_TOKEN}", "…"),
        ("cosine", "cosine"),
        ("hf_" + 20 * "aB1", "…"),
        ("hf_model", "hf_model"),
        ("from /a/b to /c/d", "from b to d"),
    ],
)
def test_a_text_without_paths(said: str, left: str) -> None:
    assert without_paths(said) == left


def test_values_of_every_kind() -> None:
    value = {
        "rank": 0,
        "api_key": "x",
        "deep": {"hub_token": "x", "on": True},
        "list": ["/a/b", 1],
        "no": None,
    }
    assert scrubbed(value) == {"rank": 0, "deep": {"on": True}, "list": ["b", 1]}
    assert scrubbed({"max_new_tokens": 5}) == {"max_new_tokens": 5}
