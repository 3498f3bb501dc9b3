"""From a run to a deployment: what the plan decided, handed to the deployments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments.behind import serve
from ftctl.deployments.checks import check_deploy
from ftctl.errors import FtctlError, Interrupted
from ftctl.facts.model_dir import model_facts
from ftctl.leases.hold import held_here
from ftctl.leases.of_job import lease_to_serve
from ftctl.plan.model import Plan
from ftctl.run.directory import STOP, RunDir
from ftctl.supervise.ahead import ServerAhead


def deploy(run: RunDir, plan: Plan, artifact: Artifact, ahead: ServerAhead) -> None:
    """Serve `artifact` as the job asks, and record the deployment as an event."""
    block, engine = plan.job.deploy, plan.facts.server
    if block is None or engine is None:
        raise FtctlError("the plan has no deployment")
    served = model_facts(artifact.path) if artifact.kind == "model" else plan.facts.model
    lease = held_here().only(plan.serve.devices if plan.serve is not None else ())
    begun = ahead.begun
    more: dict[str, Any] = {} if begun is None else {"ahead": begun}
    deployment = serve(
        artifact,
        block,
        name=block.name or plan.job.name,
        engine=engine,
        machine=plan.facts.machine,
        model_facts=served,
        run=run.path,
        emit=lambda kind, data: _tell(run, kind, data),
        trust_remote_code=plan.job.model.trust_remote_code,
        lease=lease,
        lend=lambda member: lease_to_serve(
            block, member, plan.facts.machine, engine.variant, wait=False, say=lambda text: None
        ),
        **more,
    )
    ahead.take()
    told = {"name": deployment.name, "state": "ready", "url": deployment.url, "model": deployment.model}
    parity = {} if deployment.parity is None else {"parity": asdict(deployment.parity)}
    run.emit("deployment", {**told, **parity})


def check_place(plan: Plan) -> None:
    """What would keep the deployment from starting, known before hours of training.

    Raises UsageError where its name or key cannot be used, Missing where its port is taken.
    """
    block = plan.job.deploy
    if block is not None:
        check_deploy(block, block.name or plan.job.name, os.environ)


def _tell(run: RunDir, kind: str, data: Mapping[str, object]) -> None:
    """Pass the server's progress on; a stop that was asked for ends the waiting."""
    if (run.path / STOP).exists():
        raise Interrupted("stopped while the server was starting")
    run.emit(kind, data)
