"""The retrieval test that held-out rows make."""

from __future__ import annotations

from typing import Any

from ftctl.judge.relevance import DRAWN, relevance_of, text_id


def row(query: str, pos: list[str], neg: list[str] | None = None) -> dict[str, Any]:
    return {"query": query, "pos": pos, "neg": neg or []}


def q(text: str) -> str:
    return text_id("q", text)


def p(text: str) -> str:
    return text_id("p", text)


def test_the_corpus_holds_every_passage_of_both_sides_once() -> None:
    test = relevance_of([row("a", ["one"], ["two"])], [row("b", ["two"], ["three", "one"])])
    assert sorted(test.passages.values()) == ["one", "three", "two"]
    assert dict(test.queries) == {q("a"): "a"}


def test_relevant_are_the_positives_of_held_out_rows_alone() -> None:
    test = relevance_of([row("a", ["one", "two"], ["three"])], [row("b", ["four"])])
    assert dict(test.relevant) == {q("a"): tuple(sorted((p("one"), p("two"))))}


def test_rows_of_one_query_are_one_query_with_all_their_passages() -> None:
    test = relevance_of([row("a", ["one"], ["two"]), row("a", ["two"], ["three"])], [])
    assert set(test.relevant[q("a")]) == {p("one"), p("two")}
    assert set(test.candidates[q("a")]) == {p("one"), p("two"), p("three")}
    assert len(test.queries) == 1


def test_a_reranker_orders_a_querys_own_passages() -> None:
    test = relevance_of([row("a", ["one"], ["two"]), row("b", ["three"], ["one"])], [row("c", ["four"])])
    assert set(test.candidates[q("a")]) == {p("one"), p("two")}
    assert set(test.candidates[q("b")]) == {p("three"), p("one")}


def test_a_query_without_negatives_is_told_from_passages_of_others_always_the_same() -> None:
    trained = [row(f"q{number}", [f"passage {number}"]) for number in range(3 * DRAWN)]
    first = relevance_of([row("a", ["one"])], trained)
    candidates = first.candidates[q("a")]
    assert p("one") in candidates
    assert len(candidates) == DRAWN + 1
    assert relevance_of([row("a", ["one"])], trained[::-1]).candidates[q("a")] == candidates


def test_queries_that_were_also_trained_on_are_counted_once() -> None:
    assert relevance_of([row("a", ["one"]), row("b", ["two"])], [row("a", ["x"]), row("a", ["y"])]).seen == 1


def test_the_digest_is_of_what_the_rows_hold_and_not_of_their_order() -> None:
    rows = [row("a", ["one"], ["two"]), row("b", ["three"], ["one"])]
    assert relevance_of(rows, []).digest == relevance_of(rows[::-1], []).digest
    assert relevance_of(rows, []).digest != relevance_of([*rows[:1], row("b", ["two"], ["one"])], []).digest


def test_a_lone_surrogate_in_a_text_has_an_id() -> None:
    test = relevance_of([row("\ud800", ["one"], ["\udc00"])], [])
    assert len(test.digest) == 64
