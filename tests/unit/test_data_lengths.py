"""Lengths in tokens are those of the model's own tokenizer, however they are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.data.cut import Suspects
from ftctl.data.lengths import ENOUGH, Measure, spread
from ftctl.data.tokens import TRIED, Counter, tokenizer_of
from ftctl.errors import UsageError
from tests.tokenizer_files import plain_count, write_tokenizer

TEXTS = [
    "Training and serving drift apart.",
    "",
    "two  spaces, a tab\tand\n\n\nlines \n end ",
    " begins with one",
    "数据 一 二 mixed: 3.14 x=1;",
    "a" * 100 + " " + "b" * 50,
    "emoji 😀 and \u00a0 no-break",
]


@pytest.mark.parametrize("by_words", [True, False])
def test_counts_are_the_librarys_own(tmp_path: Path, by_words: bool) -> None:
    folder = write_tokenizer(tmp_path, by_words=by_words)
    counter = Counter(tokenizer_of(folder))
    texts = TEXTS * 40
    counted = counter.count(texts[:50]) + counter.count(texts[50:])
    assert counted == [plain_count(folder, text) for text in TEXTS] * 40
    assert len(texts) > TRIED and counter.by_words is by_words


@pytest.mark.parametrize("text", [None, "{}", "not json"])
def test_a_folder_without_a_tokenizer(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        tokenizer_of(tmp_path)
    assert str(tmp_path) in caught.value.message and caught.value.remedy


def test_the_spread_of_lengths() -> None:
    lengths = spread(list(range(1, 101)), 100, 90)
    assert lengths.percentiles == {50: 50, 90: 90, 95: 95, 99: 99, 100: 100}
    assert (lengths.tokens, lengths.cut, lengths.sampled) == (5050, 0.1, False)
    assert spread([7], 1, None).percentiles[50] == 7
    assert spread([], 0, 5).percentiles == {}


def test_a_large_file_is_sampled_and_says_so(tmp_path: Path) -> None:
    counter = Counter(tokenizer_of(write_tokenizer(tmp_path)))
    measure = Measure(counter, 10 * ENOUGH)
    whole = Measure(counter, 10)
    for _ in range(2000):
        measure.add(["Training and serving", "drift apart."])
        whole.add(["Training and serving", "drift apart."])
    sampled, all_of_them = measure.lengths(1), whole.lengths()
    assert sampled.sampled and 100 < sampled.counted < 400 and sampled.rows == 2000
    assert not all_of_them.sampled and sampled.tokens == all_of_them.tokens
    assert sampled.cut == 1.0 and all_of_them.cut is None


def test_rows_that_a_maximum_cuts(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path)
    text = "serving " * 50
    length = plain_count(folder, text)
    suspects = Suspects(length - 1)
    for number in range(40):
        suspects.see([text if number % 4 == 0 else "short"])
    said = suspects.warning(folder)
    assert said == f"10 of 40 rows (25 %) are longer than its {length - 1} tokens and will be cut"
    enough = Suspects(length)
    enough.see([text])
    assert enough.found == 1 and enough.warning(folder) == ""


def test_short_rows_need_no_tokenizer(tmp_path: Path) -> None:
    suspects = Suspects(20)
    suspects.see(["x" * 20])
    assert suspects.warning(tmp_path / "nothing here") == ""
    suspects.see(["中" * 7])
    assert suspects.found == 1


def test_many_long_rows_are_sampled(tmp_path: Path) -> None:
    suspects = Suspects(10)
    for _ in range(1000):
        suspects.see([json.dumps("x y " * 40)])
    said = suspects.warning(write_tokenizer(tmp_path))
    assert said.startswith("about, by 300 of the 1000 longest, 1000 of 1000 rows (100 %)")
