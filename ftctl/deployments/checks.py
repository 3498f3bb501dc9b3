"""What must be right before a server is started, looked at in milliseconds instead of after its imports."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from ftctl.artifacts.model import Artifact
from ftctl.artifacts.weights import read_json
from ftctl.deployments import store
from ftctl.deployments.canary import prompts_of
from ftctl.deployments.ports import free_port, holder, is_free
from ftctl.deployments.proxy import program
from ftctl.errors import Missing, UsageError
from ftctl.facts.model import EngineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.plan.model_checks import served_code
from ftctl.servers.vllm_lora import refusals

REFERENCE = re.compile(r"\$\{env:(\w+)\}")
LONGEST = 58  # characters of the name of one behind a proxy: its servers have a number more
TOKEN = re.compile(r"[\x21-\x7e]+")


def check_engine(engine: EngineFacts) -> None:
    """Raises Missing where the engine's interpreter is not there."""
    if not engine.python.is_file() or not os.access(engine.python, os.X_OK):
        raise Missing(
            f"{engine.name} has no interpreter at {engine.python}", f"ftctl engines install {engine.name}"
        )


def check_artifact(artifact: Artifact, engine: str) -> None:
    """Raises UsageError where a folder does not hold what it is served as, or the engine does not take it."""
    if artifact.kind == "hub":
        return
    if artifact.kind == "adapter":
        _holds(artifact.path, "adapter_config.json", "adapter_model*.safetensors", "an adapter")
        config = read_json(artifact.path / "adapter_config.json")
        for said in refusals(config) if engine == "vllm" else ():
            raise UsageError(
                f"the adapter {artifact.path} cannot be attached: {said}", "deploy.adapter: merge"
            )
        if artifact.base is None:
            raise UsageError(f"the adapter {artifact.path} does not say what its base model is")
        if Path(artifact.base).is_absolute():
            _holds(Path(artifact.base), "config.json", "*.safetensors", "a model")
    else:
        _holds(artifact.path, "config.json", "*.safetensors", "a model")


def check_remote_code(model: ModelFacts, deploy: Deploy, *, trust: bool) -> None:
    """Raises UsageError for a model that only code of its own could load, which nobody has allowed."""
    for what, remedy in served_code(model, deploy, trust=trust):
        raise UsageError(f"{model.path}: {what}", remedy)


def _holds(folder: Path, config: str, weights: str, what: str) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", f"give the folder of {what}")
    if not (folder / config).is_file():
        raise UsageError(f"{folder} is not {what}: it has no {config}", "give the folder that training wrote")
    if not any(folder.glob(weights)):
        raise UsageError(
            f"{folder} is not {what}: it has no weights ({weights})", "only safetensors are served"
        )


def chosen_key(reference: str | None, environ: Mapping[str, str]) -> str:
    """The key that `reference` (`${env:NAME}`) stands for, or a new one. Raises UsageError if unset."""
    if reference is None:
        return secrets.token_urlsafe(32)
    found = REFERENCE.fullmatch(reference)
    if not found:
        raise UsageError("deploy.api_key holds a secret itself", "write a reference to one: ${env:MY_KEY}")
    value = environ.get(found[1], "").strip()
    if not value:
        raise UsageError(f"deploy.api_key refers to {found[1]} and that is not set", f"export {found[1]}=…")
    if not TOKEN.fullmatch(value):
        raise UsageError(
            f"the key in {found[1]} cannot be sent in a header", "use visible ASCII characters only"
        )
    return value


def check_name(name: str) -> None:
    """Raises UsageError where a deployment of that name lives."""
    entry = store.find(name)
    if entry is not None and (state := store.state(entry)) in store.LIVE:
        raise UsageError(
            f"{name} is {state} already at {entry.deployment.url}",
            f"ftctl stop {name} ends it, or give this one another --name",
        )


def check_front(name: str) -> None:
    """Raises UsageError where a deployment of that name can have no servers behind it."""
    if len(name) > LONGEST:
        raise UsageError(f"{name} is too long a name for servers behind a proxy", f"{LONGEST} at most")


def check_deploy(deploy: Deploy, name: str, environ: Mapping[str, str]) -> None:
    """What can be wrong with a deployment before there is anything to serve: name, port, key and proxy.

    For a job that trains first: what would stop its server is said before the training, not after it.
    """
    check_name(name)
    chosen_port(deploy)
    chosen_key(deploy.api_key, environ)
    if deploy.proxied:
        check_front(name)
        program(environ)
        prompts_of(deploy.canary)


def chosen_port(deploy: Deploy) -> int:
    """The port asked for, or a free one. Raises Missing where the one asked for is taken, and by whom."""
    owners = {int(entry.deployment.url.rpartition(":")[2]): entry for entry in store.entries()}
    if deploy.port is None:
        live = {port for port, entry in owners.items() if store.state(entry) in store.LIVE}
        return free_port(deploy.host, live)
    if is_free(deploy.host, deploy.port):
        return deploy.port
    owner = owners.get(deploy.port)
    if owner is not None and store.state(owner) in store.LIVE:
        who, way = f"the deployment {owner.name}", f"ftctl stop {owner.name}, or "
    else:
        who, way = holder(deploy.port) or "another program", ""
    raise Missing(f"port {deploy.port} on {deploy.host} is taken by {who}", f"{way}set another deploy.port")
