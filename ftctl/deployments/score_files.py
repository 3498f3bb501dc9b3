"""The files that a server needs to score by a language model, made from the model's own tokenizer."""

from __future__ import annotations

from pathlib import Path

from ftctl.artifacts.reading import read_text
from ftctl.artifacts.sentence_transformers import yes_token
from ftctl.errors import FtctlError
from ftctl.plan.model import ServePlan
from ftctl.servers.vllm_pooling import TEMPLATE, TOKENIZER
from ftctl.servers.vllm_score import begin_token, score_template, score_tokenizer, tokenizer_config

COPIED = ("config.json", "special_tokens_map.json")


def score_files(model: Path, plan: ServePlan) -> tuple[dict[str, str], str]:
    """The template and tokenizer of a reranker that is a language model, and the token that it scores by.

    The files are named as they lie in the deployment's folder. Raises FtctlError where the model has no
    tokenizer.json, UsageError where its tokenizer cannot be used.
    """
    texts = {name: _read(model / name) for name in ("tokenizer.json", "tokenizer_config.json")}
    query, passage = plan.query_prompt or "", plan.passage_prompt or ""
    files = {
        TEMPLATE: score_template(begin_token(texts["tokenizer_config.json"]), query, passage),
        f"{TOKENIZER}/tokenizer.json": score_tokenizer(texts["tokenizer.json"]),
        f"{TOKENIZER}/tokenizer_config.json": tokenizer_config(texts["tokenizer_config.json"]),
    }
    own = [name for name in COPIED if (model / name).is_file()]
    return files | {f"{TOKENIZER}/{name}": _read(model / name) for name in own}, yes_token(model)[1]


def check_tokenizer(model: Path) -> None:
    """Whether a model can be served as such a reranker, asked before it is trained.

    Raises UsageError where its tokenizer cannot be used, FtctlError where it has none.
    """
    score_tokenizer(_read(model / "tokenizer.json"))


def _read(file: Path) -> str:
    try:
        return read_text(file)
    except FileNotFoundError:
        raise FtctlError(f"{file} is missing", "save the model with its fast tokenizer") from None
    except ValueError as error:
        raise FtctlError(f"{file}: {error}", "copy or download the model again") from None
