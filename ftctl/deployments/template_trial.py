"""A model's chat template tried before its server renders it: in a process of its own, within bounds.

vLLM 0.32.0 renders the template while it starts, without a limit: one that loops keeps it from ever being
ready, and one that grows takes the machine's memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import saved_template
from ftctl.artifacts.dummy import DUMMY
from ftctl.artifacts.model import Artifact
from ftctl.artifacts.weights import read_template
from ftctl.errors import FtctlError
from ftctl.facts.model import EngineFacts
from ftctl.plan.model import ServePlan
from ftctl.process import run
from ftctl.rendered import environment
from ftctl.trainers.start import INSIDE

PROGRAM = INSIDE / "try_template.py"
REFUSED = 3  # its exit code
WAIT = 60.0  # seconds for the few of CPU time that it has, on a busy machine
NAMED = "additional_chat_templates"


def templates_of(folder: Path) -> Iterator[str]:
    """Every chat template that a reader of the folder may find. Raises BrokenWeights."""
    saved: Any = saved_template(folder)
    yield from (one for one in _texts(saved) if isinstance(one, str))
    if (folder / NAMED).is_dir():
        yield from (read_template(file) for file in sorted((folder / NAMED).glob("*.jinja")))


def try_templates(artifact: Artifact, plan: ServePlan, engine: EngineFacts) -> None:
    """Try every chat template that the server of `artifact` may render. Raises FtctlError.

    Of a model on the Hub only the server knows; the dummy renders none.
    """
    if engine.name == DUMMY:
        return
    folders = {Path(place) for place in (artifact.path, artifact.base) if place and Path(place).is_dir()}
    for folder in sorted(folders):
        check_templates(engine.python, str(folder), list(templates_of(folder)))
    if plan.chat_template is not None:
        file = Path(plan.chat_template)
        check_templates(engine.python, str(file), [read_template(file)])


def _texts(saved: Any) -> list[Any]:
    """Of one template, or of several with their names."""
    if isinstance(saved, list):
        return [one.get("template") for one in saved if isinstance(one, dict)]
    return list(saved.values()) if isinstance(saved, dict) else [saved]


def check_templates(python: Path, where: str, templates: list[str]) -> None:
    """Raises FtctlError for a template that does not end, takes the machine's memory, or does what none may.

    `python` is an engine's interpreter, which has jinja2; `where` names the templates in the message.
    """
    if not templates:
        return
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "templates.json"
        file.write_text(json.dumps(templates), encoding="utf-8")
        env = environment(os.environ, {"PYTHONPATH": None, "PYTHONSTARTUP": None})
        try:
            done = run((str(python), str(PROGRAM), str(file)), cwd=Path(place), env=env, timeout=WAIT)
        except subprocess.TimeoutExpired:
            raise _refused(where, "does not end") from None
    if done.code < 0:
        raise _refused(where, "does not end, or takes all the memory that there is")
    if done.code == REFUSED:
        raise _refused(where, done.out.strip())


def _refused(where: str, what: str) -> FtctlError:
    return FtctlError(
        f"{where}: its chat template {what}", "use another model, or mend chat_template in its folder"
    )
