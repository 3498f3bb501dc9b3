"""Evaluates the models of a run: the base that it began with, and its own through its deployment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftctl.artifacts.dummy import DUMMY
from ftctl.artifacts.model import Artifact
from ftctl.deployments.planned import planned
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts, MachineFacts
from ftctl.facts.model_dir import model_facts
from ftctl.job.model import Deploy, Evaluate, Job
from ftctl.judge.ask_chat import endpoint_of
from ftctl.judge.ask_tasks import ask_tasks, done, tokenizer_of
from ftctl.judge.base import base_folder, key_of, lay_out
from ftctl.judge.count import compare, count
from ftctl.judge.evaluate import (
    BASE,
    COMPARISON,
    EVALUATIONS,
    FIGURES,
    REQUEST,
    TUNED,
    Model,
    Wanted,
    answer,
    begin,
    check_errors,
    complete,
    read,
    write,
)
from ftctl.judge.measure import scratch_in
from ftctl.judge.records import unanswered
from ftctl.judge.serving import name_of, served_for_a_while
from ftctl.leases.hold import Lease
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir

Serving = Callable[[], AbstractContextManager[Entry]]  # gives a deployment for as long as it is asked
Tell = Callable[[str, Mapping[str, Any]], None]  # told: which model, and what of it; may raise to end it


@dataclass(frozen=True)
class Case:
    """What the evaluations of one run share. `place` is the folder that they lie in, `judge` the interpreter
    that asks and counts, `lm_eval` the one that asks tasks, where any are wanted; `tell` may raise to end
    them."""

    run: Path
    place: Path
    job: Job
    wanted: Wanted
    deploy: Deploy
    server: EngineFacts
    machine: MachineFacts
    judge: Path
    lease: Lease
    tell: Tell
    lm_eval: Path | None = None

    def told(self, model: str) -> Callable[[Mapping[str, Any]], None]:
        """What passes on how far the questions of one model are."""
        return lambda said: self.tell(model, {k: said[k] for k in ("done", "total", "errors") if k in said})

    def counting(self, model: str) -> Callable[[str, int, int], None]:
        """What passes on how far the counting is."""
        return lambda doing, done, total: self.tell(model, {"detail": f"{doing}: {done} of {total}"})


def identity(artifact: Artifact, server: EngineFacts) -> dict[str, Any]:
    """What a model's answers follow from, beside how it is asked."""
    engine = f"{server.name} {server.version or 'of unknown version'} ({server.variant})"
    known = dict(artifact.hashes) or {"path": str(artifact.path)}
    return {"hashes": known, "engine": engine}


def evaluate_base(case: Case, plan: Plan, tuned: Artifact) -> Path:
    """Serve the base model for a while as the trained one is served, and have it answer; its folder.

    An earlier run's answers are taken where they follow from the very same. Raises FtctlError where the base
    cannot be served or more questions than the job allows get no answer, Interrupted.
    """
    with scratch_in(case.run) as scratch:
        artifact = tuned
        if case.server.name != DUMMY:  # a dummy serves nothing but what a dummy has made
            artifact = lay_out(base_folder(plan, os.environ), scratch / BASE, None, tuned)
        folder = case.place / BASE
        request = begin(folder, case.wanted, Model(BASE, identity(artifact, case.server)))
        key = _key(case, artifact, str(request["digest"]))
        request = {**request, "key": key}
        write(folder / REQUEST, request)
        if _is_counted(folder, request, case.wanted.block) or _taken(case, folder, request):
            return folder
        name = name_of(case.deploy.name or case.job.name, BASE, case.run.name)
        with served_for_a_while(
            artifact,
            case.deploy,
            name=name,
            engine=case.server,
            machine=case.machine,
            lease=case.lease,
            say=lambda detail: case.tell(BASE, {"detail": detail}),
            trust_remote_code=case.job.model.trust_remote_code,
        ) as entry:
            why = _asked(case, folder, request, entry, BASE)
    check_errors(folder, case.wanted.block, why)
    return folder


def evaluate_tuned(
    case: Case, artifact: Artifact, served: Callable[[], AbstractContextManager[Entry]]
) -> Path:
    """Have the run's own model answer through a deployment, which is not asked for where all is answered and
    counted already; its folder.

    Raises FtctlError where more questions than the job allows get no answer: the figures are there all the
    same, and these count as the worst.
    """
    folder = case.place / TUNED
    request = begin(folder, case.wanted, Model(TUNED, identity(artifact, case.server)))
    if _is_counted(folder, request, case.wanted.block):
        return folder
    with served() as entry:
        why = _asked(case, folder, request, entry, TUNED)
    check_errors(folder, case.wanted.block, why)
    return folder


