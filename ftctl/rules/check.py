"""A plan against the rules of its engine: what is wrong, what is doubtful, and what the job silences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ftctl.errors import Problem
from ftctl.facts.model import Facts
from ftctl.job.doubt import SURE, Doubt
from ftctl.job.model import Job, problem_at
from ftctl.job.native import OWNED, own_keys
from ftctl.plan.model import Plan, ServePlan
from ftctl.rules.book import Book
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting
from ftctl.rules.table import book
from ftctl.servers import arguments
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
    doubt: Doubt = SURE,
) -> Report:
    """Every rule that the plan's training breaks.

    `packages` are the distributions in the engine's environment (None: not known), `deepspeed` the content
    of the DeepSpeed file that `native` names. No rule speaks that rests on a key in `doubt`.
    """
    rules = None if plan.train is None else book(plan.train.engine)
    if rules is None:
        return Report()
    trainer = trainer_of(plan)
    place = _place(plan, packages, deepspeed)
    setting = rules.setting(trainer.arguments(plan), place, trainer.program(plan))
    return _report(plan.job, rules, setting, doubt, "train")


def check_serving(
    job: Job, plan: ServePlan, facts: Facts, *, packages: frozenset[str] | None = None, doubt: Doubt = SURE
) -> Report:
    """Every rule that the job's deployment breaks, as `plan` decides it; the rest as for training.

    Raises UsageError where the job asks for what the server lacks.
    """
    rules = None if job.deploy is None else book(plan.engine)
    if rules is None or job.deploy is None:
        return Report()
    place = Place(
        gpus=len(plan.devices),
        packages=packages,
        heads=facts.model.attention_heads,
        model_type=facts.model.model_type,
    )
    (command,) = rules.bases
    setting = rules.setting(arguments(plan, job.deploy), place, command)
    return _report(job, rules, setting, doubt, "deploy")


def broken(setting: Setting, rules: Iterable[Rule]) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """Every broken rule with the arguments that it speaks about, its subject first."""
    for rule in rules:
        if not rule.speaks_of(setting.command) or not rule.broken.holds(setting):
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


def _report(job: Job, rules: Book, setting: Setting, doubt: Doubt, block: str) -> Report:
    told = broken(setting, rules.rules)
    if doubt.keys:
        from ftctl.rules.doubt import certain  # few jobs have mistakes

        told = certain(setting, rules, doubt, job.written)
    found: dict[str, list[Problem]] = {"error": [], "warning": [], "silenced": []}
    for rule, about in told:
        kind = "silenced" if rule.name in job.silence else rule.severity
        found[kind].append(_problem(job, rule, about, block))
    return Report(*(tuple(sorted(problems)) for problems in found.values()))


def _problem(job: Job, rule: Rule, about: tuple[str, ...], block: str) -> Problem:
    """The problem at the first argument that the job writes; the subject is named if it is another."""
    subject = about[0]
    named = next((name for name in about if _written(job, name, block)), subject)
    message = rule.message if named == subject else f"{key_of(job, subject, block)} {rule.message}"
    told = (_told(job, message, block), _told(job, rule.remedy, block))
    made = problem_at(job, key_of(job, named, block), *told)
    return replace(made, rule=rule.name, level=rule.severity)


def _told(job: Job, text: str, block: str) -> str:
    return _ARGUMENT.sub(lambda match: key_of(job, match[1], block), text)


def key_of(job: Job, argument: str, block: str = "train") -> str:
    """The job's key for an engine's argument: the one that is written, or else the job's own for it."""
    native = f"{block}.native.{argument}"
    return _written(job, argument, block) or next(iter(_own(job, argument, block)), native)


def _written(job: Job, argument: str, block: str) -> str | None:
    """The key that the job writes; a server's arguments may be written with hyphens."""
    native = f"{block}.native.{argument}"
    keys = (native, f"{block}.native.{argument.replace('_', '-')}", *_own(job, argument, block))
    found = next((key for key in keys if key in job.written), None)
    inner = (key for key in job.written if key.replace("-", "_").startswith(f"{native}."))
    return found or next(iter(sorted(inner)), None)


def _own(job: Job, argument: str, block: str) -> tuple[str, ...]:
    """The job's own keys for an engine's argument."""
    if block == "train" and job.train is not None and job.train.trainer in OWNED:
        block = job.train.trainer
    return own_keys(argument, block)
