"""Every rule of the servers against the servers' own parsers and configurations."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.engines.locate import locate
from ftctl.rules.book import Book
from ftctl.rules.lmdeploy.table import BOOK as LMDEPLOY
from ftctl.rules.rule import Rule
from ftctl.rules.vllm import choices as vllm_choices
from ftctl.rules.vllm.table import BOOK as VLLM
from ftctl.servers.words import words as words_of

pytestmark = pytest.mark.engine
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tried:
    """What the engine did with each example, by `<rule> refused` or `<rule> allowed`, and what it knows."""

    answers: dict[str, dict[str, Any]]
    defaults: dict[str, Any]
    known: dict[str, list[str]]


def _examples(book: Book, rule: Rule) -> list[dict[str, Any]]:
    made = []
    for change in ("refused", "allowed"):
        arguments = book.example(rule, getattr(rule, change))
        first = [arguments.pop("model_path")] if "model_path" in arguments else []
        words = [
            word for name, value in arguments.items() for word in words_of(name.replace("_", "-"), value)
        ]
        made.append({"id": f"{rule.name} {change}", "words": first + words})
    return made


def _tried(book: Book, python: Path, folder: Path) -> Tried:
    """One process of the engine's interpreter, which imports the engine once."""
    done = subprocess.run(
        [python, "-B", HERE / f"try_{book.engine}_rules.py"],
        input=json.dumps([one for rule in book.rules for one in _examples(book, rule)]),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
             "VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    answers = [json.loads(text) for word, _, text in lines if word == "ANSWER"]
    (defaults,) = (json.loads(text) for word, _, text in lines if word == "DEFAULTS")
    (known,) = (json.loads(text) for word, _, text in lines if word == "KNOWN")
    return Tried({answer.pop("id"): answer for answer in answers}, defaults, known)


def _models(folder: Path, tiny_model: Path) -> Path:
    """A folder with the models that the examples name: the tiny one, and one that calls itself Gemma 2."""
    shutil.copytree(tiny_model, folder / "base")
    shutil.copytree(tiny_model, folder / "gemma2")
    config = json.loads((folder / "base" / "config.json").read_text())
    config |= {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"]}
    (folder / "gemma2" / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").touch()
    return folder


@pytest.fixture(scope="module")
def by_vllm(vllm_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    return _tried(VLLM, vllm_python, _models(tmp_path_factory.mktemp("vllm_rules"), tiny_model))


@pytest.fixture(scope="module")
def by_lmdeploy(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    engine = locate("lmdeploy", "cuda", python=None, environ=os.environ)
    if not engine.installed:
        pytest.skip("lmdeploy is not installed")
    return _tried(LMDEPLOY, engine.python, tmp_path_factory.mktemp("lmdeploy_rules"))


def _check(rule: Rule, tried: Tried) -> None:
    """What the rule refuses the engine refuses in the place that it names, and the nearest allowed it takes.

    Other rules are there because the engine says nothing, or only later: it takes what they refuse.
    """
    refused, allowed = tried.answers[f"{rule.name} refused"], tried.answers[f"{rule.name} allowed"]
    if rule.proof == "parser":
        assert refused["error"], "the engine accepts it"
        file, _, function = rule.source.partition(":")
        where = re.compile(rf"(?:^|/){re.escape(file)}:{function}$")
        assert any(where.search(frame) for frame in refused["passed"]), (
            refused["message"],
            refused["passed"],
        )
    elif rule.proof in ("silent", "later"):
        assert not refused["error"], (refused["error"], refused["message"])
    if rule.proof in ("parser", "silent"):
        assert not allowed["error"], (allowed["error"], allowed["message"])


@pytest.mark.parametrize("rule", VLLM.rules, ids=lambda rule: rule.name)
def test_vllm_does_with_each_example_what_the_rule_says(by_vllm: Tried, rule: Rule) -> None:
    _check(rule, by_vllm)


@pytest.mark.parametrize("rule", LMDEPLOY.rules, ids=lambda rule: rule.name)
def test_lmdeploy_does_with_each_example_what_the_rule_says(by_lmdeploy: Tried, rule: Rule) -> None:
    _check(rule, by_lmdeploy)


def test_the_defaults_are_lmdeploy_s(by_lmdeploy: Tried) -> None:
    assert {name: by_lmdeploy.defaults[name] for name in LMDEPLOY.defaults} == LMDEPLOY.defaults


def test_the_defaults_are_vllm_s(by_vllm: Tried) -> None:
    assert {name: by_vllm.defaults[name] for name in VLLM.defaults} == VLLM.defaults


def test_the_names_are_vllm_s(by_vllm: Tried) -> None:
    assert {name: set(names) for name, names in by_vllm.known.items()} == {
        name: set(getattr(vllm_choices, name)) for name in by_vllm.known
    }
