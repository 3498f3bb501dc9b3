"""A schema is made from what an engine answers: asked cleanly, merged, and read from its own definitions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftctl.engine_schema.arguments import defined_by
from ftctl.engine_schema.build import DIFFERS, ENTRIES, built
from ftctl.engine_schema.sync import read_schema
from ftctl.engine_schema.table import DESCRIBED
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "ftctl" / "inside"

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
