"""YAML 1.2's core rules and the bounds, with libyaml and without it."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest

from ftctl.errors import JobError, Problem
from ftctl.job.node import dotted, place_of, value_place, values, walk
from ftctl.job.yaml12 import compose
from ftctl.job.yaml_text import MAX_BYTES, decode

PARSERS: tuple[Literal["c", "pure"], ...] = ("c", "pure")
Parser = Literal["c", "pure"]
both = pytest.mark.parametrize("parser", PARSERS)


def read(text: str, parser: Parser) -> tuple[Any, tuple[Problem, ...]]:
    """The plain values of a text and its problems; the problems alone where it is refused."""
    try:
        node, problems = compose(text, "job.yaml", parser=parser)
    except JobError as error:
        return None, error.problems
    return (None if node is None else values(node)), problems


@both
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("2.5e+3", 2500.0), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("-0.1", -0.1), ("+3", 3),
        ("017", 17), ("0o17", 15), ("0x1F", 31), ("-12", -12), ("1_000", "1_000"), ("0b11", "0b11"),
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"), ("12:30", "12:30"),
        ("1:2:3", "1:2:3"), ("2024-01-01", "2024-01-01"), ("true", True), ("TRUE", True), ("False", False),
        ("tRue", "tRue"), ("null", None), ("~", None), ("Null", None), ("", None), (".inf", math.inf),
        ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"), ("1e", "1e"), ("e5", "e5"), ("-", "-"),
        ("=", "="), ("1.2.3", "1.2.3"), ("'1'", "1"), ('"true"', "true"), ("!!str 5", "5"), ("! 5", "5"),
        ("!!float 5", 5.0), ("!!int '7'", 7), ("!!null ''", None), ("!!bool 'true'", True), ("٣", "٣"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object, parser: Parser) -> None:
    if text == "-":
        text = "'-'"
    document, problems = read(f"key: {text}\n", parser)
    assert problems == ()
    assert document == {"key": value}
    assert type(document["key"]) is type(value)


@both
def test_not_a_number_is_a_float(parser: Parser) -> None:
    document, _ = read("a: .nan", parser)
    assert math.isnan(document["a"])


@both
def test_block_scalars_anchors_and_flow(parser: Parser) -> None:
    text = "a: &x [1, {b: c}]\nd: *x\ne: |\n  1\n  2\nf: >-\n  3\n"
    document, problems = read(text, parser)
    assert problems == ()
    assert document == {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}], "e": "1\n2\n", "f": "3"}


@both
def test_places_of_keys_and_values(parser: Parser) -> None:
    root, _ = compose("数据:\n  - x: 'é'  # 注\n    y: 2\nz: {w: 3}\n", "job.yaml", parser=parser)
    assert root is not None
    keys = {dotted(path): place_of(root, path) for path, _ in walk(root)}
    found = {dotted(path): value_place(root, path) for path, _ in walk(root)}
    assert {key: (place.line, place.column) for key, place in keys.items()} == {
        "": (1, 1), "数据": (1, 1), "数据[0]": (2, 5), "数据[0].x": (2, 5), "数据[0].y": (3, 5),
        "z": (4, 1), "z.w": (4, 5),
    }  # fmt: skip
    assert (found["数据[0].x"].line, found["数据[0].x"].column) == (2, 8)
    assert (found["z"].line, found["z"].column) == (4, 1)
    assert place_of(root, ("z", "missing")) == keys["z"]


def test_an_alias_has_the_place_where_it_stands() -> None:
    root, _ = compose("a: &x 1\nb: *x\n", "job.yaml")
    assert root is not None
    assert value_place(root, ("b",)).line == 2


@both
@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "line 1, column 1"),
        ("a: 1\n2: 3\n", 2, "keys are text"),
        ("a: {x: 1}\nb:\n  <<: {}\n", 3, "merge keys"),
        ("a: 1\n---\nb: 1\n", 2, "second document"),
        ("a: !!python/name:os.system x\n", 1, "!!python/name:os.system is not known"),
        ("a: !!binary aGk=\n", 1, "!!binary is not known"),
        ("a: !!int x\n", 1, "not what its tag"),
        ("a: !!float true\n", 1, "not what its tag"),
        ("a: *b\n", 1, "no anchor"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("a:\n\t- b\n", 2, "a tab"),
        ("a: 'b\n", 2, "not YAML"),
        ("a: [b\n", 2, "not YAML"),
        ("%YAML 3.0\n---\na: 1\n", 1, "not YAML"),
        ("a: " + "9" * 5000 + "\n", 1, "5000 digits"),
    ],
)
def test_refused(text: str, line: int, says: str, parser: Parser) -> None:
    _, problems = read(text, parser)
    assert len(problems) == 1
    assert says in str(problems[0])
    assert problems[0].line == line
    assert problems[0].column > 0


def test_both_parsers_say_the_same() -> None:
    texts = [
        "a: b: c",
        "a: [1",
        "a: {b: 1",
        "@",
        "a: %x",
        "'",
        "- a\nb: c",
        "a: |x",
        "&",
        "*",
        "? [",
        "a: !<x",
    ]
    for text in texts:
        assert read(text, "c") == read(text, "pure"), text


@both
@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "{a: " * 5000,
        "? " * 5000,
        "- " * 5000,
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100)),
        "a: [" + "1," * 120_000 + "]",
    ],
    ids=["lists", "mappings", "keys", "block", "bomb", "alias depth", "nodes"],
)
def test_bounds(text: str, parser: Parser) -> None:
    _, problems = read(text, parser)
    assert len(problems) == 1
    assert "deeper" in str(problems[0]) or "more than" in str(problems[0])


@pytest.mark.parametrize(
    ("data", "place", "says"),
    [
        (b"a: 1\nb: \xff\n", (2, 4), "not UTF-8"),
        ("a: é\n".encode("latin-1"), (1, 4), "not UTF-8"),
        ("a: 1".encode("utf-16"), (1, 1), "not UTF-8"),
        (b"a: 1\n\n  \x00", (3, 3), "U+0000"),
        (b"a: \x1b[31m", (1, 4), "U+001B"),
        (b"#" * (MAX_BYTES + 1), (0, 0), "more than 1 MiB"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, place: tuple[int, int], says: str) -> None:
    with pytest.raises(JobError) as caught:
        decode(data, "job.yaml")
    (problem,) = caught.value.problems
    assert says in problem.message
    assert (problem.line, problem.column) == place


def test_a_byte_order_mark_and_crlf_are_fine() -> None:
    document, problems = read(decode(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "job.yaml"), "c")
    assert (document, problems) == ({"a": 1, "b": 2}, ())
