"""Parity: the comparison of what a server answers with what was trained."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.deployments import store, told
from ftctl.deployments.model import Deployment, Parity
from ftctl.deployments.parity import (
    check_parity,
    tolerance,
    worst_cosine,
    worst_difference,
    worst_length,
)
from ftctl.errors import FtctlError
from ftctl.plan.model import ServePlan
from ftctl.process import ProcessId
from ftctl.record import from_record, to_record

EMBED = ServePlan("vllm", "ft", "none", (), 1, "float32", 512, kind="embed", pooling="mean", normalize=True)


def deployment(run: Path | None = None, **more: object) -> Deployment:
    fields = {"kind": "embed", **more}
    return Deployment(
        "ft", "vllm", "ft", "http://127.0.0.1:1", ProcessId(1, 2, "boot"), 5.0, "/f", "/m",
        None if run is None else str(run), **fields,  # type: ignore[arg-type] # given by name
    )  # fmt: skip


def test_the_worst_cosine_and_where_it_is() -> None:
    trained = [[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]
    assert worst_cosine(trained, trained).figure == pytest.approx(1.0)
    worst = worst_cosine(trained, [[2.0, 0.0], [2.0, 2.0], [3.0, 4.0]])
    assert worst.at == 1
    assert worst.figure == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("served", [[math.nan, 1.0], [0.0, 0.0], [1.0], [math.inf, 1.0]])
def test_vectors_that_are_none_are_as_far_as_can_be(served: list[float]) -> None:
    assert worst_cosine([[1.0, 0.0]], [served]).figure == -1.0


def test_a_vector_that_is_not_normalised_is_seen() -> None:
    worst = worst_length([[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [3.0, 4.0]])
    assert worst.at == 1
    assert worst.figure == pytest.approx(4.0)


def test_scores_differ_relative_to_their_size() -> None:
    worst = worst_difference([10.0, -10.0, 0.0], [10.0, -10.1, 0.001])
    assert worst.at == 1
    assert worst.figure == pytest.approx(0.01)
    assert worst_difference([0.0, 4.0], [0.002, 4.0]).figure == pytest.approx(0.001)
    assert worst_difference([1.0], [math.nan]).figure == math.inf
    assert worst_difference([0.0], [0.5]).figure == 0.5


def test_half_precision_may_differ_more() -> None:
    assert tolerance("float32") == 1e-3
    assert tolerance("bfloat16") == tolerance("float16") == tolerance("auto") == 2e-2


def test_without_a_reference_it_says_so(tmp_path: Path) -> None:
    for one in (deployment(), deployment(tmp_path)):
        checked = check_parity(one, EMBED, "key", tmp_path / "log")
        assert checked == Parity(note="no reference: parity not checked")
    assert check_parity(deployment(), replace(EMBED, engine="dummy"), "key", tmp_path / "log") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"texts": []}'])
def test_a_damaged_reference_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "reference.json").write_text(text)
    with pytest.raises(FtctlError, match=r"reference\.json cannot be used"):
        check_parity(deployment(tmp_path), EMBED, "key", tmp_path / "log")


def test_a_deployment_keeps_its_parity_in_its_record() -> None:
    entry = store.Entry(deployment(parity=Parity("cosine", 0.9999, 7), query_prompt="query: "))
    assert from_record(store.Entry, json.loads(json.dumps(to_record(entry)))) == entry


def test_how_to_ask_names_what_a_client_must_add() -> None:
    vectors = deployment(query_prompt="query: ", query_suffix="\n<end>", parity=Parity("cosine", 0.99999, 7))
    said = "\n".join(told.how_to_ask(vectors))
    assert "cosine 0.999990 at worst, 7 texts" in told.parity_line(Parity("cosine", 0.99999, 7))
    assert "POST http://127.0.0.1:1/v1/embeddings" in said
    assert 'put "query: " in front and "\\n<end>" at the end' in said
    scores = told.how_to_ask(deployment(kind="score", passage_prompt="B: "))
    assert "/rerank or /score" in scores[0]
    assert scores[1].endswith('put "B: " in front')
