"""Rows for embedders and rerankers: every kind that FlagEmbedding fails on or reads wrongly is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftctl.facts.datasets import Survey, survey
from ftctl.facts.retrieval_pass import Wanted
from ftctl.job.model import Dataset

GOOD: dict[str, Any] = {"query": "q", "pos": ["p"], "neg": ["a", "b"]}
SCORED = {**GOOD, "pos_scores": [1.0], "neg_scores": [0.2, 0]}
EMBEDDING = Wanted("embedding", group=3, instruction="")


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def looked(path: Path, wanted: Wanted = EMBEDDING, **dataset: Any) -> Survey:
    return survey(Dataset(path, **dataset), wanted.task, wanted=wanted)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (["q"], "a row must be an object, this is a list"),
        ({"pos": ["p"], "neg": ["a"]}, 'the query is missing: no "query"'),
        ({**GOOD, "query": None}, '"query" must be text, this is null'),
        ({**GOOD, "query": 5}, '"query" must be text, this is a number'),
        ({**GOOD, "query": " "}, 'the query is empty: no text in "query"'),
        ({"query": "q", "neg": ["a"]}, 'the positives are missing: no "pos"'),
        ({"query": "q", "pos": ["p"]}, 'the negatives are missing: no "neg"'),
        ({**GOOD, "pos": "p"}, '"pos" must be a list of texts, this is a text'),
        ({**GOOD, "neg": None}, '"neg" must be a list of texts, this is null'),
        ({**GOOD, "pos": []}, 'the list "pos" is empty'),
        ({**GOOD, "neg": []}, 'the list "neg" is empty'),
        ({**GOOD, "pos": [["p"]]}, '"pos" must hold texts, number 1 is a list'),
        ({**GOOD, "neg": ["a", None]}, '"neg" must hold texts, number 2 is null'),
        ({**GOOD, "neg": ["a", ""]}, '"neg" has an empty text, number 2'),
        ({**GOOD, "neg": ["a", "p"]}, 'a text stands in "pos" and in "neg": \'p\''),
        ({**GOOD, "prompt": 1}, '"prompt" must be text, this is a number'),
        ({**GOOD, "query": "\ud800"}, "not UTF-8 text: half of a surrogate pair"),
    ],
)
def test_a_bad_row_is_named_with_its_line(row: Any, wrong: str, tmp_path: Path) -> None:
    found = looked(lines(tmp_path / "a.jsonl", [GOOD, row]))
    assert found.facts is None
    [problem] = found.problems
    assert (problem.file, problem.line) == (str(tmp_path / "a.jsonl"), 2)
    assert problem.message.startswith(wrong)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (GOOD, 'the scores for distillation are missing: no "pos_scores"'),
        ({**SCORED, "pos_scores": 1.0}, '"pos_scores" must be a list of numbers, this is a number'),
        ({**SCORED, "pos_scores": ["1"]}, '"pos_scores" must hold numbers, number 1 is a text'),
        ({**SCORED, "pos_scores": [True]}, '"pos_scores" must hold numbers, number 1 is a true or false'),
        ({**SCORED, "neg_scores": [0.1, None]}, '"neg_scores" must hold numbers, number 2 is null'),
        ({**SCORED, "neg_scores": [0.1, float("nan")]}, '"neg_scores" must hold numbers, number 2 is nan'),
        ({**SCORED, "neg_scores": [0.1]}, '"neg_scores" has 1 scores and "neg" has 2 texts'),
        ({**SCORED, "neg_scores": [1, 2, 3]}, '"neg_scores" has 3 scores and "neg" has 2 texts'),
    ],
)
def test_distillation_needs_a_score_for_every_passage(row: Any, wrong: str, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [SCORED, row])
    [problem] = looked(path, Wanted("embedding", distillation=True)).problems
    assert (problem.line, problem.message) == (2, wrong)
    assert not looked(path).problems, "without distillation nobody reads the scores"


def test_the_first_twenty_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    problems = looked(lines(tmp_path / "a.jsonl", [GOOD, *[{**GOOD, "pos": []}] * 25])).problems
    assert [problem.line for problem in problems] == [*range(2, 22), 21]
    assert problems[-1].message == "and 5 more bad rows below"


def test_some_rows_with_a_prompt_are_refused_where_an_instruction_is_set(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{**GOOD, "prompt": "P: "}, GOOD, GOOD])
    [problem] = looked(path, Wanted("embedding", instruction="I: ")).problems
    assert problem.line == 2
    assert problem.message.startswith('2 rows without "prompt" among rows with one')
    found = looked(path)
    assert found.facts is not None and not found.facts.plain
    assert [warning.line for warning in found.warnings if "is ignored" in warning.message] == [1]


def test_a_reranker_reads_another_prompt(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{**GOOD, "query_prompt": "P: "}, GOOD])
    assert looked(path, Wanted("reranker", instruction="I: ")).problems
    assert not looked(path, Wanted("embedding", instruction="I: ")).problems


def test_too_few_negatives_are_a_warning(tmp_path: Path) -> None:
    found = looked(lines(tmp_path / "a.jsonl", [GOOD, {**GOOD, "neg": ["c"]}]))
    [warning] = found.warnings
    assert (warning.line, warning.level) == (2, "warning")
    assert warning.message == "1 row with fewer than 2 negatives (train_group_size 3): some are repeated"


def test_rows_to_evaluate_on_need_no_negatives(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"query": "q", "pos": ["p"]}, {**GOOD, "neg": []}])
    assert not looked(path, Wanted("embedding", held_out=True)).problems


def test_rows_that_repeat_are_a_warning(tmp_path: Path) -> None:
    found = looked(lines(tmp_path / "a.jsonl", [GOOD, {**GOOD, "query": "r"}, GOOD]))
    assert "line 3 is line 1" in found.warnings[0].message
    assert found.facts is not None and found.facts.duplicates == 1


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("array", [True, False])
def test_an_array_and_a_byte_order_mark_are_read(array: bool, mark: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = json.dumps([GOOD, GOOD]) if array else json.dumps(GOOD) + "\n\n" + json.dumps(GOOD)
    path.write_text(mark + text, encoding="utf-8")
    facts = looked(path).facts
    assert facts is not None and (facts.rows, facts.format, facts.plain) == (2, "retrieval", True)


def test_broken_bytes_and_broken_json_have_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"query": "\xff"}\n{"query": \n')
    found = [(problem.line, problem.message) for problem in looked(path).problems]
    assert found[0] == (2, "not UTF-8 text")
    assert found[1][0] == 3 and found[1][1].startswith("not valid JSON")


def test_columns_that_the_engine_might_not_read_alike_need_a_conversion(tmp_path: Path) -> None:
    facts = looked(lines(tmp_path / "a.jsonl", [GOOD, {**GOOD, "id": 1}])).facts
    assert facts is not None and not facts.plain
    path = lines(tmp_path / "b.jsonl", [{"anchor": "q", "positives": ["p"], "negatives": ["n"]}])
    facts = looked(path).facts
    assert facts is not None and not facts.plain
    assert facts.columns == {"query": "anchor", "pos": "positives", "neg": "negatives"}


@pytest.mark.parametrize(
    ("head", "row", "name", "examples"),
    [
        ("query,positive,negative", "q,p,n", "triplet", 1),
        ("anchor,positive", "q,p", "triplet", 1),
        ("question,answer,neg_1,neg_2", "q,p,n,", "triplet", 1),
        ("query,passage,label", "q,p,1", "pair", 1),
        ("sentence1,sentence2,score", "q,p,0\nq,o,1", "pair", 1),
    ],
)
def test_tables_are_told_apart_by_their_columns(
    head: str, row: str, name: str, examples: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{head}\n{row}\n")
    facts = survey(Dataset(path), "embedding", wanted=EMBEDDING).facts
    assert facts is not None and (facts.format, facts.plain, facts.examples) == (name, False, examples)


def test_a_text_that_pandas_reads_as_no_value_is_a_text_here(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("query,positive\nNA,null\n")
    assert not survey(Dataset(path), "embedding", wanted=EMBEDDING).problems


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"query": "q", "positive": 1, "negative": "n"}, '"positive" must be text, this is a number'),
        ({"query": "q", "positive": "", "negative": "n"}, 'the positive is empty: no text in "positive"'),
        ({"query": "q", "positive": "p", "negative": "p"}, "the positive is a negative too: 'p'"),
        ({"query": "q", "positive": "p", "negative": ["n", 3]}, '"negative" must hold texts, number 2'),
    ],
)
def test_a_bad_triplet_is_named(row: Any, wrong: str, tmp_path: Path) -> None:
    first = {"query": "q", "positive": "p", "negative": "n"}
    [problem] = looked(lines(tmp_path / "a.jsonl", [first, row]), format="triplet").problems
    assert problem.line == 2 and problem.message.startswith(wrong)


@pytest.mark.parametrize(
    ("label", "wrong"),
    [
        (None, 'the label is missing: no value in "label"'),
        ("yes", "\"label\" must be a number, this is 'yes'"),
        ([1], '"label" must be a number, this is a list'),
        (0.4, '"label" is 0.4 and not 0 or 1; set the threshold'),
    ],
)
def test_a_bad_label_is_named(label: Any, wrong: str, tmp_path: Path) -> None:
    rows = [{"query": "q", "passage": "p", "label": 1}, {"query": "q", "passage": "o", "label": label}]
    [problem] = looked(lines(tmp_path / "a.jsonl", rows)).problems
    assert problem.line == 2 and problem.message.startswith(wrong)


def test_queries_of_pairs_without_a_side_are_named(tmp_path: Path) -> None:
    pairs = [("q", "p", 0.9), ("q", "n", 0.1), ("r", "p", 0.2), ("s", "p", 0.8)]
    rows = [{"query": query, "text": text, "score": score} for query, text, score in pairs]
    found = looked(lines(tmp_path / "a.jsonl", rows), threshold=0.5)
    assert found.facts is not None and found.facts.examples == 2
    first, second = sorted(found.warnings)
    assert (first.line, first.message) == (3, "1 query without a positive left out, first on line 3")
    assert second.line == 4 and second.message.startswith("1 query without a negative, first on line 4")


def test_files_alone_are_known_by_their_rows(tmp_path: Path) -> None:
    facts = survey(Dataset(lines(tmp_path / "a.jsonl", [GOOD])), None).facts
    assert facts is not None and facts.format == "retrieval"
    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    [problem] = looked(lines(tmp_path / "b.jsonl", [chat])).problems
    assert problem.message == "the first row has no format that is known: it has 'messages'"
