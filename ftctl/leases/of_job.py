"""The lease of a job: GPUs for its training and for the deployment that follows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy, Job
from ftctl.leases.hold import Lease
from ftctl.leases.model import Wish, deployment_phrase
from ftctl.leases.pick import wish_of
from ftctl.leases.take import Asking, take
from ftctl.paths import leases_dir
from ftctl.plan.devices import Asked
from ftctl.plan.model import Plan


def lease_for(
    job: Job,
    machine: MachineFacts,
    *,
    wait: bool,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Lease:
    """Take what a job with a training asks for, before it is planned for the GPUs that it gets.

    Raises Missing where they are not free and `wait` is false.
    """
    asks: list[Asked] = [job.resources.gpus] if job.train is not None else []
    if job.deploy is not None and job.deploy.gpus is not None:
        asks.append(job.deploy.gpus)
    wish = wish_of(asks, machine)
    return take(
        Asking(wish, machine.gpus, f"ftctl train {job.name}", leases_dir(environ), say=say), wait=wait
    )


def lease_again(
    plan: Plan,
    *,
    wait: bool,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Lease:
    """Take the very GPUs of a plan that was made before, for a run that goes on.

    Raises Missing where one is held and `wait` is false.
    """
    devices = devices_of(plan)
    wish = Wish(devices, len(devices), devices)
    gpus = plan.facts.machine.gpus
    return take(Asking(wish, gpus, f"ftctl resume {plan.job.name}", leases_dir(environ), say=say), wait=wait)


def devices_of(plan: Plan) -> tuple[int, ...]:
    """The GPUs that a plan uses, for its training and for its deployment."""
    trained = plan.train.devices if plan.train is not None else ()
    return tuple(sorted({*trained, *(plan.serve.devices if plan.serve is not None else ())}))


def lease_to_serve(
    deploy: Deploy,
    name: str,
    machine: MachineFacts,
    variant: str,
    *,
    wait: bool,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Lease:
    """Take what a deployment on its own asks for. Raises Missing as `lease_for` does."""
    asked: Asked = deploy.gpus
    if asked is None:
        asked = 0 if variant == "cpu" or not machine.gpus else deploy.ranks
    wish = wish_of([asked], machine)
    return take(Asking(wish, machine.gpus, deployment_phrase(name), leases_dir(environ), say=say), wait=wait)
