"""Embedders and rerankers: which kind of model it is, and everything that is derived from its own files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftctl.facts.model import RetrievalFacts
from ftctl.job.model import Deploy, Model
from ftctl.job.training import Lora, Retrieval, Train
from tests.plans import decide, facts, job
from tests.retrieval_plans import BERT, MINICPM, QWEN, SCORER, XLMR, decided, reason, retrieval_of


@pytest.mark.parametrize(
    ("task", "model", "own", "variant", "why"),
    [
        ("embedding", BERT, RetrievalFacts(), "encoder-only-base", "BertModel is an encoder"),
        ("embedding", XLMR, RetrievalFacts(m3=True), "encoder-only-m3", "colbert_linear.pt"),
        ("embedding", XLMR, RetrievalFacts(), "encoder-only-base", "is an encoder"),
        ("embedding", QWEN, RetrievalFacts(), "decoder-only-base", "Qwen3ForCausalLM is a decoder"),
        ("embedding", {"architecture": "MistralModel", "model_type": "mistral"}, RetrievalFacts(),
         "decoder-only-base", "MistralModel is a decoder"),
        ("reranker", SCORER, RetrievalFacts(labels=1), "encoder-only-base", "is an encoder"),
        ("reranker", QWEN, RetrievalFacts(), "decoder-only-base", "is a decoder"),
        ("reranker", MINICPM, RetrievalFacts(start_layer=8), "decoder-only-layerwise", "start_layer"),
        ("reranker", MINICPM, RetrievalFacts(), "decoder-only-base", "is a decoder"),
    ],
)  # fmt: skip
def test_the_variant_follows_from_the_model(
    task: str, model: dict[str, str], own: RetrievalFacts, variant: str, why: str
) -> None:
    plan, made = decided(Train(task=task), model, own=own)
    assert not made.problems
    assert retrieval_of(plan).variant == variant
    assert why in reason(made, "train.variant")


@pytest.mark.parametrize(
    ("task", "variant", "model"),
    [
        ("embedding", "decoder-only-icl", QWEN),
        ("embedding", "encoder-only-m3", XLMR),
        ("reranker", "decoder-only-layerwise", MINICPM),
    ],
)
def test_a_variant_that_is_set_is_taken(task: str, variant: str, model: dict[str, str]) -> None:
    plan, made = decided(Train(task=task, variant=variant), model)
    assert not made.problems
    assert retrieval_of(plan).variant == variant


@pytest.mark.parametrize(
    ("train", "model", "own", "key", "said"),
    [
        (Train(task="embedding", variant="decoder-only-base"), BERT, RetrievalFacts(), "train.variant",
         "does not fit BertModel, which is an encoder"),
        (Train(task="embedding", variant="encoder-only-base"), QWEN, RetrievalFacts(), "train.variant",
         "does not fit Qwen3ForCausalLM, which is a decoder"),
        (Train(task="embedding", variant="encoder-only-m3"), BERT, RetrievalFacts(), "train.variant",
         "is for XLM-RoBERTa, and the model is bert"),
        (Train(task="reranker", variant="decoder-only-layerwise"), QWEN, RetrievalFacts(), "train.variant",
         "is for MiniCPM, and the model is qwen3"),
        (Train(task="reranker", variant="decoder-only-base"), MINICPM, RetrievalFacts(start_layer=8),
         "train.variant", "scores at several layers"),
        (Train(task="embedding"), {"architecture": "ViTModel", "model_type": "vit"}, RetrievalFacts(),
         "train.variant", "does not follow from ViTModel (model_type vit)"),
        (Train(task="reranker"), SCORER, RetrievalFacts(labels=3), "model", "its head gives 3 numbers"),
        (Train(task="reranker"), {"architecture": "Qwen3Model", "model_type": "qwen3"}, RetrievalFacts(),
         "model", "no language model's head"),
        (Train(task="embedding"), BERT, RetrievalFacts(others=("Dense",)), "model", "ends in Dense"),
        (Train(task="embedding"), BERT, RetrievalFacts(pooling="max_tokens"), "train.pooling",
         "pools by max_tokens"),
        (Train(task="embedding", attention="fa2"), BERT, RetrievalFacts(), "train.attention",
         "decoders alone"),
        (Train(task="embedding", precision="fp16"), BERT, RetrievalFacts(), "train.precision",
         "fp16 does nothing on the CPU"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    train: Train, model: dict[str, str], own: RetrievalFacts, key: str, said: str
) -> None:
    _, made = decided(train, model, own=own)
    (found,) = made.problems
    assert (found.key, said in found.message) == (key, True)
    assert found.remedy


def test_nothing_is_guessed_of_a_model_on_the_hub() -> None:
    held = replace(facts(), model=replace(facts().model, local=False, architecture=None, parameters=None))
    the_job = job(Train(task="embedding"), model=Model("some/model", local=False))
    _, made = decide(the_job, held)
    assert [found.key for found in made.problems] == ["train.variant"]
    assert "--offline" in made.problems[0].remedy
    plan, made = decide(replace(the_job, train=Train(task="embedding", variant="encoder-only-base")), held)
    assert not made.problems
    assert retrieval_of(plan).pooling == "cls"


@pytest.mark.parametrize(
    ("written", "method", "model", "expected"),
    [
        (False, "lora", BERT, "full"),
        (True, "full", BERT, "full"),
        (False, "lora", QWEN, "lora"),
        (True, "full", QWEN, "full"),
    ],
)
def test_an_encoder_is_trained_whole_and_a_decoder_by_an_adapter(
    written: bool, method: str, model: dict[str, str], expected: str
) -> None:
    names = frozenset({"train.method"} if written else ())
    plan, made = decided(Train(task="embedding", method=method), model, written=names)
    assert not made.problems
    assert (retrieval_of(plan).method, plan.method) == (expected, expected)


@pytest.mark.parametrize(
    ("written", "deploy", "key"),
    [
        ("train.method", None, "train.method"),
        ("train.lora.rank", None, "train.lora"),
        ("deploy.adapter", Deploy(adapter="attach"), "deploy.adapter"),
    ],
)
def test_an_adapter_of_an_encoder_is_refused(written: str, deploy: Deploy | None, key: str) -> None:
    train = Train(task="embedding", lora=Lora(rank=16))
    _, made = decided(train, BERT, written=frozenset({written}), deploy=deploy)
    assert [found.key for found in made.problems] == [key]


@pytest.mark.parametrize(
    ("model", "own", "pooling", "normalize"),
    [
        (BERT, RetrievalFacts(pooling="mean", normalize=True), "mean", True),
        (BERT, RetrievalFacts(pooling="cls", normalize=False), "cls", False),
        (BERT, RetrievalFacts(), "cls", True),
        (QWEN, RetrievalFacts(), "last_token", True),
    ],
)
def test_pooling_and_normalisation_are_the_models_own(
    model: dict[str, str], own: RetrievalFacts, pooling: str, normalize: bool
) -> None:
    plan, made = decided(Train(task="embedding"), model, own=own)
    assert (retrieval_of(plan).pooling, retrieval_of(plan).normalize) == (pooling, normalize)
    said = "own 1_Pooling" if own.pooling else "does not say"
    assert said in reason(made, "train.pooling")


def test_what_is_native_is_what_is_planned() -> None:
    """What serves the result reads the plan, so the plan must hold what the engine is really told."""
    native = {"sentence_pooling_method": "mean", "normalize_embeddings": False, "query_max_len": 40,
              "query_instruction_for_retrieval": "Q: "}  # fmt: skip
    plan, _ = decided(Train(task="embedding", native=native), BERT, own=RetrievalFacts(pooling="cls"))
    made = retrieval_of(plan)
    assert (made.pooling, made.normalize, made.query_max_length) == ("mean", False, 40)
    assert made.query_instruction == "Q: "


@pytest.mark.parametrize(
    ("asked", "own", "expected"),
    [
        (None, RetrievalFacts(query_prompt="query: "), "query: "),
        ("", RetrievalFacts(query_prompt="query: "), None),
        ("Find: ", RetrievalFacts(query_prompt="query: "), "Find: "),
        (None, RetrievalFacts(), None),
    ],
)
def test_the_query_instruction(asked: str | None, own: RetrievalFacts, expected: str | None) -> None:
    train = Train(task="embedding", retrieval=Retrieval(query_instruction=asked))
    plan, _ = decided(train, BERT, own=own)
    assert retrieval_of(plan).query_instruction == expected


@pytest.mark.parametrize(
    ("train", "model", "own", "lengths"),
    [
        (Train(task="embedding"), BERT, RetrievalFacts(positions=512), (128, 512)),
        (Train(task="embedding"), BERT, RetrievalFacts(positions=512, length=256), (128, 256)),
        (Train(task="embedding"), BERT, RetrievalFacts(positions=64), (64, 64)),
        (Train(task="embedding"), QWEN, RetrievalFacts(positions=40960), (128, 512)),
        (Train(task="embedding", variant="decoder-only-icl"), QWEN,
         RetrievalFacts(positions=4096), (2048, 512)),
        (Train(task="reranker"), SCORER, RetrievalFacts(positions=512), (128, 384)),
        (Train(task="reranker"), SCORER, RetrievalFacts(positions=128), (32, 96)),
        (Train(task="reranker", retrieval=Retrieval(passage_max_length=500)), SCORER,
         RetrievalFacts(positions=512), (12, 500)),
        (Train(task="reranker", retrieval=Retrieval(query_max_length=200)), SCORER,
         RetrievalFacts(positions=512), (200, 312)),
    ],
)  # fmt: skip
def test_lengths_are_what_the_model_has_room_for(
    train: Train, model: dict[str, str], own: RetrievalFacts, lengths: tuple[int, int]
) -> None:
    plan, made = decided(train, model, own=own)
    assert not made.problems
    assert (retrieval_of(plan).query_max_length, retrieval_of(plan).passage_max_length) == lengths


@pytest.mark.parametrize(
    ("task", "asked", "model", "keys"),
    [
        ("embedding", Retrieval(passage_max_length=513), BERT, ["train.passage_max_length"]),
        ("embedding", Retrieval(query_max_length=600, passage_max_length=700), BERT,
         ["train.query_max_length", "train.passage_max_length"]),
        ("reranker", Retrieval(query_max_length=200, passage_max_length=313), SCORER,
         ["train.passage_max_length"]),
        ("reranker", Retrieval(query_max_length=16, passage_max_length=16), QWEN,
         ["train.passage_max_length"]),
    ],
)  # fmt: skip
def test_lengths_beyond_the_model_are_refused(
    task: str, asked: Retrieval, model: dict[str, str], keys: list[str]
) -> None:
    _, made = decided(Train(task=task, retrieval=asked), model, own=RetrievalFacts(positions=512))
    assert [found.key for found in made.problems] == keys
