"""The table of the engine's rules: sound in itself, and what it says of a plan."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ftctl.engine_schema.table import DESCRIBED
from ftctl.job.model import Data, Dataset, Job
from ftctl.job.training import Quantization, Train
from ftctl.rules.book import Book
from ftctl.rules.check import Report, broken, check, key_of
from ftctl.rules.reference import reference
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting
from ftctl.rules.table import all_names, all_rules, books
from tests.conftest import ROOT
from tests.plans import A100, V100, decide, facts, job, machine

# One test for a book: one for each of its hundreds of rules would take longer to begin than to run.
every_book = pytest.mark.parametrize("book", books(), ids=lambda book: book.engine)


def setting(book: Book, rule: Rule, change: str) -> Setting:
    return book.setting(book.example(rule, getattr(rule, change)), rule.place, rule.command)


@cache
def arguments(engine: str) -> set[str]:
    """Every argument of an engine, as its schema has them."""
    file = ROOT / "schemas" / DESCRIBED[engine].kind / f"{engine}.schema.json"
    return set(json.loads(file.read_text(encoding="utf-8"))["properties"])


def told(native: dict[str, Any], *, train: Train | None = None, the_job: Job | None = None) -> Report:
    """What the rules say of a small job with these native arguments, written on lines 10, 11, …"""
    small = the_job or job(train or Train(method="lora"))
    assert small.train is not None
    keys = [f"train.native.{name}" for name in native]
    written = replace(
        small,
        train=replace(small.train, native=native),
        places={**small.places, **{key: (10 + number, 5) for number, key in enumerate(keys)}},
        written=small.written | set(keys),
    )
    plan, decisions = decide(written, facts())
    assert not decisions.problems
    return check(plan)


def test_names_are_unique_and_made_of_words() -> None:
    for book in books():
        assert len({rule.name for rule in book.rules}) == len(book.rules)
    said = {(rule.name, rule.message) for rule in all_rules()}  # engines share a name with the rule alone
    assert len(all_names()) == len(said)
    assert all(re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)+", name) for name in all_names())


@every_book
def test_the_examples_are_about_the_rule(book: Book) -> None:
    for rule in book.rules:
        refused, allowed = setting(book, rule, "refused"), setting(book, rule, "allowed")
        assert rule.broken.holds(refused), rule.name
        if rule.place.packages is None and not rule.place.output:
            assert not rule.broken.holds(allowed), rule.name
        assert refused.arguments != allowed.arguments or rule.place.packages is not None, rule.name


@every_book
def test_the_texts_name_arguments_that_the_rule_is_about(book: Book) -> None:
    for rule in book.rules:
        said = re.findall(r"\{(\w+)\}", rule.message + rule.remedy)
        assert set(said) <= set(rule.about), rule.name
        assert rule.message and rule.remedy and ":" in rule.source, rule.name
        assert not rule.remedy.endswith(".") and not rule.message.endswith("."), rule.name


@every_book
def test_a_rule_speaks_of_arguments_of_its_engine(book: Book) -> None:
    for rule in book.rules:
        assert rule.command in book.bases, rule.name
        about = rule.about if rule.each is None else ()
        named = {*about, *rule.refused, *rule.allowed} - set(book.bases[rule.command])
        assert named <= arguments(book.engine), rule.name


@every_book
def test_the_nearest_allowed_breaks_no_rule_of_the_parser(book: Book) -> None:
    parsed = [rule for rule in book.rules if rule.proof == "parser"]
    for rule in parsed:
        place = replace(rule.place, packages=None, output="", gpus=0)
        allowed = book.setting(book.example(rule, rule.allowed), place, rule.command)
        assert [other.name for other, _ in broken(allowed, parsed)] == [], rule.name


def test_a_small_job_breaks_no_rule() -> None:
    for train in (Train(method="lora"), Train(method="full"), Train(quantization=Quantization(4))):
        assert told({}, train=train) == Report()


def test_the_problem_points_to_the_native_argument() -> None:
    (problem,) = told({"use_galore": True, "optim": "adamw_torch", "pure_bf16": False}).problems
    assert problem.rule == "lora-without-memory-optimizer"
    assert (problem.line, problem.column, problem.key) == (10, 5, "train.native.use_galore")
    assert "train.method is lora" in problem.message


def test_the_problem_points_to_the_job_s_own_key_where_it_is_written() -> None:
    made = job(
        Train(quantization=Quantization(4)),
        places={"train": (3, 1), "train.quantization": (7, 3)},
        written=frozenset({"train.quantization"}),
    )
    (problem,) = told({"resize_vocab": True, "additional_target": "embed_tokens"}, the_job=made).problems
    assert (problem.key, problem.line) == ("train.native.resize_vocab", 10)
    assert key_of(made, "quantization_bit") == "train.quantization"
    (other,) = told({"fp8": True}, the_job=made).problems[:1]
    assert other.message.startswith("and train.quantization are both set")


def test_the_subject_is_named_where_another_key_is_pointed_to() -> None:
    held_out = replace(job(), data=Data((Dataset(Path("/data/train.jsonl")),), eval_share=0.1))
    steps = {"eval_steps": 3, "save_steps": 10, "eval_strategy": "steps", "save_strategy": "steps"}
    made = told({"load_best_model_at_end": True, **steps}, the_job=held_out)
    assert [problem.rule for problem in made.problems] == ["best-needs-a-multiple"]
    (unasked,) = told({"eval_on_start": True, "do_eval": True}).problems
    assert unasked.key == "train.native.do_eval"
    assert unasked.message.startswith("train.eval_every asks for an evaluation")


@pytest.mark.parametrize(
    ("native", "rule"),
    [
        ({"packing": "yes please"}, "boolean-is-text"),
        ({"use_dft_loss": "false"}, "boolean-is-text"),
        ({"neftune_noise_alpha": "5"}, "number-is-text"),
        ({"template": "default"}, "template-literal"),
        ({"streaming": True, "dataloader_num_workers": 1}, "streaming-needs-max-steps"),
        ({"eval_strategy": "epoch"}, "evaluation-needs-rows"),
        ({"flash_attn": "fa3"}, "attention-known"),
    ],
)
def test_what_is_said_of_native_arguments(native: dict[str, Any], rule: str) -> None:
    report = told(native)
    assert rule in {problem.rule for problem in (*report.problems, *report.warnings)}


def test_every_text_that_should_be_true_or_false_is_told() -> None:
    problems = told({"mask_history": "false", "disable_shuffling": "no"}).problems
    assert [(problem.rule, problem.line) for problem in problems] == [
        ("boolean-is-text", 10),
        ("boolean-is-text", 11),
    ]


def test_a_silenced_rule_is_kept_apart() -> None:
    quiet = told({"template": "default"}, the_job=replace(job(), silence=("template-literal",)))
    assert (quiet.problems, quiet.warnings) == ((), ())
    assert [problem.rule for problem in quiet.silenced] == ["template-literal"]


def test_packages_are_asked_for_only_where_they_are_known() -> None:
    made = job(Train(method="lora", native={"use_swanlab": True}))
    plan, _ = decide(made, facts())
    assert not check(plan).problems
    (problem,) = check(plan, packages=frozenset({"torch"})).problems
    assert problem.rule == "use-swanlab-needs-swanlab"
    assert not check(plan, packages=frozenset({"swanlab"})).problems


def test_the_place_is_that_of_the_plan() -> None:
    for gpu, rules in ((V100, ["tf32-needs-a-gpu"]), (A100, [])):
        made = job(Train(method="full", native={"tf32": True}), resources=replace(job().resources, gpus=1))
        plan, _ = decide(made, facts(machine(gpu)))
        assert [problem.rule for problem in check(plan).problems] == rules


def test_the_deepspeed_stage_is_read_from_every_form() -> None:
    config = {"zero_optimization": {"stage": 3}}
    assert Setting({"deepspeed": config}).zero == 3
    assert Setting({"deepspeed": json.dumps(config)}).zero == 3
    assert Setting({"deepspeed": "/some/file.json"}, Place(deepspeed=config)).zero == 3
    assert Setting({"deepspeed": "/some/file.json"}).zero is None
    assert Setting({"deepspeed": "{no json"}).zero is None
    assert Setting({}, Place(deepspeed=config)).zero is None


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m ftctl.rules.reference"
