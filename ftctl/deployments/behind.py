"""Servers behind a proxy: each a deployment of its own on a loopback port, and one address for all."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.deployments import fronts, proxy, store
from ftctl.deployments.begin import Emit, answering, ended_unless_ready, fresh_folder, lay_out
from ftctl.deployments.checks import check_front, check_name, chosen_key, chosen_port
from ftctl.deployments.launch import PACE, Launch, Pace, remembered, write_launch
from ftctl.deployments.model import Deployment
from ftctl.deployments.ports import reachable
from ftctl.deployments.start import Behind, start
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.deployments.tls import check_tls
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.keep.stand_by import start_keeper
from ftctl.leases.hold import NOTHING, Lease
from ftctl.leases.model import deployment_phrase
from ftctl.paths import deployments_dir
from ftctl.process import NOBODY, ProcessId, boot_id, identify
from ftctl.rendered import Rendered

LOOPBACK = "127.0.0.1"
Lend = Callable[[str], Lease]
# A proxy that ended is back at once: there is nothing to load.
QUICK = replace(PACE, every=2.0, answer=2.0, refused=6.0, first=0.05)


def serve(
    artifact: Artifact,
    deploy: Deploy,
    *,
    name: str,
    lease: Lease = NOTHING,
    lend: Lend = lambda name: NOTHING,
    emit: Emit,
    **facts: Any,
) -> Deployment:
    """`start`, behind a proxy where the job asks for one; `facts` are the rest of what `start` takes.

    `lend` gives the lease for each server of several; the first has `lease`. Raises as `start` does.
    """
    if not deploy.proxied:
        deployment = start(artifact, deploy, name=name, lease=lease, emit=emit, **facts)
        lease.hand_over(deployment_phrase(name), deployment.process.pid)
        return deployment
    check_front(name)
    check_name(name)
    proxy.program()
    chosen_port(deploy)
    for left in fronts.behind(name):
        stop(left, now=True)
    key = chosen_key(deploy.api_key, os.environ)
    leases = [lease]
    with ExitStack() as ended_unless_served:
        members = start_members(
            artifact,
            deploy,
            Behind(name, key, lambda entry: None),
            lend=lambda member: leases.pop() if leases else lend(member),
            emit=emit,
            ended=ended_unless_served,
            **facts,
        )
        front = _start_front(name, deploy, members, key, emit)
        ended_unless_served.pop_all()
    return front


def start_members(
    artifact: Artifact,
    deploy: Deploy,
    behind: Behind,
    *,
    lend: Lend,
    emit: Emit,
    ended: ExitStack,
    machine: MachineFacts,
    **facts: Any,
) -> tuple[Deployment, ...]:
    """As many servers as the job asks for, one after the other, checked and not yet ready: `ready` says so.

    Each ends with this process, and by `ended` where what follows fails. Raises as `start` does.
    """
    alone = replace(deploy, host=LOOPBACK, port=None, tls=None, name=behind.front, replicas=1, proxy=False)
    members: list[Deployment] = []
    for name in _fresh_names(behind.front, deploy.replicas):
        lease = lend(name)
        leased = replace(machine, leased=lease.gpus) if lease.gpus else machine
        member = start(
            artifact, alone, name=name, machine=leased, lease=lease, emit=emit, behind=behind, **facts
        )
        ended.callback(_end, member.name)
        lease.hand_over(deployment_phrase(name), member.process.pid)
        members.append(member)
    return tuple(members)


def _end(name: str) -> None:
    entry = store.find(name)
    if entry is not None:
        stop(entry, now=True)


def ready(members: Sequence[Deployment]) -> None:
    """Let servers serve on when this process has ended: their proxy knows them."""
    for member in members:
        entry = store.change(store.get(member.name), ready=time.time())
        store.note(entry, {"state": "ready", "url": member.url, "model": member.model})


def clear(front: str) -> None:
    """Take away what servers left that were stopped; the log of one that failed stays until then."""
    for entry in fronts.behind(front):
        if entry.ended is not None and not store.lives(entry):
            shutil.rmtree(entry.folder, ignore_errors=True)


def _fresh_names(front: str, count: int) -> list[str]:
    """Names that no server behind the proxy ever had, as far as anything of it is left."""
    numbered = re.compile(rf"{re.escape(front)}\.(\d+)")
    deployments_dir().mkdir(parents=True, exist_ok=True)
    used = [int(match[1]) for match in map(numbered.fullmatch, os.listdir(deployments_dir())) if match]
    first = max(used, default=0) + 1
    return [f"{front}.{number}" for number in range(first, first + count)]


def _start_front(
    name: str, deploy: Deploy, members: Sequence[Deployment], key: str, emit: Emit, pace: Pace = QUICK
) -> Deployment:
    """Start HAProxy in front of `members` and return once it answers for them."""
    secured = check_tls(deploy.tls, deploy.host) if deploy.tls else None
    with store.claimed(name):
        check_name(name)
        port = chosen_port(deploy)
        here, folder = reachable(deploy.host), fresh_folder(name)
        url = f"http://{here}:{port}" if secured is None else f"https://{secured.host}:{port}"
        deployment = replace(
            members[0],
            name=name,
            url=url,
            process=NOBODY,
            created=time.time(),
            folder=str(folder),
            listens=None if secured is None else here.strip("[]"),
            binds=f"{_bracketed(deploy.host)}:{port}",
            members=tuple(member.name for member in members),
            behind=None,
        )
        me = identify(os.getpid()) or ProcessId(os.getpid(), 0, boot_id())
        launch = Launch(
            proxy.command(),
            {},
            me,
            remembered(os.environ),
            ready_timeout=60.0,
            restart=deploy.restart,
            max_restarts=deploy.max_restarts,
            pace=pace,
        )
        files = {} if secured is None else {store.CA: secured.ca}
        lay_out(folder, Rendered(launch.argv, {}, files), key)
        if deploy.tls:
            proxy.write_certificate(Path(folder), deploy.tls)
        entry = Entry(deployment, creator=me)
        store.write(entry)
        write_launch(folder, launch)
        keeper = start_keeper(name)
    with ended_unless_ready(entry):
        entry = answering(entry, keeper, emit)
        ready(members)
        entry = store.change(entry, ready=time.time())
    store.note(entry, {"state": "ready", "url": url, "model": deployment.model})
    return entry.deployment


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
