"""Hard negatives mined by a real embedder, all-MiniLM-L6-v2."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer, Cli

pytestmark = pytest.mark.engine

TOPICS = {
    "cats": "A cat purrs, sleeps and hunts mice.",
    "dogs": "A dog barks and fetches sticks.",
    "taxes": "Income tax is due in April.",
    "boats": "A boat floats on water.",
    "bread": "Bread is baked from flour.",
    "chess": "Chess is played on a board.",
}
ROWS = [
    {"query": f"Tell me about {name}, part {part}.", "pos": [f"{text} ({part})"], "neg": []}
    for name, text in TOPICS.items()
    for part in range(2)
]
NEAREST = ("--negatives", "3", "--relative-margin", "0")


def mine(cli: Cli, python: Path, model: Path, *more: str, code: int = 0) -> Answer:
    (cli.cwd / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    env = {"FTCTL_FLAGEMBEDDING_PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    arguments = ["data", "mine", "a.jsonl", "--model", str(model), "--json", *more]
    return cli(*arguments, env=env, timeout=240, code=code)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def nearest(
    tmp_path_factory: pytest.TempPathFactory, flagembedding_python: Path, minilm: Path
) -> tuple[Answer, Path]:
    """The three nearest passages to every query, and the folder where they were mined."""
    home, work = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("work")
    return mine(Cli(home, work), flagembedding_python, minilm, *NEAREST), work


def test_the_nearest_passages_are_mined_and_no_positive(nearest: tuple[Answer, Path]) -> None:
    answer, folder = nearest
    assert (answer.data["rows"], answer.data["mined"], answer.data["short"]) == (12, 36, 0)
    found = rows(folder / "a.mined.jsonl")
    for row, other in zip(found, ROWS, strict=True):
        assert row["query"] == other["query"] and len(set(row["neg"])) == 3
        assert not set(row["pos"]) & set(row["neg"])
    # The other part of the same topic is the nearest that is no positive.
    assert sum(row["neg"][0][:-4] == row["pos"][0][:-4] for row in found) >= 10
    assert "embedding passages" in answer.err
    assert sorted(path.name for path in folder.iterdir()) == ["a.jsonl", "a.mined.jsonl"]


def test_the_seed_decides_what_is_sampled_and_the_corpus_where_from(
    ftctl: Cli, flagembedding_python: Path, minilm: Path
) -> None:
    (ftctl.cwd / "corpus.txt").write_text("".join(f"Passage {n} about {n % 7} cats.\n" for n in range(40)))
    more = ("--negatives", "2", "--range", "2:20", "--sampling", "random", "--corpus", "corpus.txt")
    texts = []
    for name, seed in (("b.jsonl", "1"), ("c.jsonl", "1"), ("d.jsonl", "2")):
        mine(
            ftctl,
            flagembedding_python,
            minilm,
            *more,
            "--out",
            name,
            "--seed",
            seed,
            "--relative-margin",
            "0",
        )
        texts.append((ftctl.cwd / name).read_text())
    assert texts[0] == texts[1] != texts[2]
    positives = {text for row in ROWS for text in row["pos"]}
    known = {line.strip() for line in (ftctl.cwd / "corpus.txt").read_text().splitlines()} | positives
    assert {text for row in rows(ftctl.cwd / "b.jsonl") for text in row["neg"]} <= known


def test_a_folder_that_does_not_say_its_pooling_is_refused_until_told(
    ftctl: Cli, flagembedding_python: Path, minilm: Path, nearest: tuple[Answer, Path]
) -> None:
    raw = ftctl.cwd / "raw"
    raw.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(minilm / name, raw)
    os.link(minilm / "model.safetensors", raw / "model.safetensors")
    refused = mine(ftctl, flagembedding_python, raw, code=2)
    assert "it has no modules.json" in refused.out + refused.err
    mine(ftctl, flagembedding_python, raw, *NEAREST, "--pooling", "mean", "--out", "told.jsonl")
    assert rows(ftctl.cwd / "told.jsonl") == rows(nearest[1] / "a.mined.jsonl")


def test_what_fails_in_the_engine_leaves_no_file(
    ftctl: Cli, flagembedding_python: Path, minilm: Path
) -> None:
    broken = ftctl.cwd / "broken"
    shutil.copytree(minilm, broken)
    (broken / "config.json").write_text("{}")
    answer = mine(ftctl, flagembedding_python, broken, code=1)
    assert "mining failed with exit code 1" in answer.out + answer.err
    assert not [path for path in ftctl.cwd.iterdir() if "mined" in path.name or "mining" in path.name]
