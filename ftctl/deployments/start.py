"""Start a deployment: check first, hand the server to a keeper of its own, and wait until it is ready."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ftctl.artifacts.dummy import check_server
from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.ahead import Ahead, end_ahead
from ftctl.deployments.attach import bring_back
from ftctl.deployments.begin import Emit, answering, ended_unless_ready, fresh_folder, lay_out
from ftctl.deployments.checks import (
    check_artifact,
    check_engine,
    check_name,
    check_remote_code,
    chosen_key,
    chosen_port,
)
from ftctl.deployments.launch import PACE, Pace, launch_of_server, write_launch
from ftctl.deployments.model import Deployment
from ftctl.deployments.parity import check_parity
from ftctl.deployments.planned import base_of, overlaid, planned, recorded
from ftctl.deployments.ports import reachable
from ftctl.deployments.score_files import score_files
from ftctl.deployments.store import Entry
from ftctl.deployments.template_trial import try_templates
from ftctl.deployments.tls import check_tls
from ftctl.deployments.told import parity_line
from ftctl.errors import Interrupted
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.keep import reboot
from ftctl.keep.stand_by import start_keeper
from ftctl.leases.hold import NOTHING, Lease
from ftctl.plan.model import ServePlan
from ftctl.process import ProcessId, boot_id, identify
from ftctl.servers import server


@dataclass(frozen=True)
class Behind:
    """What a server behind a proxy has of it: the deployment's name, its key, and what else the server must
    stand before it may be one of it."""

    front: str
    key: str
    trial: Callable[[Entry], None]


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
    pace: Pace = PACE,
    behind: Behind | None = None,
    ahead: Ahead | None = None,
) -> Deployment:
    """Serve `artifact` under `name` and return once it answers. A keeper, in a session of its own, has it
    from then on; it and the server hold the lease of the GPUs, whether or not this process goes on to.

    `emit` gets `deployment` events while it starts: name, state, detail, elapsed (seconds), url. Raises
    UsageError and Missing before anything is started, FtctlError with a diagnosis where the server fails;
    then, and on Ctrl-C, nothing of it is left running and its log stays. One `behind` a proxy is not ready
    yet when this returns: it ends with this process until who puts it there says so. The server goes on in
    the interpreter that was started `ahead`, where it fits; else that is ended.
    """
    check_server(artifact, engine.name)
    model_name = name if behind is None else behind.front
    plan = planned(artifact, deploy, model_name, model_facts, machine, engine, trust=trust_remote_code)
    engine_server = server(plan.engine)
    check_engine(engine)
    _check_harmless(artifact, deploy, plan, engine, model_facts)
    key = _key(deploy, behind, ahead)
    secured = check_tls(deploy.tls, deploy.host) if deploy.tls else None
    files: dict[str, str] = {} if secured is None else {store.CA: secured.ca}
    if plan.head == "yes":
        scoring, yes = score_files(artifact.path, plan)
        files |= scoring
        plan = replace(plan, yes=yes)
    local = Path(base_of(artifact, plan)).is_absolute()
    foreseen = engine_server.ahead(plan, python=engine.python, local=local, machine=machine)
    if ahead is not None and not ahead.fits(foreseen, lease):
        end_ahead(ahead)
        ahead = None
    with store.claimed(name):
        if ahead is None:
            check_name(name)
        port = chosen_port(deploy)
        rendered = engine_server.render(
            plan, deploy, artifact, python=engine.python, port=port, machine=machine
        )
        files, links = (files, {}) if plan.engine != "lmdeploy" else overlaid(plan, artifact, files)
        rendered = replace(rendered, files={**rendered.files, **files}, links=links)
        here = reachable(deploy.host)
        url = f"http://{here}:{port}" if secured is None else f"https://{secured.host}:{port}"
        made_by, folder = None if run is None else str(run), ahead.folder if ahead else fresh_folder(name)
        deployment = replace(
            recorded(name, plan, artifact, url, folder),
            run=made_by,
            listens=None if secured is None else here.strip("[]"),
            behind=None if behind is None else behind.front,
        )
        me = identify(os.getpid()) or ProcessId(os.getpid(), 0, boot_id())
        lay_out(folder, rendered, key)
        entry = Entry(deployment, creator=me)
        # One that was begun ahead may have ended by now; an interpreter that waits goes on by the launch.
        entry = store.amend(entry, lambda now: replace(now, deployment=deployment))
        write_launch(folder, launch_of_server(rendered, deploy, me, machine, lease, pace))
        keeper = ahead.keeper if ahead else start_keeper(name, lease.files)
    with ended_unless_ready(entry):
        entry = answering(entry, keeper, emit)
        bring_back(entry)
        parity = check_parity(entry.deployment, plan, key, entry.folder / store.LOG, then=deploy.parity)
        if parity is not None:
            entry = store.compared(entry, parity)
            _tell(entry, parity_line(parity), emit, parity=asdict(parity))
        if deploy.restart == "always":
            _tell(entry, reboot.install(name), emit)
        if behind is not None:
            behind.trial(entry)
            return entry.deployment
        entry = store.change(entry, ready=time.time())
    store.note(entry, {"state": "ready", "url": url, "model": plan.name})
    return entry.deployment


def _key(deploy: Deploy, behind: Behind | None, ahead: Ahead | None) -> str:
    """The key of the server: one that was begun ahead has it already. Raises Interrupted where that was
    stopped meanwhile."""
    if ahead is None:
        return chosen_key(deploy.api_key, os.environ) if behind is None else behind.key
    now = store.find(ahead.entry.name)
    if now is None or (now.ended is not None and not now.why):
        raise Interrupted(f"{ahead.entry.name} was stopped while it was starting")
    return store.key_of(now)


def _check_harmless(
    artifact: Artifact, deploy: Deploy, plan: ServePlan, engine: EngineFacts, facts: ModelFacts
) -> None:
    """Raises UsageError and FtctlError for what a server is not to load: the engine would, or would hang."""
    check_artifact(artifact, plan.engine)
    check_remote_code(facts, deploy, trust=plan.trust_remote_code)
    try_templates(artifact, plan, engine)


def _tell(entry: Entry, detail: str, emit: Emit, **more: object) -> None:
    elapsed = round(store.uptime(entry), 1)
    told = {"name": entry.name, "state": "starting", "detail": detail, "elapsed": elapsed, **more}
    store.note(entry, told)
    emit("deployment", told)
