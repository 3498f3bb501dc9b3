"""Create a run: its directory, everything rendered in it, and its place in the registry."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl import __version__
from ftctl.errors import FtctlError, UsageError
from ftctl.plan.model import Plan
from ftctl.process import boot_id, identify, since_boot
from ftctl.record import to_record
from ftctl.rendered import Rendered
from ftctl.run.directory import CREATOR, RunDir

PATTERN = frozenset("*?[]$")  # datasets 4.0 expands the absolute path of a data file
ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


@dataclass(frozen=True)
class Step:
    """One command of a run, as steps.json records it: its name, and what is on top of the environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str | None]
    scratch: tuple[str, ...] = ()


def new_id(now: float) -> str:
    """A sortable id: the second it was made in (UTC), and four letters that keep two apart."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(4))
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{letters}"


def create(plan: Plan, steps: Mapping[str, Rendered], root: Path) -> RunDir:
    """Make `root/<name>/<id>` with the job, the plan and the rendered files.

    Raises UsageError for a folder whose name the engine could not read, FtctlError where it cannot be
    written (no room, no permission); nothing is left then.
    """
    place = root.absolute() / plan.job.name
    if PATTERN & set(str(place)):
        raise UsageError(
            f"{place} holds one of *?[]$, which the engine does not take literally",
            "choose another --runs-dir",
        )
    try:
        return _create(plan, steps, root)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FtctlError(
                f"no space left for the run under {root}", "free some, or choose another --runs-dir"
            ) from error
        raise FtctlError(
            f"cannot write the run under {root}: {error.strerror}", "choose another --runs-dir"
        ) from error


def _create(plan: Plan, steps: Mapping[str, Rendered], root: Path) -> RunDir:
    run, now = _claim(root.absolute() / plan.job.name)
    try:
        run.write_json(CREATOR, identify(os.getpid()))  # while it lives the run is about to start
        run.reserve()
        run.write("job.yaml", plan.job.source)
        run.write_json("plan.json", plan)
        write_steps(run, steps)
        run.write_json("run.json", _identity(plan, run, now))
    except OSError:
        _remove(run.path)
        raise
    return run


def write_steps(run: RunDir, steps: Mapping[str, Rendered]) -> None:
    """Write what is rendered: the files, the links and the commands."""
    for rendered in steps.values():
        for name, content in rendered.files.items():
            run.write(name, content)
        for name, target in rendered.links.items():
            run.link(name, target)
    run.write_json(
        "steps.json", [Step(name, step.argv, step.env, step.scratch) for name, step in steps.items()]
    )


def _claim(parent: Path) -> tuple[RunDir, float]:
    """A folder of one's own: whoever makes it has the id, so that two at once never share one."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        now = time.time()
        try:
            path = parent / new_id(now)
            path.mkdir()
        except FileExistsError:
            continue
        return RunDir(path), now


def _identity(plan: Plan, run: RunDir, now: float) -> dict[str, object]:
    job = plan.job
    engines = [to_record(engine) for engine in (plan.facts.trainer, plan.facts.server) if engine is not None]
    return {
        "version": 1,
        "name": job.name,
        "id": run.path.name,
        "created": now,
        "clock": {"boot": boot_id(), "seconds": round(since_boot(), 3)},
        "ftctl": __version__,
        "job_file": str(job.file),
        "overrides": list(job.overrides),
        "engines": engines,
        "data": {str(fact.path): fact.sha256 for fact in (*plan.facts.train_data, *plan.facts.eval_data)},
    }


def _remove(path: Path) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)
