"""The schemas in the repository are what the engines say of themselves today."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftctl.engine_schema.build import text
from ftctl.engine_schema.files import schema_path
from ftctl.engine_schema.sync import read_schema
from ftctl.engine_schema.table import DESCRIBED
from ftctl.engines.locate import locate
from ftctl.engines.table import find
from ftctl.facts.model import EngineFacts

pytestmark = pytest.mark.engine


def regenerated(name: str, engine: EngineFacts) -> str:
    return text(read_schema(engine, find(name).variants[0].name, os.environ))


@pytest.mark.parametrize("name", ["flagembedding", "lmdeploy"])
def test_a_schema_is_what_its_installed_engine_says(name: str) -> None:
    engine = locate(name, find(name).variants[0].name, python=None, environ=os.environ)
    if not engine.installed:
        pytest.skip(f"{name} is not installed: `ftctl engines install {name}` takes gigabytes")
    assert regenerated(name, engine) == schema_path(name).read_text(encoding="utf-8")


def test_the_schema_of_llamafactory_is_what_it_says(llamafactory_python: Path) -> None:
    engine = EngineFacts("llamafactory", "cpu", llamafactory_python, installed=True)
    assert regenerated("llamafactory", engine) == schema_path("llamafactory").read_text(encoding="utf-8")


def test_the_schema_of_vllm_is_what_it_says(vllm_python: Path) -> None:
    engine = EngineFacts("vllm", "cpu", vllm_python, installed=True)
    assert regenerated("vllm", engine) == schema_path("vllm").read_text(encoding="utf-8")


def test_every_engine_has_its_test() -> None:
    assert set(DESCRIBED) == {"flagembedding", "lmdeploy", "llamafactory", "vllm"}
