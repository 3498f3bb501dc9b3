"""Every rule of LLaMA-Factory against LLaMA-Factory's own parser."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.rules.llamafactory.defaults import DEFAULTS
from ftctl.rules.llamafactory.packages import ALL
from ftctl.rules.llamafactory.table import BOOK
from ftctl.rules.llamafactory.types import BOOLEANS, NUMBERS
from ftctl.rules.rule import Rule

pytestmark = pytest.mark.engine
RULES = BOOK.rules
# Frames of the engine itself: a rule's source is the innermost of them.
OWN = re.compile(r"/llamafactory/|/transformers/(?:trainer|integrations/)")
TABLES = ("numbers", "words")
DRIVER = Path(__file__).with_name("try_rules.py")


@dataclass(frozen=True)
class Tried:
    """What the engine did with each example, by `<rule> refused` or `<rule> allowed`."""

    answers: dict[str, dict[str, Any]]
    defaults: dict[str, Any]


def _examples(rule: Rule) -> list[dict[str, Any]]:
    shared = {"rule": rule.name, "world_size": rule.place.world_size, "output": rule.place.output}
    here = ALL if rule.place.packages is None else rule.place.packages
    return [
        {"id": f"{rule.name} refused", "arguments": BOOK.example(rule, rule.refused),
         "packages": sorted(here), "runs": rule.proof == "later" and not rule.unproved, **shared},
        {"id": f"{rule.name} allowed", "arguments": BOOK.example(rule, rule.allowed),
         "packages": sorted(ALL), "runs": False, **shared},
    ]  # fmt: skip


def _table(name: str) -> dict[str, Any]:
    """A training on a CSV file that the driver writes."""
    arguments = {**BOOK.bases["train"], "dataset": name}
    return {"id": name, "rule": "", "arguments": arguments, "world_size": 1, "packages": [],
            "output": "", "runs": True}  # fmt: skip


@pytest.fixture(scope="module")
def tried(llamafactory_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """One process of the engine's interpreter, which imports the engine once."""
    done = subprocess.run(
        [llamafactory_python, "-B", DRIVER, tiny_model],
        input=json.dumps([*(one for rule in RULES for one in _examples(rule)), *map(_table, TABLES)]),
        cwd=tmp_path_factory.mktemp("rules"),
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "LLAMAFACTORY_VERBOSITY": "ERROR",
             "HF_HOME": "home"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    answers = [json.loads(text) for word, _, text in lines if word == "ANSWER"]
    (found,) = (json.loads(text) for word, _, text in lines if word == "DEFAULTS")
    return Tried({answer.pop("id"): answer for answer in answers}, found)


def _by(proof: str) -> list[Rule]:
    return [rule for rule in RULES if rule.proof == proof]


@pytest.mark.parametrize("rule", _by("parser"), ids=lambda rule: rule.name)
def test_what_the_rule_refuses_the_engine_refuses_there(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} refused"]
    assert answer["error"], "the engine accepts it"
    file, _, function = rule.source.partition(":")
    where = re.compile(rf"(?:^|/){re.escape(file)}:{function}$")
    assert any(where.search(frame) for frame in answer["passed"]), (answer["message"], answer["passed"])


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.proof in ("parser", "silent")], ids=lambda rule: rule.name
)
def test_the_engine_accepts_the_nearest_allowed(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} allowed"]
    assert not answer["error"], (answer["error"], answer["message"])


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.proof in ("silent", "later")], ids=lambda rule: rule.name
)
def test_the_engine_s_parser_lets_the_others_through(tried: Tried, rule: Rule) -> None:
    """Which is why a rule says it: nothing would, or only after the model is loaded."""
    answer = tried.answers[f"{rule.name} refused"]
    assert not answer["error"], (answer["error"], answer["message"])


@pytest.mark.parametrize(
    "rule", [rule for rule in _by("later") if not rule.unproved], ids=lambda rule: rule.name
)
def test_the_engine_refuses_the_others_later_and_there(tried: Tried, rule: Rule) -> None:
    """The whole training of the tiny model on the CPU, or where none gets there the function alone."""
    run = tried.answers[f"{rule.name} refused"]["run"]
    assert run["error"], "the engine runs it to its end"
    file, _, function = rule.source.partition(":")
    own = [frame for frame in run["passed"] if OWN.search(frame) and not frame.endswith(":check_version")]
    assert re.search(rf"(?:^|/){re.escape(file)}:{function}$", own[-1]), (run["message"], own)


def test_a_csv_column_of_numbers_fails_in_the_engine_and_one_with_a_word_does_not(tried: Tried) -> None:
    """What `ftctl data check` and `validate` refuse before it."""
    assert tried.answers["numbers"]["run"]["error"]
    assert not tried.answers["words"]["run"]["error"]


def test_what_is_proved_by_no_test_says_what_that_needs() -> None:
    assert {rule.name for rule in RULES if rule.unproved} == {
        "mixture-of-depths-broken", "hyper-parallel-sft-full", "badam-ratio-optimizer", "fsdp-or-deepspeed",
        "best-model-needs-optimizer", "find-batch-size-not-zero3",
    }  # fmt: skip


def test_the_defaults_are_the_engine_s(tried: Tried) -> None:
    theirs = {name: tried.defaults[name][0] for name in DEFAULTS}
    assert theirs == DEFAULTS


def test_the_types_are_the_engine_s(tried: Tried) -> None:
    def of(*types: str) -> set[str]:
        shown = {text for kind in types for text in (kind, f"<class '{kind}'>", f"{kind} | None",
                                                     f"typing.Optional[{kind}]")}  # fmt: skip
        return {name for name, (_, kind) in tried.defaults.items() if kind in shown}

    assert of("bool") == set(BOOLEANS)
    assert of("int", "float") == set(NUMBERS)
