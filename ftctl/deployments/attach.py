"""Adapters that come to a running server and leave it, and come back when it is started again.

vLLM loads any folder that it is told to: its routes for that want the owner's secret beside the key
(inside/vllm_guard.py), so that who may ask the model may not change it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.deployments import client, store
from ftctl.deployments.adapters import adapter_folder, check_adapter, check_template
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError, UsageError
from ftctl.job.rules import NAME


def attach(entry: Entry, name: str, text: str) -> Entry:
    """Give a running server the adapter that `text` (a run or a folder) names, as the model `name`.

    Recorded, so that the server has it again after a restart. Raises UsageError for what cannot be attached,
    Missing where the server does not run, FtctlError where it refuses.
    """
    with store.claimed(entry.name):
        entry = _ready(entry.name)
        had, deployment = _adapters(entry), entry.deployment
        if not NAME.fullmatch(name) or name in (deployment.model, f"{deployment.model}-base"):
            raise UsageError(f"{name!r} cannot be an adapter's name here", "give it another, NAME=RUN")
        folder = adapter_folder(text)
        if had.get(name) == str(folder):
            return entry
        if name in had:
            where = f"ftctl deploy {entry.name} --detach-adapter {name} comes first"
            raise UsageError(f"{name} is attached already, from {had[name]}", where)
        rank = check_adapter(folder, deployment.base)
        if deployment.lora_rank is not None and rank > deployment.lora_rank:
            raise UsageError(
                f"the adapter has rank {rank}, and {entry.name} takes ranks up to {deployment.lora_rank}",
                f"name it in deploy.adapters and start {entry.name} again",
            )
        check_template(folder, deployment.base, deployment.template)
        _load(entry, name, str(folder))
        return _recorded(entry, {**had, name: str(folder)}, f"{name} attached from {folder}")


def detach(entry: Entry, name: str) -> Entry:
    """Take the adapter `name` from a running server; what it is answering with it is finished. Raises as
    `attach` does."""
    with store.claimed(entry.name):
        entry = _ready(entry.name)
        had = _adapters(entry)
        if name not in had:
            raise UsageError(
                f"{entry.name} has no adapter {name}",
                f"it has {', '.join(had) or 'none'}; ftctl ps shows them",
            )
        _unload(entry, name)
        return _recorded(entry, {key: had[key] for key in had if key != name}, f"{name} detached")


def bring_back(entry: Entry) -> None:
    """Give a server that has just been started the adapters that are recorded of it and that it lacks.

    Raises FtctlError where it refuses one.
    """
    recorded = entry.deployment.adapters or {}
    if entry.deployment.engine != "vllm" or not recorded:
        return
    has = client.models(entry.deployment.url, store.key_of(entry))
    for name, folder in recorded.items():
        if name not in has:
            _load(entry, name, folder)


def _ready(name: str) -> Entry:
    entry = store.get(name)
    state = store.state(entry)
    if state != "running":
        raise store.not_serving(entry, state)
    return entry


def _adapters(entry: Entry) -> Mapping[str, str]:
    deployment = entry.deployment
    if deployment.engine != "vllm":
        raise UsageError(f"{deployment.engine} takes adapters only at its start", "set deploy.engine: vllm")
    if deployment.adapters is None:
        raise UsageError(
            f"{entry.name} was started without room for adapters",
            f"start it with deploy.adapters: ftctl deploy … --name {entry.name} --set adapters={{}}",
        )
    return deployment.adapters


def _load(entry: Entry, name: str, folder: str) -> None:
    _ask(entry, "/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder})


def _unload(entry: Entry, name: str) -> None:
    _ask(entry, "/v1/unload_lora_adapter", {"lora_name": name})


def _ask(entry: Entry, path: str, body: Mapping[str, str]) -> None:
    for member in entry.deployment.members:
        _ask(store.get(member), path, body)
    if entry.deployment.members:
        return
    deployment = entry.deployment
    owner = {client.OWNER: store.owner_secret(entry)}
    status, answer = client.request(
        deployment.url, path, key=store.key_of(entry), body=body, headers=owner, timeout=300.0
    )
    if status != 200:
        raise FtctlError(
            f"{entry.name} refuses the adapter {body['lora_name']}: {client.reason(answer)}",
            f"ftctl logs {entry.name}",
        )


def _recorded(entry: Entry, adapters: Mapping[str, str], detail: str) -> Entry:
    for member in entry.deployment.members:
        _recorded(store.get(member), adapters, detail)
    changed = store.attached(entry, adapters)
    store.note(entry, {"state": "ready", "detail": detail, "adapters": sorted(adapters)})
    return changed


def pair(text: str) -> tuple[str, str]:
    """NAME=RUN in two. Raises UsageError."""
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        raise UsageError(f"--attach {text} is no NAME=RUN", "write for example --attach french=RUN")
    return name, rest
