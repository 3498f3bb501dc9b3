"""The engines' schemas: sound, complete, the same on every machine, and known by every spelling."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftctl.engine_schema.arguments import canonical, taken_by, with_whole_numbers
from ftctl.engine_schema.build import ENTRIES, text
from ftctl.engine_schema.files import engine_schema, schema_path
from ftctl.engine_schema.table import DESCRIBED, engine_of
from ftctl.errors import UsageError
from ftctl.job.load import job_schema
from ftctl.job.native import OWNED, SAME
from ftctl.job.shape import Schema

ROOT = Path(__file__).parents[2]


def schema_of(name: str) -> Schema:
    schema = engine_schema(name)
    assert schema is not None
    return schema


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_schema_is_valid_small_and_one_argument_a_line(name: str) -> None:
    said = schema_path(name).read_text(encoding="utf-8")
    schema = json.loads(said)
    Draft202012Validator.check_schema(schema)
    assert len(said.encode()) < 1_000_000
    assert text(schema) == said
    assert list(schema["properties"]) == sorted(schema["properties"])


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_schema_holds_nothing_of_a_machine(name: str) -> None:
    said = schema_path(name).read_text(encoding="utf-8")
    for trace in (r"0x[0-9a-f]{6}", r"site-packages", r"/nonexistent", r"/root\b", r"\bhf_[A-Za-z0-9]{10}"):
        assert re.search(trace, said) is None, trace


@pytest.mark.parametrize(
    ("name", "programs"),
    [
        ("llamafactory", {"train": 346, "export": 211}),
        ("vllm", {"serve": 316}),  # and two words for help
        ("lmdeploy", {"api_server": 78, "proxy": 12}),
    ],
)
def test_a_schema_has_every_argument(name: str, programs: dict[str, int]) -> None:
    schema = schema_of(name)
    assert schema[ENTRIES] == programs
    for program, count in programs.items():
        assert len(taken_by(schema, program)) == count


def test_flagembedding_has_its_seven_programs() -> None:
    schema = schema_of("flagembedding")
    assert len(schema[ENTRIES]) == 7
    assert "train_group_size" in taken_by(schema, "reranker.encoder_only.base")
    assert "sentence_pooling_method" not in taken_by(schema, "reranker")
    assert "sentence_pooling_method" in taken_by(schema, "embedder")
    assert taken_by(schema, "embedder")["raw_peft"]["type"] == ["string", "null"]
    assert taken_by(schema, "reranker")["raw_peft"]["type"] == ["array", "null"]


@pytest.mark.parametrize("name", ["llamafactory", "flagembedding"])
def test_the_defaults_of_a_trainer_are_values_that_it_takes(name: str) -> None:
    for key, argument in schema_of(name)["properties"].items():
        if "default" in argument:
            assert Draft202012Validator(argument).is_valid(argument["default"]), key


@pytest.mark.parametrize(
    ("engine", "key", "has"),
    [
        ("llamafactory", "lora_target", {"type": ["string", "array"], "default": "all"}),
        ("llamafactory", "stage", {"enum": ["pt", "sft", "rm", "ppo", "dpo", "kto"]}),
        ("llamafactory", "dataset", {"items": {"type": "string"}}),
        ("llamafactory", "learning_rate", {"x-ftctl-source": "transformers.training_args.TrainingArguments"}),
        ("flagembedding", "model_name_or_path", {"x-ftctl-required": True}),
        ("flagembedding", "token", {"default": None}),
        ("vllm", "gpu_memory_utilization", {"exclusiveMinimum": 0, "maximum": 1}),
        ("vllm", "enforce_eager", {"type": "boolean", "default": False}),
        ("vllm", "tensor_parallel_size", {"x-ftctl-flags": ["-tp"], "minimum": 1}),
        ("vllm", "compilation_config", {"x-ftctl-default": "CompilationConfig()"}),
        ("lmdeploy", "cache_max_entry_count", {"x-ftctl-backends": ["pytorch", "turbomind"]}),
        ("lmdeploy", "adapters", {"x-ftctl-backends": ["pytorch"]}),
        ("lmdeploy", "quant_policy", {"type": ["string", "integer"]}),
    ],
)
def test_what_is_known_of_an_argument(engine: str, key: str, has: dict[str, Any]) -> None:
    argument = schema_of(engine)["properties"][key]
    assert {name: argument.get(name) for name in has} == has
    assert argument["description"]


@pytest.mark.parametrize(
    ("block", "engines"),
    [
        ("train", ["llamafactory"]),
        ("flagembedding", ["flagembedding"]),
        ("deploy", ["vllm", "lmdeploy"]),
    ],
)
def test_the_tables_of_native_arguments_name_what_an_engine_has(block: str, engines: list[str]) -> None:
    """But for names of other versions, kept so that a mistake is explained."""
    gone = {"overwrite_output_dir", "no_cuda", "save_safetensors", "use_modelscope_hub", "api_key", "model"}
    gone |= {"warmup_ratio"} if block == "flagembedding" else set()
    named = {*OWNED[block], *SAME[block]} - gone
    had = {name for engine in engines for name in schema_of(engine)["properties"]}
    assert named - had == set()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("max_model_len", "max_model_len"), ("max-model-len", "max_model_len"),
        ("--max-model-len", "max_model_len"), ("compilation-config.mode", "compilation_config.mode"),
        ("seed.x", None), ("tp", None), ("", None),
    ],
)  # fmt: skip
def test_the_spellings_of_a_word(key: str, name: str | None) -> None:
    assert canonical(key, schema_of("vllm")["properties"], words=True) == name


def test_a_key_of_a_file_has_one_spelling() -> None:
    arguments = schema_of("llamafactory")["properties"]
    assert canonical("learning_rate", arguments, words=False) == "learning_rate"
    assert canonical("learning-rate", arguments, words=False) is None


def test_whole_numbers_become_integers() -> None:
    native = {"max-num-seqs": 1e3, "gpu_memory_utilization": 1.0, "unknown": 2.0}
    made = with_whole_numbers(native, schema_of("vllm"), words=True)
    assert made == native
    assert [type(value) for value in made.values()] == [int, float, float]


@pytest.mark.parametrize(
    ("document", "block", "engine"),
    [
        ({}, "train", ("llamafactory", "train")),
        ({"train": {"engine": "auto", "task": "sft"}}, "train", ("llamafactory", "train")),
        ({"train": {"task": "embedding"}}, "train", ("flagembedding", "embedder")),
        ({"train": {"engine": "flagembedding", "task": "reranker"}}, "train", ("flagembedding", "reranker")),
        (
            {"train": {"task": "reranker", "variant": "decoder-only-layerwise"}},
            "train",
            ("flagembedding", "reranker.decoder_only.layerwise"),
        ),
        ({"train": {"engine": "dummy"}}, "train", ("dummy", "train")),
        ({"train": {"engine": "dummy"}}, "deploy", ("dummy-server", "serve")),
        ({"deploy": {"engine": "dummy"}}, "deploy", ("dummy-server", "serve")),
        ({"train": {"engine": "stand-in"}}, "train", ("stand-in", "")),
        ({"deploy": {"engine": "auto"}}, "deploy", ("vllm", "serve")),
        ({"deploy": {"engine": "lmdeploy"}}, "deploy", ("lmdeploy", "api_server")),
    ],
)
def test_which_engine_a_block_speaks_to(
    document: dict[str, Any], block: str, engine: tuple[str, str]
) -> None:
    assert engine_of(document, block) == engine


def test_an_unknown_schema_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no schema of vlm") as caught:
        schema_path("vlm")
    assert caught.value.remedy.startswith("did you mean vllm?")
    assert engine_schema("stand-in") is None
    assert schema_path("job") == ROOT / "schemas" / "job.schema.json"
    assert job_schema()["title"] == "ftctl job"


@pytest.mark.parametrize("file", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda file: str(file.name))
def test_every_config_tells_editors_its_schema(file: Path) -> None:
    first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ftctl ")
    schema = second.removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / schema).resolve() == ROOT / "schemas" / "job.schema.json"
