"""Look up what a job's plan rests on: the machine, the model's folder, the data and the engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftctl.data.of_job import look_at_data
from ftctl.engines.locate import locate
from ftctl.errors import FtctlError, Missing, Problem, UsageError, of_kind
from ftctl.facts.asked import Asked
from ftctl.facts.datasets import Watch
from ftctl.facts.deepspeed import deepspeed_faults
from ftctl.facts.hub_cache import revision_fault, snapshot
from ftctl.facts.machine import machine_facts
from ftctl.facts.model import EngineFacts, Facts, MachineFacts, ModelFacts
from ftctl.facts.model_dir import model_facts
from ftctl.job.model import Deploy, Job, problem_at
from ftctl.paths import leases_dir
from ftctl.plan.devices import choose_devices, with_gpus
from ftctl.plan.model import Choice
from ftctl.plan.serve_kind import served_as


@dataclass(frozen=True)
class Found:
    """What was looked up for `job`, which is placed on the machine and names a Hub model's folder if known.

    `problems` and `warnings` are of the files and folders that were looked into.
    """

    job: Job
    facts: Facts
    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def look_up(
    job: Job,
    folder: Path,
    *,
    environ: Mapping[str, str],
    asked: Asked,
    anywhere: bool = False,
    watch: Watch | None = None,
    offline: bool = False,
    leased: tuple[int, ...] | None = None,
) -> Found:
    """Everything that the plan of a job rests on. Its runs are to lie in `folder`.

    With `anywhere` the GPUs that the job asks for are taken to be there; with `leased` there are those alone.
    Raises Missing where one that is asked for is not.
    """
    machine = asked.once(("machine", folder), lambda: machine_facts(folder, environ))
    if anywhere:
        machine = with_gpus(machine, job)
    elif machine.gpus:
        machine = _shared(machine, leased, environ)
    found: list[Problem] = []
    job, fetched = _fetched(_placed(job, machine), offline, environ, found)
    model = _model(job, found, asked)
    data = look_at_data(job, asked, watch, quick=anywhere)
    trainer, server = _engines(job, machine, model, environ, found, asked)
    found += _trackers(job, trainer, environ, anywhere=anywhere)
    facts = Facts(machine, model, data.train, data.eval, trainer, server)
    odd: tuple[Problem, ...] = ()
    if job.evaluate is not None:
        from ftctl.judge.looked_up import look_up_evaluation  # most jobs evaluate nothing

        judged = look_up_evaluation(job, job.evaluate, server, environ, asked, anywhere=anywhere)
        facts = replace(facts, judge=judged.judge, lm_eval=judged.lm_eval, test_data=judged.data)
        found, odd = [*found, *judged.problems], judged.warnings
    problems = (*of_kind("model", [*found, *_deepspeed(job)]), *of_kind("data", data.problems))
    return Found(job, facts, fetched, problems, (*data.warnings, *odd))


def _shared(
    machine: MachineFacts, leased: tuple[int, ...] | None, environ: Mapping[str, str]
) -> MachineFacts:
    """The machine with what its GPUs are occupied with, or with those that were taken for the job."""
    from ftctl.leases.look import occupied  # a machine without GPUs does without it

    if leased is not None:
        return replace(machine, leased=leased)
    return replace(machine, occupied=occupied(machine, leases_dir(environ)))


def _placed(job: Job, machine: MachineFacts) -> Job:
    """The job with its deployment on the devices that trained, one per rank, unless it says otherwise."""
    deploy = job.deploy
    if deploy is None or deploy.gpus is not None:
        return job
    devices, _ = choose_devices(job.resources.gpus, machine)
    if deploy.engine == "lmdeploy" and not devices:
        return job  # it needs a GPU, whatever the training used
    return replace(job, deploy=replace(deploy, gpus=devices[: deploy.ranks] or 0))


def _fetched(
    job: Job, offline: bool, environ: Mapping[str, str], found: list[Problem]
) -> tuple[Job, tuple[Choice, ...]]:
    """The job with a Hub model's folder in the local cache, where the network is not to be used."""
    model = job.model
    if model.revision is not None and model.local:
        what = f"{model.path} is a folder, and a folder has no revisions: it would be taken as it is"
        found.append(problem_at(job, "model.revision", what, "remove it, or name the model's id on the Hub"))
    elif model.revision is not None and (fault := revision_fault(model.revision)):
        found.append(problem_at(job, "model.revision", *fault))
    elif offline and not model.local:
        try:
            if model.hub != "huggingface":
                what = f"only Hugging Face's cache is looked into, and model.hub is {model.hub}"
                raise UsageError(what, "leave --offline out, or name the model's folder")
            folder = snapshot(model.path, model.revision, environ)
        except UsageError as error:
            found.append(problem_at(job, "model", error.message, error.remedy))
        else:
            chosen = Choice("model", str(folder), f"{model.path} in the local cache, as --offline asks")
            return replace(job, model=replace(model, path=str(folder), local=True, revision=None)), (chosen,)
    return job, ()


