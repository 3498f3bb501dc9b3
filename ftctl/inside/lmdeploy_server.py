"""Run by LMDeploy's interpreter: its command line, with every route but /health behind the deployment's key.

LMDeploy 0.18.0 takes keys on the command line alone, where any user of the machine reads them, and asks for
none on paths that begin with /health, /docs, /redoc or /nodes, nor for OPTIONS; by /nodes a stranger makes
its proxy call any address. The key comes by FTCTL_DEPLOYMENT_KEY; without it nothing but /health answers.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import uvicorn
from vllm_guard import Guard

run = uvicorn.run


def run_guarded(app: Any, **settings: Any) -> None:
    """Start the server as LMDeploy does, the guard outermost."""
    run(Guard(app), **settings)


# Outside of main: each copy of the model is a server in a process of its own, which imports this file again.
uvicorn.run = run_guarded


def main() -> None:
    # Its own check as well; what is added here stands in no process list.
    key = os.environ.get("FTCTL_DEPLOYMENT_KEY", "")
    sys.argv += ["--api-keys", key] if key else []
    from lmdeploy.cli import run as lmdeploy

    lmdeploy()


if __name__ == "__main__":
    main()
