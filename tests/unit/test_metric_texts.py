"""How texts are made alike, and which rows an evaluation has: the parts that need no library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.inside.metrics.refused import Refused
from ftctl.inside.metrics.rows import Evaluation
from ftctl.inside.metrics.texts import NORMALISATIONS, normaliser, squad, tokenizer
from ftctl.judge.metric import NORMALISATIONS as DESCRIBED


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("A man, a plan.", "man plan"),
        ("theatre", "theatre"),
        ("it's", "its"),
        ("", ""),
    ],
)
def test_squads_normalisation(text: str, normal: str) -> None:
    assert squad(text) == normal


def test_normalisations_are_those_of_the_table_and_go_one_after_the_other() -> None:
    assert NORMALISATIONS.keys() == DESCRIBED.keys()
    assert normaliser(["nfkc", "casefold", "strip"])(" ＡＢ ß\n") == "ab ss"
    assert normaliser(["none"])(" a ") == " a "


def test_tokens_by_blanks_and_of_ascii(tmp_path: Path) -> None:
    assert tokenizer("whitespace", tmp_path)("The cat, sat") == ["cat", "sat"]
    assert tokenizer("ascii", tmp_path)("C'est déjà 2.5") == ["c", "est", "d", "j", "2", "5"]


def lines(path: Path, *rows: object, end: str = "") -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + end)


def test_the_last_line_of_an_id_counts_and_the_questions_give_the_order(tmp_path: Path) -> None:
    ask = [
        {"id": f"t:{n}", "messages": [{"role": "user", "content": str(n)}], "reference": str(n)}
        for n in range(3)
    ]
    lines(tmp_path / "questions.jsonl", *ask)
    lines(
        tmp_path / "predictions.jsonl",
        {"id": "t:1", "prediction": None, "error": "500"},
        {"id": "t:0", "prediction": "zero", "error": None},
        {"id": "t:1", "prediction": "one", "error": None},
        end='{"id": "t:2", "predic',
    )
    rows = list(Evaluation(tmp_path))
    assert [(row.id, row.text, row.error) for row in rows] == [
        ("t:0", "zero", None),
        ("t:1", "one", None),
        ("t:2", "", "it was not asked"),
    ]
    assert [row.answered for row in rows] == [True, True, False]
    assert [row.reference for row in rows] == ["0", "1", "2"]


def test_an_error_and_an_empty_text_are_no_answers(tmp_path: Path) -> None:
    lines(
        tmp_path / "predictions.jsonl",
        {"id": "b", "prediction": " \n", "reference": "x"},
        {"id": "a", "prediction": "half of it", "reference": "x", "error": "it broke off"},
    )
    rows = list(Evaluation(tmp_path))
    assert [row.id for row in rows] == ["a", "b"], "without questions they are in order"
    assert not any(row.answered for row in rows)


def test_a_broken_line_in_the_middle_is_told(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text('{"id": "a"}\nnonsense\n{"id": "b"}\n')
    with pytest.raises(Refused, match=r"predictions\.jsonl:2: this is no row"):
        Evaluation(tmp_path)
