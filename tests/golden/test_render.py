"""Golden renderings: a changed rendering is a difference that someone reads.

Each folder of `render/` holds a job and what it renders to. Write them again after a wanted change with

    REWRITE=1 pytest tests/golden/test_render.py
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.facts.model import EngineFacts, Facts, Gpu, MachineFacts
from ftctl.job.load import load
from ftctl.plan.model import Plan
from ftctl.prepare import prepare
from ftctl.run.rendering import all_steps, command_line

CASES = Path(__file__).parent / "render"
GPUS = tuple(Gpu(index, "NVIDIA A100", 80 * 2**30, 8.0) for index in range(4))


def plan_of(case: Path) -> Plan:
    """The case's plan on a machine of four GPUs, 16 cores and 64 GiB, whatever this one is."""
    job = load(case / "job.yaml", environ={})
    plan = prepare(job, environ={}, anywhere=True)
    machine = MachineFacts(GPUS, None, 16, 64 * 2**30, 500 * 2**30)
    facts = replace(plan.facts, machine=machine)
    return replace(plan, facts=steady(facts, case))


def steady(facts: Facts, case: Path) -> Facts:
    """Interpreters as they are called everywhere."""

    def renamed(engine: EngineFacts | None) -> EngineFacts | None:
        return engine and replace(engine, python=Path(f"/engines/{engine.name}/bin/python"))

    return replace(facts, trainer=renamed(facts.trainer), server=renamed(facts.server))


def text_of(plan: Plan) -> str:
    """Everything that is rendered for a plan, with this machine's folders taken out."""
    parts = []
    for name, step in all_steps(plan).items():
        parts += [f"== {file}\n{content}" for file, content in step.files.items()]
        parts += [f"== {link} -> {target}\n" for link, target in step.links.items()]
        parts.append(f"== {name}\n{command_line(step)}\n")
    text = "\n".join(parts)
    for folder, name in ((sys.executable, "/python"), (CASES, "/golden"), (CASES.parents[2], "/ftctl")):
        text = text.replace(str(folder), name)
    return text


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_rendering(case: str) -> None:
    expected = CASES / case / "expected.txt"
    text = text_of(plan_of(CASES / case))
    if os.environ.get("REWRITE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
