"""Advice: what it sees in a plan and in the course of a training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.advice.course import Course
from ftctl.advice.origin import origin, size
from ftctl.advice.plan import LOOKS, advised, look
from ftctl.advice.reference import reference
from ftctl.advice.table import BY_NAME, NOTES
from ftctl.events import Event
from ftctl.facts.model import DatasetFacts, Facts, Gpu, MachineFacts, ModelFacts
from ftctl.job.model import Data, Dataset, Job, Model, Resources
from ftctl.job.training import EarlyStopping, Lora, Quantization, Train
from ftctl.paths import bundled
from ftctl.plan.model import Plan, TrainPlan

ROWS = Path("rows.jsonl")


def plan(
    *, rate: float = 1e-4, rows: int = 500, name: str = "any/model", model: ModelFacts | None = None,
    gpus: tuple[int, ...] = (), steps: int | None = None, silence: tuple[str, ...] = (), **train: Any,
) -> Plan:  # fmt: skip
    """A plan that calls for nothing, changed as asked; `gpus` are their memories in GiB."""
    asked = Train(**{"method": "lora", "epochs": 3.0, **train})
    block = Data((Dataset(ROWS),))
    job = Job(
        "n", Model(name, local=False), block, asked, Resources(), None, Path("job.yaml"), "", silence=silence
    )
    machine = MachineFacts(
        tuple(Gpu(index, "any", memory * 2**30) for index, memory in enumerate(gpus)), None, 1, 0, 0
    )
    data = (DatasetFacts(ROWS, "alpaca", "jsonl", rows, 1, ""),)
    facts = Facts(machine, model or ModelFacts(name, local=False), data)
    made = TrainPlan("llamafactory", tuple(range(len(gpus))), 1, 1, 1, 1, rate, "fp32", None, steps)
    return Plan(job, facts, made, None, ())


TINY = ModelFacts("any/model", local=True, parameters=9_000_000)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, []),
        ({"rate": 5e-4}, []), ({"rate": 6e-4}, ["learning-rate-high"]),
        ({"rate": 9e-6}, ["learning-rate-low"]),
        ({"rate": 1e-4, "method": "full"}, ["learning-rate-high"]), ({"rate": 1e-5, "method": "full"}, []),
        ({"rate": 1e-4, "task": "dpo"}, ["learning-rate-high"]), ({"rate": 5e-6, "task": "dpo"}, []),
        ({"rate": 1.0, "model": TINY}, []),
        ({"epochs": 3.1}, ["epochs-many"]), ({"epochs": 9.0, "early_stopping": EarlyStopping()}, []),
        ({"epochs": 0.5}, ["epochs-few"]),
        ({"epochs": 0.5, "task": "pretrain"}, []),
        ({"epochs": 9.0, "max_steps": 10, "steps": 10}, []), ({"epochs": 9.0, "max_steps": 10}, []),
        ({"max_steps": 41, "steps": 10}, ["epochs-many"]), ({"max_steps": 9, "steps": 10}, ["epochs-few"]),
        ({"lora": Lora(rank=2)}, ["lora-rank-low"]), ({"lora": Lora(rank=128)}, ["lora-rank-high"]),
        ({"lora": Lora(rank=2), "method": "full", "rate": 1e-5}, []),
        ({"lora": Lora(rank=16, alpha=8)}, ["lora-alpha-low"]), ({"lora": Lora(rank=16, alpha=16)}, []),
        ({"lora": Lora(rank=16, alpha=8, rslora=True)}, []),
        ({"rows": 299, "name": "any/m-base"}, ["base-with-few-rows"]),
        ({"rows": 300, "name": "any/m-base"}, []), ({"rows": 1000, "name": "any/m-it"}, []),
        ({"rows": 1001, "name": "any/m-it"}, ["instruct-with-many-rows"]),
        ({"rows": 1001, "name": "any/m-it", "task": "dpo", "rate": 5e-6}, []),
        ({"rows": 20}, []), ({"rows": 100_000}, []),
        ({"name": "any/m-8B", "gpus": (16,)}, ["memory-short"]), ({"name": "any/m-8B", "gpus": (24,)}, []),
        ({"name": "any/m-8B", "gpus": (16,), "quantization": Quantization(4)}, []),
        ({"name": "any/m-8B", "gpus": (80,), "method": "full", "rate": 1e-5}, ["memory-short"]),
        ({"name": "any/m-8B", "gpus": (80, 80), "method": "full", "rate": 1e-5,
          "native": {"deepspeed": "z3.json"}}, []),
        ({"gpus": (1,)}, []), ({"name": "any/m-8B", "gpus": (0,)}, []),
        ({"task": "embedding", "rate": 1.0, "epochs": 99.0}, []),
    ],
)  # fmt: skip
def test_what_a_plan_calls_for(change: dict[str, Any], named: list[str]) -> None:
    assert [name for name, _ in look(plan(**change))] == named


@pytest.mark.parametrize(
    ("path", "template", "kind"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", None, "instruct"), ("google/gemma-3-4b-it", None, "instruct"),
        ("meta/Llama-2-7b-chat-hf", None, "instruct"), ("Qwen/Qwen3-8B-Base", None, "base"),
        ("google/gemma-3-4b-pt", None, "base"), ("Qwen/Qwen3-8B", None, None), ("Qwen/Qwen3-8B", True, None),
        ("/models/mine", False, "base"), ("/models/mine", True, None), ("/models/edits", None, None),
        ("/cache/models--Qwen--Qwen3-8B-Base/snapshots/abc", True, "base"),
        ("any/Model-Instruct-2507", None, "instruct"),
    ],
)  # fmt: skip
def test_how_the_kind_of_a_model_is_known(path: str, template: bool | None, kind: str | None) -> None:
    found = origin(path, template)
    assert (found.kind if found is not None else None) == kind


def test_the_size_of_a_model_is_that_of_its_weights_before_that_of_its_name() -> None:
    assert size(ModelFacts("Qwen/Qwen3-0.6B", local=False)) == 600_000_000
    assert size(ModelFacts("any/7b-model", local=True, parameters=5)) == 5
    assert size(ModelFacts("any/model", local=False)) is None


def test_a_silenced_note_is_kept_apart() -> None:
    made = advised(plan(rate=1.0, epochs=9.0, silence=("epochs-many",)))
    assert [note.rule for note in made.notes] == ["learning-rate-high"]
    assert [note.rule for note in made.silenced] == ["epochs-many"]
    assert advised(plan()) == plan()


def steps(*losses: float, first: int = 1) -> Iterator[Event]:
    yield from (Event("step", 0.0, {"step": first + n, "loss": loss}) for n, loss in enumerate(losses))


def evaluation(step: int, loss: float) -> Event:
    return Event("evaluation", 0.0, {"step": step, "metrics": {"eval_loss": loss}})


def called(course: Course, *events: Event) -> list[str]:
    return [name for event in events for name, _ in course.see(event)]


def test_a_loss_near_zero_is_one_of_ten_steps() -> None:
    assert called(Course("sft"), *steps(*[0.1] * 9)) == []
    assert called(Course("sft"), *steps(*[0.1] * 10)) == ["loss-near-zero"]
    assert called(Course("sft"), *steps(2.0, *[0.1] * 9)) == []
    assert called(Course("dpo"), *steps(*[0.0] * 20)) == []
    again = (*steps(*[0.1] * 9), Event("attempt", 0.0, {"step": 4}), *steps(*[0.1] * 9, first=5))
    assert called(Course("sft"), *again) == []


@pytest.mark.parametrize(
    ("evaluated", "trained", "called_for"),
    [
        ((1.0, 1.1, 1.2), (2.0, 1.5, 1.0), True),
        ((1.0, 1.1), (2.0, 1.5), False),
        ((1.0, 1.2, 1.1), (2.0, 1.5, 1.0), False),  # it falls again
        ((1.0, 1.001, 1.002), (2.0, 1.5, 1.0), False),  # hardly
        ((1.0, 1.1, 1.2), (1.0, 1.5, 2.0), False),  # so does the training loss
        ((1.4, 1.2, 1.0, 1.1, 1.3), (5.0, 4.0, 3.0, 2.0, 1.0), True),
    ],
)
def test_an_evaluation_that_rises(
    evaluated: tuple[float, ...], trained: tuple[float, ...], called_for: bool
) -> None:
    course, found = Course("sft"), []
    for n, (loss, own) in enumerate(zip(evaluated, trained, strict=True)):
        found += called(course, *steps(own, first=n), evaluation(n, loss))
    assert found == (["evaluation-rises"] if called_for else [])


def test_an_attempt_takes_back_the_evaluations_after_its_step() -> None:
    course = Course("sft")
    seen = [*steps(3.0), evaluation(1, 1.0), *steps(2.0), evaluation(2, 1.1)]
    assert called(course, *seen, Event("attempt", 0.0, {"step": 1}), *steps(1.0), evaluation(2, 1.2)) == []
    assert called(course, *steps(0.9), evaluation(3, 1.3)) == ["evaluation-rises"]


def test_every_note_has_a_look_a_reason_and_a_source() -> None:
    assert [*BY_NAME] == [*LOOKS, "loss-near-zero", "evaluation-rises"] and len(BY_NAME) == len(NOTES)
    for note in NOTES:
        assert note.reason and note.remedy and note.when
        assert note.sources and all(source.address.startswith("https://") for source in note.sources)


def test_the_page_is_the_table() -> None:
    page = bundled("schemas").parent / "docs" / "advice.md"
    assert page.read_text() == reference(), "run python -m ftctl.advice.reference"
