"""The schemas in the repository are what the engines say of themselves today."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.engine_schema.arguments import taken_by
from ftctl.engine_schema.build import text
from ftctl.engine_schema.files import engine_schema, schema_path
from ftctl.engine_schema.sync import read_schema
from ftctl.engine_schema.table import DESCRIBED
from ftctl.engines.locate import locate
from ftctl.engines.table import find
from ftctl.facts.model import EngineFacts
from ftctl.job.shape import Schema, types
from ftctl.servers.words import words

pytestmark = pytest.mark.engine
INSIDE = Path(__file__).parents[2] / "ftctl" / "inside"


def regenerated(name: str, engine: EngineFacts) -> str:
    return text(read_schema(engine, find(name).variants[0].name, os.environ))


@pytest.mark.parametrize("name", ["flagembedding", "lmdeploy"])
def test_a_schema_is_what_its_installed_engine_says(name: str) -> None:
    engine = locate(name, find(name).variants[0].name, python=None, environ=os.environ)
    if not engine.installed:
        pytest.skip(f"{name} is not installed: `ftctl engines install {name}` takes gigabytes")
    assert regenerated(name, engine) == schema_path(name).read_text(encoding="utf-8")


def test_the_model_types_are_those_of_its_transformers(llamafactory_python: Path) -> None:
    maker = INSIDE / "list_model_types.py"
    done = subprocess.run(
        [llamafactory_python, maker], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == (INSIDE.parent / "trainers" / "model_types.py").read_text(encoding="utf-8")


def test_the_schema_of_llamafactory_is_what_it_says(llamafactory_python: Path) -> None:
    engine = EngineFacts("llamafactory", "cpu", llamafactory_python, installed=True)
    assert regenerated("llamafactory", engine) == schema_path("llamafactory").read_text(encoding="utf-8")


def test_the_schema_of_vllm_is_what_it_says(vllm_python: Path) -> None:
    engine = EngineFacts("vllm", "cpu", vllm_python, installed=True)
    assert regenerated("vllm", engine) == schema_path("vllm").read_text(encoding="utf-8")


def samples(argument: Schema) -> Iterator[Any]:
    """A value of every kind that the schema lets through."""
    yield from argument.get("enum", ())
    for form in argument.get("anyOf", ()):
        yield from samples(form)
    if "enum" in argument or "anyOf" in argument:
        return
    wanted = argument.get("x-ftctl-wanted", "")
    text = "2k" if "2k" in wanted else "{}" if "JSON" in wanted else "word"
    items = list(samples(argument["items"]))[:1] if "items" in argument else []
    known = {"integer": 8, "number": 0.5, "string": text, "object": {}, "array": items}
    for name in sorted(types(argument)):
        if name != "boolean":
            yield known[name]
        else:
            yield from (True,) if "x-ftctl-switch" in argument else (True, False)


def wrong(argument: Schema) -> Iterator[str]:
    """Words that the schema refuses and that a command line can carry."""
    if "enum" in argument or (types(argument) and types(argument) <= {"integer", "number", "boolean"}):
        yield "no-such-value"


# Where the parser asks for more than a type: a file's ending, its own form of a text, a name of a scheme.
SPECIAL = {"config", "lora_modules", "quant_policy", "hf_token"}


@pytest.mark.parametrize(("name", "head"), [("vllm", []), ("lmdeploy", ["model"])])
def test_what_the_schema_says_the_servers_own_parser_says_too(name: str, head: list[str]) -> None:
    engine = locate(name, find(name).variants[0].name, python=None, environ=os.environ)
    if not engine.installed:
        pytest.skip(f"{name} is not installed")
    schema = engine_schema(name)
    assert schema is not None
    taken, refused = [], [(*head, "--no-such-argument", "1")]
    for key, argument in taken_by(schema, DESCRIBED[name].main).items():
        if key in SPECIAL or "x-ftctl-positional" in argument:
            continue
        flag = key.replace("_", "-")
        taken += [(*head, *words(flag, value)) for value in samples(argument)]
        refused += [(*head, f"--{flag}={value}") for value in wrong(argument)]
    assert min(len(taken), len(refused)) > 50
    said = ask_parser(name, engine.python, [*taken, *refused])
    assert [pair for pair in zip(taken, said, strict=False) if pair[1] is not None] == []
    assert [words for words, why in zip(refused, said[len(taken) :], strict=True) if why is None] == []


def ask_parser(name: str, python: Path, lines: list[tuple[str, ...]]) -> list[Any]:
    """What the engine's own parser has against each command line; None for one that it takes."""
    argv = [str(python), str(Path(__file__).with_name("parse_words.py")), name]
    done = subprocess.run(
        argv, input=json.dumps(lines), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: list[Any] = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
    return answer


def test_every_engine_has_its_test() -> None:
    dummies = {name for name, one in DESCRIBED.items() if "dummy" in (name, one.engine)}
    assert set(DESCRIBED) - dummies == {"flagembedding", "lmdeploy", "llamafactory", "vllm"}
