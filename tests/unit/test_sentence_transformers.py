"""sentence-transformers' files beside trained weights: written, and read back as they were meant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from ftctl.artifacts.sentence_transformers import (
    clear_truncation,
    describe,
    embedder_files,
    reranker_files,
    write_files,
    yes_token,
)
from ftctl.errors import FtctlError
from ftctl.facts.retrieval_model import retrieval_facts
from ftctl.plan.model import RetrievalPlan

EMBEDDER = RetrievalPlan(
    "encoder-only-base", "full", 8, 64, 256, 0.02, "mean", True, "query: ", "passage: ", False, False
)
RERANKER = replace(EMBEDDER, temperature=None, pooling=None, normalize=None)
SCORER = replace(RERANKER, variant="decoder-only-base")


@pytest.mark.parametrize("pooling", ["cls", "mean", "last_token"])
@pytest.mark.parametrize("normalize", [True, False])
def test_what_is_written_is_what_is_read(tmp_path: Path, pooling: str, normalize: bool) -> None:
    write_files(tmp_path, embedder_files(replace(EMBEDDER, pooling=pooling, normalize=normalize), 384))
    read = retrieval_facts(tmp_path, {})
    assert (read.pooling, read.normalize, read.length) == (pooling, normalize, 256)
    assert (read.query_prompt, read.passage_prompt, read.query_suffix) == ("query: ", "passage: ", None)
    assert read.others == ()
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []


def test_the_files_of_an_embedder_whole() -> None:
    files = {path: json.loads(text) for path, text in embedder_files(EMBEDDER, 384).items()}
    assert files == {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": 384,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_lasttoken": False,
            "include_prompt": True,
        },
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "model_type": "SentenceTransformer",
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
        },
    }


def test_an_in_context_learners_queries_have_an_end(tmp_path: Path) -> None:
    write_files(tmp_path, embedder_files(replace(EMBEDDER, variant="decoder-only-icl"), 8))
    assert retrieval_facts(tmp_path, {}).query_suffix == "\nResponse:"


def test_a_reranker_that_is_a_language_model_says_which_logit_is_its_score(tmp_path: Path) -> None:
    write_files(tmp_path, reranker_files(SCORER, 9454))
    assert json.loads((tmp_path / "1_LogitScore" / "config.json").read_text())["true_token_id"] == 9454
    read = retrieval_facts(tmp_path, {})
    assert (read.others, read.length) == (("LogitScore",), None)
    assert "modules.json" not in reranker_files(RERANKER, None)


def model_folder(folder: Path) -> Path:
    """A folder with a word tokenizer that the training left with a length of its own."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "Yes": 1, "no": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(7)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"hidden_size": 16}))
    return folder


def test_a_folder_is_described_by_its_plan(tmp_path: Path) -> None:
    describe(model_folder(tmp_path), EMBEDDER)
    assert json.loads((tmp_path / "1_Pooling/config.json").read_text())["word_embedding_dimension"] == 16
    assert json.loads((tmp_path / "tokenizer.json").read_text())["truncation"] is None


def test_a_scorer_is_described_with_its_own_token(tmp_path: Path) -> None:
    describe(model_folder(tmp_path), SCORER)
    assert yes_token(tmp_path) == (1, "Yes")
    assert json.loads((tmp_path / "1_LogitScore/config.json").read_text())["true_token_id"] == 1


def test_a_tokenizer_without_a_length_is_left_alone(tmp_path: Path) -> None:
    file = model_folder(tmp_path) / "tokenizer.json"
    clear_truncation(tmp_path)
    cleared = file.stat()
    clear_truncation(tmp_path)
    assert file.stat().st_mtime_ns == cleared.st_mtime_ns


def test_what_cannot_be_described_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FtctlError, match="no hidden_size"):
        describe(tmp_path, EMBEDDER)
    with pytest.raises(FtctlError, match=r"no tokenizer\.json"):
        describe(tmp_path, SCORER)
    with pytest.raises(ValueError, match="no pooling"):
        embedder_files(replace(EMBEDDER, pooling="max"), 8)
