"""What a run recorded of itself: its plan and its commands."""

from __future__ import annotations

from ftctl.plan.model import Plan
from ftctl.record import from_record
from ftctl.run.create import Step
from ftctl.run.directory import RunDir


def plan_of(run: RunDir) -> Plan:
    """The plan as it was recorded."""
    return from_record(Plan, run.read_json("plan.json"))


def steps_of(run: RunDir) -> tuple[Step, ...]:
    """The commands of the run, in order."""
    return from_record(tuple[Step, ...], run.read_json("steps.json"))
