"""The engines' schemas: sound, complete, the same on every machine, and made from what an engine answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftctl.engine_schema.arguments import canonical, defined_by, taken_by, with_whole_numbers
from ftctl.engine_schema.build import DIFFERS, ENTRIES, built, text
from ftctl.engine_schema.files import engine_schema, schema_path
from ftctl.engine_schema.sync import read_schema
from ftctl.engine_schema.table import DESCRIBED, engine_of
from ftctl.errors import FtctlError, UsageError
from ftctl.facts.model import EngineFacts
from ftctl.job.load import job_schema
from ftctl.job.native import OWNED, SAME
from ftctl.job.shape import Schema

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "ftctl" / "inside"


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
    ("block", "engines"), [("train", ["llamafactory"]), ("deploy", ["vllm", "lmdeploy"])]
)
def test_the_tables_of_native_arguments_name_what_an_engine_has(block: str, engines: list[str]) -> None:
    """But for names of other versions, kept so that a mistake is explained."""
    gone = {"overwrite_output_dir", "no_cuda", "save_safetensors", "use_modelscope_hub", "api_key", "model"}
    named = {*OWNED[block], *SAME[block]} - gone
    had = {name for engine in engines for name in schema_of(engine)["properties"]}
    assert named - had == set()


ANSWER = {
    "versions": {"it": "1.0+cpu", "other": "2.0"},
    "entries": {
        "one": {"b": {"type": "integer", "default": 1, "x-ftctl-source": "A"}, "a": {"type": "string"}},
        "two": {"b": {"type": "integer", "default": 2, "x-ftctl-source": "B"}},
    },
}


def test_programs_are_merged_and_their_differences_kept() -> None:
    schema = built(DESCRIBED["llamafactory"], "cpu", ANSWER)
    assert schema["title"] == "LLaMA-Factory 1.0"
    assert list(schema["properties"]) == ["a", "b"]
    assert schema["properties"]["a"][ENTRIES] == ["one"]
    assert schema["properties"]["b"][DIFFERS] == {"two": {"default": 2}}
    assert defined_by(schema["properties"]["b"], "two")["default"] == 2
    assert defined_by(schema["properties"]["b"], "one")["default"] == 1


def stand_in(folder: Path, script: str) -> EngineFacts:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return EngineFacts("llamafactory", "user", python, installed=True)


def test_an_engine_is_asked_without_the_users_environment(tmp_path: Path) -> None:
    script = f"echo noise; printf '%s' '{json.dumps(ANSWER)}' | sed \"s/1.0+cpu/$HF_TOKEN-$HOME/\"; echo"
    environ = {**os.environ, "HF_TOKEN": "hf_secret", "HOME": "/home/me"}
    with pytest.raises(FtctlError):  # sed met the slash of /nonexistent
        read_schema(stand_in(tmp_path, script), "cpu", environ)
    script = script.replace("s/", "s|").replace("+cpu/", "+cpu|").replace('/"', '|"')
    schema = read_schema(stand_in(tmp_path, script), "cpu", environ)
    assert schema["title"] == "LLaMA-Factory -/nonexistent"
    assert schema["x-ftctl-variant"] == "cpu"


@pytest.mark.parametrize("script", ["echo broken >&2; exit 1", "echo broken >&2; echo 1", "echo broken >&2"])
def test_an_engine_that_does_not_answer_is_reported_with_its_words(tmp_path: Path, script: str) -> None:
    with pytest.raises(FtctlError, match="broken") as caught:
        read_schema(stand_in(tmp_path, script), "cpu", os.environ)
    assert "ftctl engines doctor" in caught.value.remedy


PARSER = """\
import argparse, json
from parser_arguments import arguments_of

def size(text):
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)

class Thing: pass

