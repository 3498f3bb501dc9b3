"""Conversion into query, pos and neg: grouped, a share held out by query, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftctl.data.convert import How, Source, convert
from ftctl.data.negatives import Pool
from ftctl.errors import FtctlError
from ftctl.job.model import Dataset
from tests.conftest import Cli


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def many(path: Path, queries: int = 50) -> Path:
    """Each query twice, in two rows, its second one with spaces around it."""
    lines = [f"{pad}q{n}{pad},p{n}{pad},n{n}\n" for pad in ("", " ") for n in range(queries)]
    return write(path, "query,positive,negative\n" + "".join(lines))


def test_triplets_are_grouped_by_query_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "anchor,positive,negative\nq,p,n\nr,s,n\nq,o,n\nq,p,m\n")
    [found] = convert([Source(Dataset(path), tmp_path / "o.jsonl")], How())
    assert rows_of(tmp_path / "o.jsonl") == [
        {"query": "q", "pos": ["p", "o"], "neg": ["n", "m"]},
        {"query": "r", "pos": ["s"], "neg": ["n"]},
    ]
    assert (found.format, found.rows, found.drawn) == ("triplet", 2, 0)


def test_pairs_are_sorted_by_their_label(tmp_path: Path) -> None:
    text = "q,p,0.9\nq,n,0.1\nq,p,0.2\nr,s,0.8\nu,v,0.1\n"
    path = write(tmp_path / "a.csv", "query,passage,score\n" + text)
    dataset = Dataset(path, threshold=0.5)
    [found] = convert([Source(dataset, tmp_path / "o.jsonl")], How(negatives=3))
    assert rows_of(tmp_path / "o.jsonl") == [
        {"query": "q", "pos": ["p"], "neg": ["n"]},
        {"query": "r", "pos": ["s"], "neg": ["p"]},
    ]
    assert (found.without_positive, found.contradictions, found.drawn) == (1, 1, 1)


def test_parquet_and_mapped_columns(tmp_path: Path) -> None:
    table = pyarrow.table({"frage": ["q"], "gut": ["p"], "schlecht": [["n", "m"]]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    columns = {"query": "frage", "positive": "gut", "negative": "schlecht"}
    convert([Source(Dataset(tmp_path / "a.parquet", columns=columns), tmp_path / "o.jsonl")], How())
    assert rows_of(tmp_path / "o.jsonl") == [{"query": "q", "pos": ["p"], "neg": ["n", "m"]}]


def test_no_query_is_on_both_sides_of_any_file(tmp_path: Path) -> None:
    first, second = many(tmp_path / "a.csv"), many(tmp_path / "b.csv", 20)
    sources = [
        Source(Dataset(path), tmp_path / f"{path.stem}.jsonl", tmp_path / f"{path.stem}_eval.jsonl")
        for path in (first, second)
    ]
    written = convert(sources, How(share=0.2))
    kept = {row["query"].strip() for name in "ab" for row in rows_of(tmp_path / f"{name}.jsonl")}
    held = {row["query"].strip() for name in "ab" for row in rows_of(tmp_path / f"{name}_eval.jsonl")}
    assert not kept & held
    assert (len(kept), len(held)) == (40, 10)
    assert written[0].held_out == 20  # each query with and without spaces


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    path, texts = many(tmp_path / "a.csv"), []
    for seed in (1, 1, 2):
        convert([Source(Dataset(path), tmp_path / "o", tmp_path / "e")], How(share=5, seed=seed))
        texts.append((tmp_path / "e").read_text())
    assert texts[0] == texts[1] != texts[2]
    assert sorted(child.name for child in tmp_path.iterdir()) == ["a.csv", "e", "o"]


def test_rows_keep_what_the_engine_reads_and_nothing_else(tmp_path: Path) -> None:
    row = {"id": 1, "query": "q", "pos": ["p"], "neg": ["n"], "prompt": "P", "type": "t"}
    path = write(tmp_path / "a.jsonl", json.dumps({**row, "pos_scores": [1], "neg_scores": [0]}) + "\n")
    for how, more in (
        (How(), {}),
        (How(prompts=True), {"prompt": "P"}),
        (How(scores=True), {"pos_scores": [1.0], "neg_scores": [0.0]}),
    ):
        convert([Source(Dataset(path), tmp_path / "o")], how)
        assert rows_of(tmp_path / "o") == [{"query": "q", "pos": ["p"], "neg": ["n"], "type": "t", **more}]


def test_the_row_limit_is_kept(tmp_path: Path) -> None:
    convert([Source(Dataset(many(tmp_path / "a.csv"), max_samples=3), tmp_path / "o")], How())
    assert len(rows_of(tmp_path / "o")) == 3


@pytest.mark.parametrize(
    ("text", "how", "wrong"),
    [
        ("query,positive\nq,p\nr,\n", How(), "a.csv:3: "),
        ("query,positive\nq,p\n", How(), "there is no other query"),
        ("query,positive\nq,p\nr,s\n", How(share=2), "of 2 queries 2 are to be held out"),
        ("query,passage,label\nq,p,0\n", How(), "no query with a positive is left"),
        ("query,positive\n", How(), "the file has no rows"),
        ("a,b\n1,2\n", How(), "the first row has no format that is known"),
    ],
)
def test_what_cannot_be_converted_leaves_nothing(text: str, how: How, wrong: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(FtctlError, match=wrong):
        convert([Source(Dataset(path), tmp_path / "o", tmp_path / "e")], how)
    assert [child.name for child in tmp_path.iterdir()] == ["a.csv"]


def test_negatives_are_drawn_from_other_queries_alone() -> None:
    pool = Pool(7)
    for number in range(300):
        pool.see(f"q{number}", [f"p{number}", "shared"])
    drawn = pool.draw("q1", ["p1", "shared"], 5)
    assert len(set(drawn)) == 5 and not {"p1", "shared"} & set(drawn)
    assert drawn == pool.draw("q1", ["p1", "shared"], 5) != pool.draw("q2", ["p2", "shared"], 5)


def test_the_verb_converts_and_splits(ftctl: Cli) -> None:
    path = many(ftctl.cwd / "a.csv")
    answer = ftctl(
        "data", "convert", path, "--to", "o.jsonl", "--eval", "0.1", "--eval-to", "e.jsonl", "--json", code=0
    )
    [file] = answer.data["files"]
    assert (file["rows"], file["held_out"], answer.data["how"]["seed"]) == (90, 10, 42)
    ftctl("data", "check", "o.jsonl", "e.jsonl", code=0)
    assert "belong together" in ftctl("data", "convert", path, "--to", "x", "--eval", "0.1", code=2).err
