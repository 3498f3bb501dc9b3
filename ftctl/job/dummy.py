"""What a dummy makes of a job: nothing is computed, so no GPU is looked for and none is taken."""

from __future__ import annotations

from dataclasses import replace

from ftctl.job.model import Deploy, Job, Resources
from ftctl.job.training import RETRIEVAL, Train

NAME = "dummy"
UNSEEN = "encoder-only-base"


def for_dummies(job: Job) -> Job:
    """The job with its dummies' GPUs counted and not asked for; what only GPUs do is left out.

    What the dummy has trained is served by the dummy, unless the job says otherwise.
    """
    train, deploy = job.train, job.deploy
    if train is not None and train.engine == NAME:
        precision = "fp32" if train.precision == "fp16" else train.precision
        train = replace(train, precision=precision, variant=_variant(job, train))
        job = replace(job, train=train, resources=_counted(job.resources))
        if deploy is not None and deploy.engine == "auto":
            deploy = replace(deploy, engine=NAME)
    if deploy is not None and deploy.engine == NAME:
        job = replace(job, deploy=served_by_dummy(deploy))
    return job


def served_by_dummy(deploy: Deploy) -> Deploy:
    """The block for a dummy server."""
    return replace(
        deploy, engine=NAME, gpus=0, tensor_parallel=None, pipeline_parallel=None, data_parallel=None
    )


def _variant(job: Job, train: Train) -> str | None:
    """Of what kind an embedder or a reranker is taken to be: a dummy's model need not be there."""
    unseen = train.task in RETRIEVAL and not job.model.local
    return train.variant or (UNSEEN if unseen else None)


def _counted(resources: Resources) -> Resources:
    """As many processes as GPUs were asked for, so that the batch is split as it would be on them."""
    asked = resources.gpus
    count = len(asked) if isinstance(asked, tuple) else asked if isinstance(asked, int) else 0
    return replace(resources, gpus=0, processes=count or resources.processes)
