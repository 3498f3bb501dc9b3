"""Rendered steps outside a run: as text, as data, and as a folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.plan.model import Plan
from ftctl.prepare import rendered
from ftctl.record import to_record
from ftctl.rendered import Rendered
from ftctl.run.directory import RunDir
from ftctl.servers import server
from ftctl.trainers.table import trainer_of

Steps = Mapping[str, Rendered]


def command_line(step: Rendered) -> str:
    """The command as a shell would take it, for people to read and copy; ftctl itself uses no shell."""
    changes = [f"{name}={value}" for name, value in sorted(step.env.items()) if value is not None]
    removed = [word for name, value in sorted(step.env.items()) if value is None for word in ("-u", name)]
    return shlex.join(["env", *removed, *changes, *step.argv])


def all_steps(plan: Plan) -> dict[str, Rendered]:
    """The engines' commands of a plan, the server's last. A port that is not set yet is shown as 0."""
    steps = rendered(plan) if plan.train is not None else {}
    deploy, engine = plan.job.deploy, plan.facts.server
    if plan.serve is None or deploy is None or engine is None:
        return steps
    result = (
        trainer_of(plan).results(plan) if plan.train is not None else {"model": Path(plan.job.model.path)}
    )
    kind = "adapter" if plan.serve.adapter == "attach" else "model"
    rank = plan.job.train.lora.rank if plan.job.train is not None else None
    path = result["adapter"] if kind == "adapter" else result.get("merged", result.get("model", Path()))
    artifact = Artifact(kind, path, plan.job.model.path, lora_rank=rank)
    serve = server(plan.serve.engine).render(
        plan.serve, deploy, artifact, python=engine.python, port=deploy.port or 0, machine=plan.facts.machine
    )
    return {**steps, "serve": serve}


def as_text(steps: Steps) -> str:
    """Every file under its name, then every command."""
    parts = []
    for name, step in steps.items():
        parts += [f"# {file}\n{content}" for file, content in step.files.items()]
        parts += [f"# {link} -> {target}" for link, target in step.links.items()]
        parts.append(f"# {name}\n{command_line(step)}\n")
    return "\n".join(parts).rstrip("\n")


def as_data(steps: Steps) -> dict[str, Any]:
    """The steps as the JSON envelope carries them."""
    return {"steps": [{"name": name, **to_record(step)} for name, step in steps.items()]}


def write(steps: Steps, folder: Path) -> None:
    """Write files and links into `folder`. Raises UsageError where something else is in the way."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", "choose another, or empty it")
    target = RunDir(folder)
    for step in steps.values():
        for name, content in step.files.items():
            target.write(name, content)
        for name, path in step.links.items():
            target.link(name, path)
