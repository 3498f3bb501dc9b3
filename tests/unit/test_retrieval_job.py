"""A job for an embedder or a reranker: what its keys may be, and what the engine is told for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftctl.engine_schema.arguments import taken_by
from ftctl.errors import JobError
from ftctl.facts.model import RetrievalFacts
from ftctl.facts.model_dir import model_facts
from ftctl.job.load import load
from ftctl.job.training import Train
from ftctl.paths import bundled
from ftctl.prepare import prepare, rendered
from ftctl.trainers import flagembedding
from tests.model_files import write_model
from tests.plans import decide, facts, job

CASES = Path(__file__).parents[1] / "golden" / "render"
RENDERED = sorted(path.name for path in CASES.iterdir() if path.name.startswith(("embedder", "reranker")))
SCHEMA = json.loads((bundled("schemas") / "training" / "flagembedding.schema.json").read_text("utf-8"))
JOB = """\
name: small
model: some/model
data: {train: rows.jsonl}
train:
  variant: encoder-only-base
"""


def said(folder: Path, train: str, top: str = "") -> dict[str, str]:
    """What is refused in a job whose `train` goes on like this, by key."""
    text = JOB + "".join(f"  {line}\n" for line in train.splitlines()) + top
    (folder / "rows.jsonl").touch()
    (folder / "job.yaml").write_text(text)
    with pytest.raises(JobError) as caught:
        load(folder / "job.yaml", environ={})
    return {problem.key: f"{problem.message}; {problem.remedy}" for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("train", "key", "words"),
    [
        ("task: sft", "train.variant", "belongs to the tasks embedding and reranker"),
        ("engine: flagembedding", "train.engine", "which trains embedders and rerankers"),
        ("task: embedding\nengine: llamafactory", "train.engine", "write flagembedding, or remove it"),
        ("task: reranker\ntemperature: 0.1", "train.temperature", "a reranker gives scores"),
        ("task: reranker\npooling: mean", "train.pooling", "a reranker gives scores"),
        ("task: reranker\nnormalize: false", "train.normalize", "a reranker gives scores"),
        ("task: reranker\nnegatives_across_devices: true", "train.negatives_across_devices", "a reranker"),
        ("task: reranker\ntrain_group_size: 1", "train.train_group_size", "write 2 or more"),
        ("task: embedding\nmax_length: 512", "train.max_length", "query_max_length and passage_max_length"),
        ("task: embedding\npacking: neat", "train.packing", "does not go with task embedding"),
        ("task: embedding\nkernels: [liger]", "train.kernels", "does not go with task embedding"),
        ("task: embedding\nmethod: freeze", "train.method", "write full or lora"),
        ("task: embedding\nquantization: 4", "train.quantization", "does not go with task embedding"),
        ("task: embedding\nlora: {dora: true}", "train.lora.dora", "does not go with task embedding"),
        ("task: embedding\nattention: disabled", "train.attention", "remove it"),
        ("task: embedding\npooling: max", "train.pooling", "one of cls, mean, last_token"),
        ("task: embedding\ntemperature: 0", "train.temperature", "0.0001"),
        ("task: embedding\nnative: {use_lora: true}", "train.native.use_lora", "set train.method"),
        ("task: embedding\ntemperature: 0.1\nnative: {temperature: 0.2}", "train.native.temperature",
         "train.temperature are both set"),
        ("task: embedding\nnative: {cutoff_len: 8}", "train.native.cutoff_len", "not an argument of FlagEmb"),
        ("task: embedding\nnative: {lora_rank: 8}", "train.native.lora_rank", "not an argument of FlagEmb"),
        ("task: embedding\nquery_max_len: 8", "train.query_max_len", "did you mean query_max_length?"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_stand(tmp_path: Path, train: str, key: str, words: str) -> None:
    assert words in said(tmp_path, train)[key]


@pytest.mark.parametrize(
    ("task", "variant"),
    [
        ("reranker", "encoder-only-m3"),
        ("reranker", "decoder-only-icl"),
        ("embedding", "decoder-only-layerwise"),
    ],
)
def test_a_variant_of_the_other_task(tmp_path: Path, task: str, variant: str) -> None:
    (tmp_path / "rows.jsonl").touch()
    text = JOB.replace("encoder-only-base", variant) + f"  task: {task}\n"
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(JobError, match=f"{variant} is no {task} of FlagEmbedding"):
        load(tmp_path / "job.yaml", environ={})


def test_the_engine_follows_from_the_task(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    (tmp_path / "job.yaml").write_text(f"{JOB}  task: embedding\n  normalize: false\n")
    train = load(tmp_path / "job.yaml", environ={}).train
    assert train is not None
    assert (train.trainer, train.variant) == ("flagembedding", "encoder-only-base")
    assert (train.retrieval.train_group_size, train.retrieval.normalize) == (8, False)


@pytest.mark.parametrize("keys", ["mix: interleave_under", "workers: 4"])
def test_data_keys_that_flagembedding_has_nothing_for(tmp_path: Path, keys: str) -> None:
    (tmp_path / "rows.jsonl").touch()
    text = f"{JOB}  task: embedding\n".replace("rows.jsonl}", f"[rows.jsonl, rows.jsonl], {keys}}}")
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(JobError) as caught:
        load(tmp_path / "job.yaml", environ={})
    assert [problem.key for problem in caught.value.problems] == [f"data.{keys.partition(':')[0]}"]


@pytest.mark.parametrize("case", RENDERED)
def test_every_argument_is_one_of_the_programs(case: str) -> None:
    plan = prepare(load(CASES / case / "job.yaml", environ={}), environ={}, anywhere=True)
    program = flagembedding.program(plan)
    known: dict[str, Any] = taken_by(SCHEMA, program)
    for name, value in flagembedding.arguments(plan).items():
        assert name in known, f"{program} has no {name}"
        assert Draft202012Validator(known[name]).is_valid(value), f"{name}: {value!r}"


def test_every_program_of_the_engine_is_rendered() -> None:
    plans = [
        prepare(load(CASES / case / "job.yaml", environ={}), environ={}, anywhere=True) for case in RENDERED
    ]
    assert {flagembedding.program(plan) for plan in plans} == set(SCHEMA["x-ftctl-entries"])


def test_where_the_result_of_each_kind_lies() -> None:
    bert = facts(architecture="BertModel", model_type="bert")
    plan, _ = decide(job(Train(task="embedding")), bert)
    assert flagembedding.results(plan) == {"model": Path("output")}
    assert list(rendered(plan)) == ["train", "reference"]
    qwen = facts(architecture="Qwen3ForCausalLM", model_type="qwen3")
    plan, _ = decide(job(Train(task="reranker")), qwen)
    assert flagembedding.results(plan) == {"adapter": Path("output"), "merged": Path("output/merged_model")}


def test_a_raw_layerwise_adapter_is_not_merged() -> None:
    """FlagEmbedding 1.4.2 merges it under another model's configuration, which it asks the Hub for."""
    raw = facts(architecture="MiniCPMForCausalLM", model_type="minicpm")
    train = Train(task="reranker", variant="decoder-only-layerwise")
    plan, made = decide(job(train), raw)
    assert not made.problems
    assert flagembedding.arguments(plan)["save_merged_lora_model"] is False
    assert flagembedding.results(plan) == {"adapter": Path("output")}


