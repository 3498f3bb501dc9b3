"""The launch record: how a deployment's server is started, every time the same, without its key."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.facts.model import Gpu
from ftctl.process import ProcessId
from ftctl.record import from_record, to_record
from ftctl.rendered import Rendered, environment

if TYPE_CHECKING:  # a keeper, which reads this, is to stay small
    from ftctl.facts.model import MachineFacts
    from ftctl.job.model import Deploy
    from ftctl.leases.hold import Lease

LAUNCH = "launch.json"
# Of the environment that a deployment was begun in, what its server may need after a reboot. No secret is
# among them; HF_TOKEN and the like come from the environment that the keeper has then.
REMEMBERED = (
    "PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES",
    "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "XDG_CACHE_HOME", "FTCTL_LEASES",
)  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """How a server is watched, in seconds: `every` a look; a request is waited for `answer`.

    One that gives no sign of life for `patience` hangs; for one that refuses connections or says itself that
    it is broken, `refused` is enough. It has `grace` to end itself. A failure is followed by a wait of
    `first`, then twice that, and so on.
    """

    every: float = 30.0
    answer: float = 20.0
    patience: float = 120.0
    refused: float = 10.0
    grace: float = 2.0
    first: float = 1.0


PACE = Pace()


@dataclass(frozen=True)
class Launch:
    """How the server is started and kept. `env` is what ftctl sets, without the key; `remembered` what the
    shell had of REMEMBERED; `gpus` are those it is leased. `creator` waits for it to be ready at first. One
    that `waits` imports its engine until this record says what it is to serve."""

    argv: tuple[str, ...]
    env: Mapping[str, str | None]
    creator: ProcessId
    remembered: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    ready_timeout: float = 600.0
    restart: str = "on-failure"
    max_restarts: int = 5
    pace: Pace = PACE
    waits: bool = False


def launch_of_server(
    rendered: Rendered,
    deploy: Deploy,
    creator: ProcessId,
    machine: MachineFacts,
    lease: Lease,
    pace: Pace = PACE,
    *,
    waits: bool = False,
) -> Launch:
    """How a server with this command is started, as the job asks, from the environment of this process."""
    return Launch(
        rendered.argv,
        rendered.env,
        creator,
        remembered(os.environ),
        tuple(gpu for gpu in machine.gpus if gpu.index in lease.gpus),
        deploy.ready_timeout,
        deploy.restart,
        deploy.max_restarts,
        pace,
        waits,
    )


def write_launch(folder: Path, launch: Launch) -> None:
    """Record it, whole or not at all."""
    temporary = folder / f".{LAUNCH}.{os.getpid()}"
    temporary.write_text(json.dumps({"format": 1, **to_record(launch)}, indent=1, ensure_ascii=False) + "\n")
    temporary.replace(folder / LAUNCH)


def launch_of(folder: Path) -> Launch | None:
    """The launch record in a deployment's folder; None where there is none that can be read."""
    try:
        return from_record(Launch, json.loads((folder / LAUNCH).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remembered(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in REMEMBERED if name in environ}


def server_environment(launch: Launch, key: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The server's environment. The key reaches it by this alone: anyone reads a command line with ps."""
    keys = {"FTCTL_DEPLOYMENT_KEY": key, "VLLM_API_KEY": key}
    return environment({**environ, **launch.remembered}, {**launch.env, **keys})
