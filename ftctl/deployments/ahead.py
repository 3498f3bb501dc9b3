"""A server's interpreter that imports its engine while the weights are still made ready and verified.

It is a deployment from the first: named, kept, and holding its GPUs' lease, so that whatever ends who began
it ends it too. It is told what to serve by its launch record (inside/waiting_server.py), which says so only
once there is a verified artifact.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ftctl.deployments import store
from ftctl.deployments.begin import fresh_folder, lay_out
from ftctl.deployments.checks import check_engine, check_name, chosen_key, chosen_port
from ftctl.deployments.launch import launch_of_server, write_launch
from ftctl.deployments.model import Deployment
from ftctl.deployments.ports import reachable
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.facts.model import EngineFacts, MachineFacts
from ftctl.job.model import Deploy
from ftctl.keep.stand_by import start_keeper
from ftctl.leases.hold import Lease
from ftctl.plan.model import ServePlan
from ftctl.process import NOBODY, ProcessId, boot_id, identify
from ftctl.rendered import Rendered
from ftctl.servers import server


@dataclass(frozen=True)
class Ahead:
    """An interpreter that waits to be told what to serve: its deployment, who keeps it, its command, and the
    GPUs that it holds."""

    entry: Entry
    keeper: ProcessId
    rendered: Rendered
    gpus: tuple[int, ...]

    @property
    def folder(self) -> Path:
        return self.entry.folder

    def fits(self, rendered: Rendered | None, lease: Lease) -> bool:
        """Whether a server that would be begun with this command and lease can go on in it."""
        return self.rendered == rendered and self.gpus == lease.gpus


def start_ahead(
    plan: ServePlan,
    deploy: Deploy,
    *,
    name: str,
    engine: EngineFacts,
    machine: MachineFacts,
    artifact: Path,
    local: bool,
    run: Path,
    lease: Lease,
) -> Ahead | None:
    """Start the interpreter of the server that `plan` foresees; None where the engine cannot wait.

    `artifact` is where the weights are going to be, `local` whether it will be told a folder. Raises
    UsageError and Missing as `start` does.
    """
    rendered = server(plan.engine).ahead(plan, python=engine.python, local=local, machine=machine)
    if rendered is None:
        return None
    check_engine(engine)
    key = chosen_key(deploy.api_key, os.environ)
    with store.claimed(name):
        check_name(name)
        url, folder = f"http://{reachable(deploy.host)}:{chosen_port(deploy)}", fresh_folder(name)
        me = identify(os.getpid()) or ProcessId(os.getpid(), 0, boot_id())
        now, place = time.time(), (str(folder), str(artifact), str(run))
        entry = Entry(Deployment(name, plan.engine, plan.name, url, NOBODY, now, *place), creator=me)
        lay_out(folder, rendered, key)
        store.write(entry)
        write_launch(folder, launch_of_server(rendered, deploy, me, machine, lease, waits=True))
        keeper = start_keeper(name, lease.files)
    store.note(
        entry, {"state": "starting", "detail": "importing the engine while the weights are made ready"}
    )
    return Ahead(entry, keeper, rendered, lease.gpus)


def end_ahead(ahead: Ahead, why: str = "") -> None:
    """End it: it is not going to be told what to serve."""
    entry = store.find(ahead.entry.name)
    if entry is not None and entry.deployment.created == ahead.entry.deployment.created:
        stop(entry, now=True, why=why)
