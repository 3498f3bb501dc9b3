"""Makes sure of what a deployment needs: its engine, its GPUs, and that its server's rules are kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.deployments.planned import planned
from ftctl.deployments.target import Target
from ftctl.engines.install import ensure
from ftctl.errors import JobError
from ftctl.facts.asked import Asked
from ftctl.facts.machine import machine_facts
from ftctl.facts.model import EngineFacts, Facts, MachineFacts, ModelFacts
from ftctl.facts.model_dir import model_facts
from ftctl.facts.packages import packages_of
from ftctl.leases.hold import Lease
from ftctl.leases.of_job import lease_to_serve
from ftctl.looked_up import serving
from ftctl.plan.model import Plan
from ftctl.rules.check import check_serving
from ftctl.view.output import say
from ftctl.view.warnings import show_warnings


def made_sure(found: Target, *, install: bool, wait: bool) -> dict[str, Any]:
    """What start() needs besides the way to report: the engine made sure of, its GPUs taken, all looked up.

    Raises JobError where the server's rules are broken, Missing where its GPUs are not free.
    """

    deploy, artifact = found.deploy, found.artifact
    machine = machine_facts(Path.cwd(), os.environ)
    weights = Path(artifact.base or "") if artifact.kind == "adapter" else artifact.path
    known = weights.is_absolute()
    model = model_facts(weights) if known else ModelFacts(str(weights), local=False)
    engine = serving(deploy, model, machine, os.environ, Asked())
    _check_rules(found, machine, model, engine)
    if not engine.installed:
        engine = ensure(engine.name, engine.variant, install=install, report=say)

    def lend(member: str) -> Lease:
        return lease_to_serve(deploy, member, machine, engine.variant, wait=wait, say=say)

    lease = lend(found.name)
    return {
        "artifact": artifact,
        "deploy": deploy,
        "name": found.name,
        "engine": engine,
        "machine": replace(machine, leased=lease.gpus) if lease.gpus else machine,
        "lease": lease,
        "lend": lend,
        "model_facts": model,
        "run": found.run,
        "trust_remote_code": found.trust_remote_code,
    }


def _check_rules(found: Target, machine: MachineFacts, model: ModelFacts, engine: EngineFacts) -> None:
    """Say what the server's own rules have against it, before it spends its imports on the same.

    Raises JobError with every rule that is broken.
    """

    trust, facts = found.trust_remote_code, Facts(machine, model)
    plan = planned(found.artifact, found.deploy, found.name, model, machine, engine, trust=trust)
    job = replace(found.job, deploy=found.deploy)
    packages = packages_of(engine.python) if engine.installed else None
    report = check_serving(job, plan, facts, packages=packages)
    if report.problems:
        raise JobError(report.problems)
    show_warnings(Plan(job, facts, None, plan, (), report.warnings, report.silenced))