def _asked(case: Case, folder: Path, request: Mapping[str, Any], entry: Entry, model: str) -> str:
    """Ask what is missing and count the figures; why the server was given up, if it was."""
    endpoint = endpoint_of(entry)
    why, block = "", case.wanted.block
    if request["rows"]:  # a job may ask for tasks alone
        why = answer(folder, request, endpoint, block, case.judge, case.told(model))
        count(folder, block, case.judge, endpoint, case.counting(model))
    if case.lm_eval is not None:
        tokenizer, identity = tokenizer_of(entry), request["identity"]
        ask_tasks(folder, block, endpoint, tokenizer, identity, case.lm_eval, case.counting(model))
    return why


def _key(case: Case, artifact: Artifact, digest: str) -> str:
    """What the base model's answers follow from, as one hash: files, questions, and how it is served."""
    serve = planned(
        artifact,
        replace(case.deploy, name=None),
        case.deploy.name or case.job.name,
        model_facts(artifact.path),
        case.machine,
        case.server,
        trust=case.job.model.trust_remote_code,
    )
    engine = str(identity(artifact, case.server)["engine"])
    return key_of(artifact, serve, case.deploy.native, engine, digest)


def _is_counted(folder: Path, request: Mapping[str, Any], block: Evaluate) -> bool:
    """Whether there is nothing left to do: all answered, and these metrics counted of it."""
    counted = not request["rows"] or (complete(folder) and request.get("counted") == request["counting"])
    return counted and done(folder, block, request["identity"])


def _taken(case: Case, folder: Path, request: Mapping[str, Any]) -> bool:
    """Whether an earlier run had the very same answers and figures: then they are copied here."""
    runs = case.run.parent.parent
    places = sorted(runs.glob(f"*/*/{EVALUATIONS}/{BASE}"), key=lambda one: one.parents[1].name, reverse=True)
    for place in places:
        before = read(place / REQUEST)
        same = all(before.get(name) == request[name] for name in ("key", "digest", "counting"))
        if (
            place == folder
            or not same
            or before.get("reused_from")
            or not _is_counted(place, before, case.wanted.block)
        ):
            continue
        for file in sorted(place.iterdir()):
            if file.is_file() and file.name not in (REQUEST, "questions.jsonl"):
                shutil.copyfile(file, folder / file.name)
        taken = {
            **request,
            "counted": request["counting"],
            "reused_from": place.parents[1].name,
            "seconds": before.get("seconds", 0.0),
        }
        write(folder / REQUEST, taken)
        return True
    return False


def compared(case: Case, other: Path) -> str:
    """Write how the answers differ from those in `other`; why that cannot be said, if it cannot."""
    if not read(case.place / TUNED / REQUEST)["rows"]:
        return ""  # tasks alone were asked: there are no questions to pair
    if why := unanswered(RunDir(other)):
        return f"{why}, which would make the other the better one"
    return compare(other, case.place / TUNED, case.judge, case.place / COMPARISON, case.counting(TUNED))


def figures_of(folder: Path) -> dict[str, float]:
    """The value of every figure that was counted."""
    found = read(folder / FIGURES).get("figures") or {}
    return {name: one["value"] for name, one in found.items()}


def summary(place: Path, other: Path | None = None, note: str = "") -> dict[str, Any]:
    """What came of the evaluations in `place`, as events and envelopes carry it; `other` is what they are
    compared with, where that is not the base that lies there."""
    own = read(place / TUNED / FIGURES)
    tuned, base = figures_of(place / TUNED), figures_of(other or place / BASE)
    return {
        "answers": own.get("answers"),
        "tuned": tuned,
        "base": base or None,
        "difference": {name: value - base[name] for name, value in tuned.items() if name in base},
        "figures": own.get("figures") or {},
        "notes": [*(own.get("notes") or ()), *([note] if note else ())],
    }


def check_case(plan: Plan) -> tuple[Deploy, EngineFacts, EngineFacts]:
    """The plan's deployment, its server and its judge. Raises FtctlError for a plan that lacks one."""
    deploy, server, judge = plan.job.deploy, plan.facts.server, plan.facts.judge
    if deploy is None or server is None or judge is None:
        raise FtctlError("the plan evaluates nothing")
    return deploy, server, judge
