"""What an artifact is served as: the plan for what it turned out to be, and the record of its server."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import saved_template, usual_kwargs
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.weights import read_template
from ftctl.deployments.adapters import look_at
from ftctl.deployments.model import Deployment
from ftctl.deployments.overlay import overlay_links, overlay_template
from ftctl.errors import UsageError
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.plan.serve import plan_serve
from ftctl.process import NOBODY
from ftctl.servers.lmdeploy import OVERLAY, serves_overlay
from ftctl.servers.vllm_lora import taken_rank


def planned(
    artifact: Artifact,
    deploy: Deploy,
    name: str,
    facts: ModelFacts,
    machine: MachineFacts,
    engine: EngineFacts,
    *,
    trust: bool,
) -> ServePlan:
    """The plan for what the artifact really is, whatever the job foresaw.

    Raises UsageError for values that contradict each other, Missing for a GPU that is not there.
    """
    attach = artifact.kind == "adapter"
    base = str(artifact.base if attach else artifact.path)
    looked = look_at(deploy.adapters or {}, base, artifact.path if attach else None)
    plan, _ = plan_serve(
        deploy,
        name=name,
        model=facts,
        machine=machine,
        adapter="attach" if attach else "none",
        engine=engine,
        trust_remote_code=trust,
        chat_template=looked.template,
        adapters=None if deploy.adapters is None else looked.folders,
        lora_rank=looked.rank,
    )
    return replace(plan, template_kwargs=usual_kwargs(artifact.path)) if plan.kind == "generate" else plan


def base_of(artifact: Artifact, plan: ServePlan) -> str:
    """The weights that the server loads first."""
    return str(artifact.base if plan.adapter == "attach" else artifact.path)


def recorded(name: str, plan: ServePlan, artifact: Artifact, url: str, folder: Path) -> Deployment:
    """What is known of a server before it is started."""
    return Deployment(
        name,
        plan.engine,
        plan.name,
        url,
        NOBODY,
        time.time(),
        str(folder),
        str(artifact.path),
        base=base_of(artifact, plan),
        adapters=plan.adapters,
        lora_rank=taken_rank(plan, artifact),
        template=plan.chat_template,
        **_use(plan),
    )


def _use(plan: ServePlan) -> dict[str, Any]:
    """What a client must know of the kind: a language model's prompts are in the server's own template."""
    if plan.kind == "generate":
        return {}
    if plan.head == "yes":
        return {"kind": plan.kind}
    prompts = {"query_prompt": plan.query_prompt, "passage_prompt": plan.passage_prompt}
    return {"kind": plan.kind, "query_suffix": plan.query_suffix, **prompts}


def overlaid(
    plan: ServePlan, artifact: Artifact, files: dict[str, str]
) -> tuple[dict[str, str], dict[str, Path]]:
    """The files and links by which LMDeploy gets a chat template that is not the model's own, or that is told
    something unasked, beside the `files` that there are."""
    if not serves_overlay(plan):
        return files, {}
    model = Path(artifact.base or "") if artifact.kind == "adapter" else artifact.path
    if not model.is_dir():
        raise UsageError(
            f"LMDeploy takes the trained chat template from the model's folder, and {model} is none",
            "fetch the model and name its folder, or set deploy.engine: vllm",
        )
    own = saved_template(model) if plan.chat_template is None else read_template(Path(plan.chat_template))
    return files | overlay_template(own, plan.template_kwargs, OVERLAY), overlay_links(model, OVERLAY)
