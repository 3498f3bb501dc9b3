"""A plan against the rules of its engine: what is wrong, what is doubtful, and what the job silences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ftctl.errors import Problem
from ftctl.job.model import Job, problem_at
from ftctl.job.native import OWNED, SAME
from ftctl.plan.model import Plan
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting
from ftctl.rules.table import book
from ftctl.trainers.table import trainer_of

_ARGUMENT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Report:
    """What the rules say of one job, each in file order. `silenced` are those that `silence:` names."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    silenced: tuple[Problem, ...] = ()


def check(
    plan: Plan,
    *,
    packages: frozenset[str] | None = None,
    deepspeed: Mapping[str, Any] | None = None,
) -> Report:
    """Every rule that the plan's training breaks.

    `packages` are the distributions in the engine's environment (None: not known), `deepspeed` the content
    of the DeepSpeed file that `native` names.
    """
    rules = None if plan.train is None else book(plan.train.engine)
    if rules is None:
        return Report()
    trainer = trainer_of(plan)
    place = _place(plan, packages, deepspeed)
    setting = rules.setting(trainer.arguments(plan), place, trainer.program(plan))
    return _report(plan.job, setting, rules.rules)


def broken(setting: Setting, rules: Iterable[Rule]) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """Every broken rule with the arguments that it speaks about, its subject first."""
    for rule in rules:
        if rule.command != setting.command or not rule.broken.holds(setting):
            continue
        if rule.each is None:
            yield rule, rule.about
        else:
            yield from ((rule, (name,)) for name in rule.about if rule.each(name).holds(setting))


def _place(plan: Plan, packages: frozenset[str] | None, deepspeed: Mapping[str, Any] | None) -> Place:
    if plan.train is None:
        raise ValueError("a plan without training was given to the rules")
    devices = plan.train.devices
    capabilities = [gpu.capability for gpu in plan.facts.machine.gpus if gpu.index in devices]
    known = all(capabilities) and bool(capabilities)
    return Place(
        gpus=len(devices),
        world_size=plan.train.world_size,
        bf16=all((capability or 0) >= 8 for capability in capabilities) if known else None,
        packages=packages,
        deepspeed=deepspeed,
    )


def _report(job: Job, setting: Setting, rules: Iterable[Rule]) -> Report:
    found: dict[str, list[Problem]] = {"error": [], "warning": [], "silenced": []}
    for rule, about in broken(setting, rules):
        kind = "silenced" if rule.name in job.silence else rule.severity
        found[kind].append(_problem(job, rule, about))
    return Report(*(tuple(sorted(problems)) for problems in found.values()))


def _problem(job: Job, rule: Rule, about: tuple[str, ...]) -> Problem:
    """The problem at the first argument that the job writes; the subject is named if it is another."""
    subject = about[0]
    named = next((name for name in about if _written(job, name)), subject)
    message = rule.message if named == subject else f"{key_of(job, subject)} {rule.message}"
    made = problem_at(job, key_of(job, named), _told(job, message), _told(job, rule.remedy))
    return replace(made, rule=rule.name, level=rule.severity)


def _told(job: Job, text: str) -> str:
    return _ARGUMENT.sub(lambda match: key_of(job, match[1]), text)


def key_of(job: Job, argument: str) -> str:
    """The job's key for an engine's argument: the one that is written, or else the job's own for it."""
    return _written(job, argument) or next(iter(_own(job, argument)), f"train.native.{argument}")


def _written(job: Job, argument: str) -> str | None:
    keys = (f"train.native.{argument}", *_own(job, argument))
    return next((key for key in keys if key in job.written), None)


def _own(job: Job, argument: str) -> tuple[str, ...]:
    """The job's own keys for an engine's argument."""
    other = job.train is not None and job.train.trainer in OWNED
    names = job.train.trainer if job.train is not None and other else "train"
    owned = OWNED[names].get(argument)
    return (owned,) if owned else SAME[names].get(argument, ())
