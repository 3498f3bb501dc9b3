"""Start a deployment: check first, start the server in a session of its own, and wait until it is ready."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ftctl import process, registry
from ftctl.artifacts.dummy import check_server
from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.checks import check_artifact, check_engine, check_name, chosen_key, chosen_port
from ftctl.deployments.guard import stand_server_guard
from ftctl.deployments.model import Deployment, Parity
from ftctl.deployments.parity import check_parity
from ftctl.deployments.ready import wait_ready
from ftctl.deployments.score_files import score_files
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.errors import Interrupted, Missing
from ftctl.events import Event
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.leases.hold import NOTHING, Lease
from ftctl.plan.model import ServePlan
from ftctl.plan.serve import plan_serve
from ftctl.rendered import Rendered, environment
from ftctl.servers import server

Emit = Callable[[str, Mapping[str, object]], None]


def start(
    artifact: Artifact,
    deploy: Deploy,
    *,
    name: str,
    engine: EngineFacts,
    machine: MachineFacts,
    model_facts: ModelFacts,
    run: Path | None,
    emit: Emit,
    trust_remote_code: bool = False,
    lease: Lease = NOTHING,
) -> Deployment:
    """Serve `artifact` under `name` and return once it answers. The server holds the lease of its
    GPUs too, whether or not this process goes on holding it.

    `emit` gets `deployment` events while it starts: name, state, detail, elapsed (seconds), url. Raises
    UsageError and Missing before anything is started, FtctlError with a diagnosis where the server fails;
    then, and on Ctrl-C, nothing of it is left running and its log stays.
    """
    check_server(artifact, engine.name)
    plan = planned(artifact, deploy, name, model_facts, machine, engine.variant, trust=trust_remote_code)
    engine_server = server(plan.engine)
    check_engine(engine)
    check_artifact(artifact)
    key = chosen_key(deploy.api_key, os.environ)
    files: Mapping[str, str] = {}
    if plan.head == "yes":
        files, yes = score_files(artifact.path, plan)
        plan = replace(plan, yes=yes)
    with _claimed(name):
        check_name(name)
        port = chosen_port(deploy)
        rendered = engine_server.render(
            plan, deploy, artifact, python=engine.python, port=port, machine=machine
        )
        rendered = replace(rendered, files={**rendered.files, **files})
        url = f"http://{_reachable(deploy.host)}:{port}"
        made_by = None if run is None else str(run)
        child, entry = _launch(
            rendered,
            _fresh_folder(name),
            key,
            lambda folder, leader: Deployment(
                name,
                plan.engine,
                plan.name,
                url,
                leader,
                time.time(),
                str(folder),
                str(artifact.path),
                made_by,
                **_use(plan),
            ),
            lease,
        )
    registry.add_deployment(name, entry.folder, entry.deployment.created)
    with _ended_unless_ready(entry, child):
        wait_ready(
            child, entry, engine_server, key=key, timeout=deploy.ready_timeout, report=_reporter(entry, emit)
        )
        parity = check_parity(entry.deployment, plan, key, entry.folder / store.LOG)
        if parity is not None:
            entry = store.compared(entry, parity)
            _tell_parity(entry, parity, emit)
        entry = store.change(entry, ready=time.time())
    # Whoever called may live on: a server that ends before it must not stay a zombie.
    threading.Thread(target=child.wait, daemon=True).start()
    _note(entry, {"name": name, "state": "ready", "url": url, "model": plan.name})
    return entry.deployment


def planned(
    artifact: Artifact,
    deploy: Deploy,
    name: str,
    facts: ModelFacts,
    machine: MachineFacts,
    variant: str,
    *,
    trust: bool,
) -> ServePlan:
    """The plan for what the artifact really is, whatever the job foresaw.

    Raises UsageError for values that contradict each other, Missing for a GPU that is not there.
    """
    attach = artifact.kind == "adapter"
    plan, _ = plan_serve(
        deploy,
        name=name,
        model=facts,
        machine=machine,
        adapter="attach" if attach else "none",
        variant=variant,
        trust_remote_code=trust,
        chat_template=_adapter_template(artifact) if attach else None,
    )
    return plan


def _use(plan: ServePlan) -> dict[str, Any]:
    """What a client must know of the kind: a language model's prompts are in the server's own template."""
    if plan.kind == "generate":
        return {}
    if plan.head == "yes":
        return {"kind": plan.kind}
    prompts = {"query_prompt": plan.query_prompt, "passage_prompt": plan.passage_prompt}
    return {"kind": plan.kind, "query_suffix": plan.query_suffix, **prompts}


def _tell_parity(entry: Entry, parity: Parity, emit: Emit) -> None:
    told = {
        "name": entry.name,
        "state": "starting",
        "detail": store.parity_line(parity),
        "elapsed": round(store.uptime(entry), 1),
        "parity": asdict(parity),
    }
    _note(entry, told)
    emit("deployment", told)


def _reporter(entry: Entry, emit: Emit) -> Callable[[str, float], None]:
    def report(detail: str, elapsed: float) -> None:
        told = {"name": entry.name, "state": "starting", "detail": detail, "elapsed": round(elapsed, 1)}
        _note(entry, told)
        emit("deployment", told)

    return report


@contextmanager
def _ended_unless_ready(entry: Entry, child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever ends the waiting before the server is ready ends the server."""
    try:
        yield
    except KeyboardInterrupt:
        stop(entry, now=True)
        child.wait()
        raise Interrupted(f"{entry.name} was still starting and has been stopped") from None
    except BaseException as error:
        stop(entry, now=True)
        child.wait()
        _note(entry, {"name": entry.name, "state": "failed", "detail": str(error)})
        raise


