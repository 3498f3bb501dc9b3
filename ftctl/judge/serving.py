"""Serves a model for as long as it is asked, and leaves no trace where all went well."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.start import start
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.facts.model import EngineFacts, MachineFacts
from ftctl.facts.model_dir import model_facts
from ftctl.job.model import Deploy
from ftctl.leases.hold import Lease

Say = Callable[[str], None]  # told what the server is doing while it starts; may raise to end it


@contextmanager
def served_for_a_while(
    artifact: Artifact,
    deploy: Deploy,
    *,
    name: str,
    engine: EngineFacts,
    machine: MachineFacts,
    lease: Lease,
    say: Say,
    trust_remote_code: bool = False,
) -> Iterator[Entry]:
    """The model behind one server at a free port, which ends with the block.

    It is an ordinary deployment: should this process be killed, `ftctl ps` shows it and `ftctl stop` ends it.
    Raises FtctlError where it cannot be served.
    """
    plain = replace(deploy, name=None, port=None, proxy=False, replicas=1, restart="never")
    try:
        deployment = start(
            artifact,
            plain,
            name=name,
            engine=engine,
            machine=machine,
            model_facts=model_facts(artifact.path),
            run=None,
            emit=lambda kind, data: _starting(data, say),
            trust_remote_code=trust_remote_code,
            lease=lease,
        )
        yield store.get(name)
    finally:
        entry = store.find(name)
        if entry is not None and entry.ended is None:
            stop(entry)
    shutil.rmtree(deployment.folder, ignore_errors=True)


def _starting(data: object, say: Say) -> None:
    if isinstance(data, dict) and "parity" not in data:  # of no matter here
        say(str(data.get("detail", "")))


def name_of(served: str, what: str, run: str) -> str:
    """A deployment's name for a model that is served beside `served` for a while."""
    return f"{served[:50]}-{what}-{run[-4:]}"
