"""From a run to a deployment: what the plan decided, handed to the deployments."""

from __future__ import annotations

from ftctl.artifacts.model import Artifact
from ftctl.deployments.start import start
from ftctl.errors import FtctlError
from ftctl.facts.model_dir import model_facts
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir


def deploy(run: RunDir, plan: Plan, artifact: Artifact) -> None:
    """Serve `artifact` as the job asks, and record the deployment as an event."""
    block, engine = plan.job.deploy, plan.facts.server
    if block is None or engine is None:
        raise FtctlError("the plan has no deployment")
    served = model_facts(artifact.path if artifact.kind == "model" else plan.job.model.path)
    deployment = start(
        artifact,
        block,
        name=block.name or plan.job.name,
        engine=engine,
        machine=plan.facts.machine,
        model_facts=served,
        run=run.path,
        emit=lambda kind, data: run.emit(kind, data) and None,
    )
    run.emit(
        "deployment",
        {"name": deployment.name, "state": "ready", "url": deployment.url, "model": deployment.model},
    )