def _adapter_template(artifact: Artifact) -> str | None:
    """The chat template that training saved beside the adapter: the base's own may be another."""
    own = artifact.path / "chat_template.jinja"
    return str(own) if own.is_file() else None


@contextmanager
def _claimed(name: str) -> Iterator[None]:
    """Hold a name while its deployment is begun, so that of two at once one sees the other."""
    folder = store.folder_of(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fresh_folder(name: str) -> Path:
    """An empty folder for the deployment; what a dead one of that name left is ended and replaced."""
    before = store.find(name)
    if before is not None:
        process.stop_session(before.deployment.process, grace=0.0)
    folder = store.folder_of(name)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return folder


def _launch(
    rendered: Rendered,
    folder: Path,
    key: str,
    describe: Callable[[Path, process.ProcessId], Deployment],
    lease: Lease,
) -> tuple[subprocess.Popen[bytes], Entry]:
    """Start the server and record it; a server that cannot be recorded is ended."""
    store.write_key(folder, key)
    for path, content in rendered.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    # The key reaches the server by its environment alone: a command line is read by anyone with ps.
    keys = {"FTCTL_DEPLOYMENT_KEY": key, "VLLM_API_KEY": key}
    env = environment(os.environ, {**rendered.env, **keys})

    def record(leader: process.ProcessId) -> None:
        store.write(Entry(describe(folder, leader)))
        stand_server_guard(leader, folder)

    program = rendered.argv[0]
    if shutil.which(program) is None:
        raise Missing(f"{program} cannot be started", "see ftctl engines doctor")
    child = process.start_recorded(
        rendered.argv, cwd=folder, env=env, log=folder / store.LOG, keep=lease.files, record=record
    )
    assert child.started is not None
    return child.started, Entry(describe(folder, child.process))


def _reachable(host: str) -> str:
    """The address to ask a server at that listens on `host`."""
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{local}]" if ":" in local and not local.startswith("[") else local


def _note(entry: Entry, data: Mapping[str, Any]) -> None:
    with open(entry.folder / store.EVENTS, "a") as events:
        events.write(Event("deployment", time.time(), data).line() + "\n")
