"""How late LLaMA-Factory refuses each of some training files; its own interpreter runs this.

PYTHON refused_by_llamafactory.py FOLDER TIMEOUT    FOLDER holds NAME.yaml; one JSON line a file comes out

The engine is imported once and each file is run in a fork of that process, through the same `run_exp` as
`llamafactory-cli train`: the seconds of a case are those after the imports.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main(folder: Path, timeout: float) -> None:
    began = time.perf_counter()
    from llamafactory.train.tuner import run_exp

    say({"imports": time.perf_counter() - began})
    for file in sorted(folder.glob("*.yaml")):
        began = time.perf_counter()
        child = os.fork()
        if not child:
            run(run_exp, file)
        code = wait(child, began + timeout)
        result = {"name": file.stem, "code": code, "seconds": time.perf_counter() - began}
        said = file.with_suffix(".said")
        say({**result, "last": said.read_text() if said.exists() else ""})


def run(run_exp: Any, file: Path) -> None:
    """Train as the file says, in this process; what is raised is written beside it."""
    log = os.open(file.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["llamafactory-cli", str(file)]
    code = 0
    try:
        run_exp()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what a user is told
        file.with_suffix(".said").write_text(f"{type(error).__name__}: {' '.join(str(error).split())}")
        code = 1
    os._exit(code)


def wait(child: int, until: float) -> int | None:
    """The exit code, None where the time ran out and the child was killed."""
    while time.perf_counter() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


def say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