def test_an_adapter_gets_every_linear_layer() -> None:
    modules = ("lm_head", "model.embed_tokens", "model.layers.*.attn.c_attn", "model.layers.*.mlp.c_fc")
    gpt = facts(architecture="GPT2LMHeadModel", model_type="gpt2", modules=modules)
    plan, _ = decide(job(Train(task="embedding")), gpt)
    assert flagembedding.arguments(plan)["target_modules"] == ["c_attn", "c_fc"]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "lasttoken"}, "last_token"),
        ({"pooling_mode_max_tokens": True}, "max_tokens"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "cls+mean"),
    ],
)
def test_what_sentence_transformers_files_say(tmp_path: Path, pooling: dict[str, Any], expected: str) -> None:
    folder = write_model(tmp_path / "model")
    kinds = {"Transformer": "", "Pooling": "pool", "Dense": "2_Dense"}
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in kinds.items()]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "pool").mkdir()
    (folder / "pool" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 48}')
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "q: ", "document": ""}}')
    assert model_facts(folder).retrieval == RetrievalFacts(
        pooling=expected, normalize=False, query_prompt="q: ", length=48, positions=64, others=("Dense",)
    )


def test_a_folder_without_them_says_nothing(tmp_path: Path) -> None:
    assert model_facts(write_model(tmp_path / "model")).retrieval == RetrievalFacts(positions=64)


def test_roberta_cannot_read_all_of_its_positions(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    config = {"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 514}))
    assert model_facts(folder).retrieval.positions == 512