def _model(job: Job, found: list[Problem], asked: Asked) -> ModelFacts:
    if not job.model.local:
        return ModelFacts(job.model.path, local=False)
    try:
        return asked.once(("model", job.model.path), lambda: model_facts(Path(job.model.path)))
    except FtctlError as error:
        found += of_kind("model", [problem_at(job, "model", error.message, error.remedy)])
        return ModelFacts(job.model.path, local=True)


def _deepspeed(job: Job) -> list[Problem]:
    given = job.train.native.get("deepspeed") if job.train is not None else None
    faults = deepspeed_faults(given) if given is not None else []
    return [problem_at(job, "train.native.deepspeed", message, remedy) for message, remedy in faults]


def _trackers(
    job: Job, engine: EngineFacts | None, environ: Mapping[str, str], *, anywhere: bool
) -> list[Problem]:
    """What the trackers of the job lack."""
    if job.train is None or not (job.train.report_to or job.train.tracking):
        return []
    from ftctl.facts.trackers import tracker_problems  # few jobs report

    return [*of_kind("engine", tracker_problems(job, engine, environ, anywhere=anywhere))]


def _engines(
    job: Job,
    machine: MachineFacts,
    model: ModelFacts,
    environ: Mapping[str, str],
    found: list[Problem],
    asked: Asked,
) -> tuple[EngineFacts | None, EngineFacts | None]:
    """The engines' interpreters: the variant follows from whether GPUs are used."""

    def located(block: str, look: Callable[[], EngineFacts]) -> EngineFacts | None:
        try:
            return look()
        except Missing:
            raise
        except FtctlError as error:
            found.extend(
                of_kind("engine", [problem_at(job, f"{block}.engine_python", error.message, error.remedy)])
            )
            return None

    trainer = server = None
    if job.train is not None:
        train, gpus = job.train, job.resources.gpus
        trackers = tuple(sorted(train.report_to))
        look = partial(_located, train.trainer, gpus, train.engine_python, machine, environ, asked)
        trainer = located("train", partial(look, trackers=trackers))
    if job.deploy is not None:
        deploy, task = job.deploy, job.train.task if job.train is not None else None
        server = located("deploy", lambda: serving(deploy, model, machine, environ, asked, task=task))
    return trainer, server


def _located(
    name: str,
    gpus: int | str | tuple[int, ...] | None,
    python: Path | None,
    machine: MachineFacts,
    environ: Mapping[str, str],
    asked: Asked,
    *,
    trackers: tuple[str, ...] = (),
) -> EngineFacts:
    chosen = variant(gpus, machine)
    look = partial(locate, name, chosen, python=python, environ=environ, trackers=trackers)
    return asked.once(("engine", name, chosen, python, trackers), look)


def serving(
    deploy: Deploy,
    model: ModelFacts,
    machine: MachineFacts,
    environ: Mapping[str, str],
    asked: Asked,
    *,
    task: str | None = None,
) -> EngineFacts:
    """The engine that serves, chosen where the job leaves it open. `task` is how the model is going to be
    trained. Raises UsageError for an interpreter that cannot be run, Missing for a GPU that is not there."""

    def look(name: str) -> EngineFacts:
        return _located(name, deploy.gpus, deploy.engine_python, machine, environ, asked)

    if deploy.engine != "auto":
        return look(deploy.engine)
    from ftctl.plan.serve_engine import choose_server  # a job that names its engine does without it

    gpus = variant(deploy.gpus, machine) == "cuda"
    names = ("vllm", "lmdeploy") if gpus and deploy.engine_python is None else ("vllm",)
    found = {name: look(name) for name in names}
    name, why = choose_server(
        deploy,
        kind=_kind(model, task),
        gpus=gpus,
        installed=frozenset(name for name, engine in found.items() if engine.installed),
    )
    return replace(found[name], why=why)


def _kind(model: ModelFacts, task: str | None) -> str:
    """What the model is served as; where that is refused, it is said when it is planned."""
    if task is not None:
        return {"embedding": "embed", "reranker": "score"}.get(task, "generate")
    try:
        return served_as(model, None).kind
    except UsageError:
        return "generate"


def variant(gpus: int | str | tuple[int, ...] | None, machine: MachineFacts) -> str:
    """Which variant of an engine the devices ask for: cuda where any GPU is used, else cpu."""
    devices, _ = choose_devices(gpus, machine)
    return "cuda" if devices else "cpu"
