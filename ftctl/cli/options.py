"""Options that several verbs share, each spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One versioned JSON envelope on standard output.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the job file; repeatable."),
]
Gpus = Annotated[
    str | None,
    typer.Option("--gpus", metavar="N|I,J|all", help="GPUs to use: a count, indices, all, or 0 for the CPU."),
]
RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir", metavar="DIR", help="Where runs are kept (default: $FTCTL_RUNS, else ./runs)."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Take the warnings of the engine's rules as errors.")]
NoInstall = Annotated[
    bool,
    typer.Option("--no-install", help="Refuse, with exit code 4, where an engine is not installed yet."),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Queue for GPUs that are not free, first come, first served."),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="A Hub model is the one in the local cache; refused where it is not there."
    ),
]
Detach = Annotated[
    bool,
    typer.Option("--detach", "-d", help="Return as soon as the run is launched, and say how to watch it."),
]
States = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="STATE", help="Only runs in this state; repeatable."),
]
