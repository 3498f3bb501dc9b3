"""The engines of a plan, made sure of: installed on first use, or refused with the way out."""

from __future__ import annotations

from ftctl.engines.install import ensure
from ftctl.facts.model import EngineFacts
from ftctl.plan.model import Plan
from ftctl.prepare import with_engines
from ftctl.view.installing import installing


def ensure_all(plan: Plan, *, install: bool) -> Plan:
    """The plan with installed engines. Raises Missing where one is not there and `install` is false."""

    def made_sure(engine: EngineFacts) -> EngineFacts:
        if engine.installed:
            return engine
        with installing() as (report, watch):
            return ensure(engine.name, engine.variant, install=install, report=report, watch=watch)

    return with_engines(plan, made_sure)