parser = argparse.ArgumentParser()
parser.add_argument("model")
group = parser.add_argument_group("Sizes")
group.add_argument("--max-len", "-m", type=size, help="at most %(default)s", default=4)
group.add_argument("--share", type=float)
group.add_argument("--names", nargs="+")
group.add_argument("--pick", choices=["a", "b"])
group.add_argument("--on", action=argparse.BooleanOptionalAction)
group.add_argument("--only-on", action="store_true")
group.add_argument("--extra", type=json.loads, default={})
group.add_argument("--lists", type=json.loads, default=[])
group.add_argument("--thing", default=Thing(), help="100% sure")
group.add_argument("--again", "--once-more", action="append")
group.add_argument("--token", nargs="?", const=True)
print(json.dumps(arguments_of(parser)))
"""


def test_a_parser_is_read() -> None:
    env = {**os.environ, "PYTHONPATH": str(INSIDE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", PARSER], env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert "help" not in found
    assert found["model"]["x-ftctl-positional"]
    assert found["max_len"]["type"] == ["integer", "string"]
    assert found["max_len"]["description"] == "at most 4"
    assert (found["max_len"]["x-ftctl-flags"], found["max_len"]["x-ftctl-source"]) == (["-m"], "Sizes")
    assert found["share"]["type"] == "number"
    assert found["names"]["type"] == ["array", "string"]
    assert found["pick"]["enum"] == ["a", "b"]
    assert (found["on"]["type"], "x-ftctl-switch" in found["on"]) == ("boolean", False)
    assert found["only_on"]["x-ftctl-switch"]
    assert (found["extra"]["type"], found["lists"]["type"]) == (["object", "string"], ["array", "string"])
    assert (found["thing"]["x-ftctl-default"], found["thing"]["description"]) == ("Thing()", "100% sure")
    assert found["again"]["type"] == ["array", "string"]
    assert found["token"]["type"] == ["boolean", "string"]


DATACLASSES = """\
import dataclasses, enum, json, sys
from typing import Any, Literal
from dataclass_arguments import arguments_of

class Kind(enum.Enum):
    ONE = "one"
    TWO = "two"

@dataclasses.dataclass
class Base:
    path: str
    names: str = "all"
    kind: Kind | str = Kind.TWO

    def __post_init__(self):
        self.names = self.names.split(",")

@dataclasses.dataclass
class Both(Base):
    share: float | None = None
    loose: int = None
    pick: Literal["a", "b"] | None = dataclasses.field(default="a", metadata={"help": " Pick\\n  one. "})
    config: dict | str | None = None
    where: str = sys.prefix + "/lib"
    anything: Any = float("inf")
    inner: int = dataclasses.field(default=0, init=False)

print(json.dumps(arguments_of([Both])))
"""


def test_dataclasses_are_read() -> None:
    env = {**os.environ, "PYTHONPATH": str(INSIDE), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", DATACLASSES]
    found = json.loads(subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout)
    assert "inner" not in found
    assert found["path"] == {
        "type": "string", "x-ftctl-required": True, "description": "", "x-ftctl-source": "__main__.Base",
    }  # fmt: skip
    assert found["names"]["type"] == ["string", "array"]
    assert (found["kind"]["enum"], found["kind"]["default"]) == (["one", "two"], "two")
    assert found["share"]["type"] == ["number", "null"]
    assert found["loose"]["type"] == ["integer", "null"]
    assert (found["pick"]["enum"], found["pick"]["description"]) == (["a", "b", None], "Pick one.")
    assert found["config"]["type"] == ["object", "string", "null"]
    assert found["where"]["default"] == "<environment>/lib"
    assert ("type" in found["anything"], found["anything"]["x-ftctl-default"]) == (False, "inf")


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
        ({"train": {"engine": "dummy"}}, "train", ("dummy", "")),
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
    assert engine_schema("dummy") is None
    assert schema_path("job") == ROOT / "schemas" / "job.schema.json"
    assert job_schema()["title"] == "ftctl job"


@pytest.mark.parametrize("file", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda file: str(file.name))
def test_every_config_tells_editors_its_schema(file: Path) -> None:
    first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ftctl ")
    schema = second.removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / schema).resolve() == ROOT / "schemas" / "job.schema.json"
