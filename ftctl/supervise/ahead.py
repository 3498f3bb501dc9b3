"""The server of a run, begun while the trained weights are still merged and verified: its imports take as
long as both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.errors import FtctlError
from ftctl.leases.hold import held_here
from ftctl.leases.model import run_phrase
from ftctl.plan.judging import compared_with_base, judged
from ftctl.plan.model import Plan
from ftctl.run.directory import RunDir
from ftctl.trainers.table import trainer_of

if TYPE_CHECKING:
    from ftctl.deployments.ahead import Ahead


class ServerAhead:
    """The interpreter of the server, from `begin` until it is taken or closed."""

    def __init__(self, run: RunDir, plan: Plan) -> None:
        self.run, self.plan = run, plan
        self.begun: Ahead | None = None

    def begin(self) -> None:
        """Start it, where the plan's server can wait and its place is known by now.

        A base model that is judged first is served in between, and servers behind a proxy have names of
        their own: these are started when there is something to serve.
        """
        plan, deploy = self.plan.serve, self.plan.job.deploy
        base_first = judged(self.plan) or compared_with_base(self.plan)
        if plan is None or deploy is None or deploy.proxied or base_first:
            return
        from ftctl.deployments.ahead import start_ahead

        engine = self.plan.facts.server
        if engine is None:
            return
        attach = plan.adapter == "attach"
        results = trainer_of(self.plan).results(self.plan)
        try:
            self.begun = start_ahead(
                plan,
                deploy,
                name=deploy.name or self.plan.job.name,
                engine=engine,
                machine=self.plan.facts.machine,
                artifact=self.run.path / results.get("merged", next(iter(results.values()))),
                local=not attach or Path(self.plan.job.model.path).is_absolute(),
                run=self.run.path,
                lease=held_here().part(plan.devices),
            )
        except FtctlError:
            # What keeps it from starting is said when there is something to serve: the weights come first.
            self.begun = None

    def take(self) -> Ahead | None:
        """Hand it over to who tells it what to serve, and ends it where that fails."""
        begun, self.begun = self.begun, None
        return begun

    def close(self) -> None:
        """End it, where nobody has taken it."""
        begun = self.take()
        if begun is not None:
            from ftctl.deployments.ahead import end_ahead

            end_ahead(begun, f"{self.run.path.name} ended before there was anything to serve")
            held_here().name(run_phrase(self.plan.job.name, self.run.path.name))
