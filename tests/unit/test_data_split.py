"""A split is the same for the same seed, in proportion for every group, and whole or not there."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from ftctl.data.split import assign, ratios_of, split
from ftctl.errors import FtctlError, UsageError
from tests.conftest import Cli

TENTHS = ratios_of("80/10/10")


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, sources: str) -> Path:
    rows = [
        {"instruction": f"q{n} 数据", "output": "a", "source": source} for n, source in enumerate(sources)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_parts_hold_every_row_once_in_order(tmp_path: Path) -> None:
    source = write(tmp_path / "all.jsonl", "x" * 100)
    counts = split([source], TENTHS, 1, tmp_path / "parts")
    assert [path.name for path in counts] == ["train.jsonl", "eval.jsonl", "test.jsonl"]
    assert list(counts.values()) == [80, 10, 10]
    parts = [rows_of(path) for path in counts]
    whole = rows_of(source)
    assert sorted((row for part in parts for row in part), key=whole.index) == whole
    assert all(part == sorted(part, key=whole.index) for part in parts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.jsonl", "parts"]


def test_a_seed_decides(tmp_path: Path) -> None:
    source = write(tmp_path / "all.jsonl", "x" * 60)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        split([source], TENTHS, seed, tmp_path / name)
    a, b, c = ((tmp_path / name / "test.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_every_group_is_split_alike(tmp_path: Path) -> None:
    source = write(tmp_path / "all.jsonl", "a" * 50 + "b" * 30 + "c" * 20)
    counts = split([source], TENTHS, 3, tmp_path / "parts", by="source")
    held = [Counter(row["source"] for row in rows_of(path)) for path in counts]
    assert held == [{"a": 40, "b": 24, "c": 16}, {"a": 5, "b": 3, "c": 2}, {"a": 5, "b": 3, "c": 2}]


def test_files_are_groups(tmp_path: Path) -> None:
    table = tmp_path / "b.csv"
    table.write_text("instruction,output\n" + "".join(f"q{n},csv\n" for n in range(20)))
    counts = split([write(tmp_path / "a.jsonl", "x" * 10), table], ratios_of("50/50"), 3, tmp_path / "parts")
    held = [Counter(row["output"] for row in rows_of(path)) for path in counts]
    assert held == [{"a": 5, "csv": 10}] * 2


@pytest.mark.parametrize("sizes", [(1,) * 50, (3, 4, 9, 1, 1), (1, 99), (2,)])
def test_small_groups_do_not_shift_the_ratios(sizes: tuple[int, ...]) -> None:
    start, groups = 0, {}
    for number, size in enumerate(sizes):
        groups[str(number)] = array("I", range(start, start + size))
        start += size
    counts = Counter(assign(groups, TENTHS, 0))
    for part, ratio in enumerate(TENTHS):
        assert abs(counts[part] - start * ratio) < 1, counts


@pytest.mark.parametrize("text", ["80", "80/20/0", "a/b", "50/-1", "1/2/3/4", "", "1/0/1"])
def test_ratios_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="no ratios"):
        ratios_of(text)


def test_ratios() -> None:
    assert ratios_of("9/1") == (Fraction(9, 10), Fraction(1, 10))
    assert ratios_of("0.8/0.1/0.1") == TENTHS


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    source = write(tmp_path / "all.jsonl", "xyz")
    (tmp_path / "parts").mkdir()
    with pytest.raises(UsageError, match="it is there already"):
        split([source], TENTHS, 1, tmp_path / "parts")
    assert list((tmp_path / "parts").iterdir()) == []


def test_nothing_is_left_of_a_split_that_fails(tmp_path: Path) -> None:
    source = write(tmp_path / "all.jsonl", "xyz")
    with pytest.raises(UsageError, match="this row has no colour"):
        split([source], TENTHS, 1, tmp_path / "parts", by="colour")
    source.write_text(source.read_text() + "{broken\n")
    with pytest.raises(FtctlError, match=r"all.jsonl:4: not valid JSON"):
        split([source], TENTHS, 1, tmp_path / "parts")
    source.write_text("")
    with pytest.raises(UsageError, match="there are no rows"):
        split([source], TENTHS, 1, tmp_path / "parts")
    with pytest.raises(UsageError, match="there is no such file"):
        split([tmp_path / "gone"], TENTHS, 1, tmp_path / "parts")
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_on_the_command_line(ftctl: Cli) -> None:
    write(ftctl.cwd / "all.jsonl", "ab" * 10)
    answer = ftctl("data", "split", "all.jsonl", "-o", "out", "--ratios", "90/10", "--by", "source", code=0)
    assert answer.out == "out/train.jsonl: 18 rows\nout/eval.jsonl: 2 rows\n"
    again = ftctl("data", "split", "all.jsonl", "-o", "out", code=2)
    assert "out: it is there already" in again.err
