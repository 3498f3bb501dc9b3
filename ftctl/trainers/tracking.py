"""What trackers are told: transformers' arguments and the environment variables of each tracker.

Everything that a tracker writes on this machine goes to the folder `tracking` of the run directory, unless
the job or the environment names another place. What needs the run's id is set inside the engine, by
`inside/tracking.py`. Names as in transformers 5.23.0, mlflow 3.17, wandb 0.31, swanlab 0.4.12, trackio 0.43.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.job.training import Train

FOLDER = "tracking"  # in the run directory
SWANLAB_MODES = {"online": "cloud", "offline": "local"}


def tracking_arguments(train: Train, name: str) -> dict[str, Any]:
    """Which trackers are called; trackio alone takes its project as an argument. `name` is the job's."""
    project = {"project": _project(train, name)} if "trackio" in train.report_to else {}
    return {"report_to": list(train.report_to), **project}


def tracking_environment(train: Train, name: str) -> dict[str, str | None]:
    """The environment variables of the trackers that are called."""
    found: dict[str, str | None] = {}
    for tracker in train.report_to:
        found |= _VARIABLES[tracker](_project(train, name), train.tracking)
    return found


def _project(train: Train, name: str) -> str:
    return train.tracking.get("project") or name


def _tensorboard(project: str, said: Mapping[str, str]) -> dict[str, str | None]:
    """transformers 5 has no `logging_dir` any more: the variable takes its place."""
    return {"TENSORBOARD_LOGGING_DIR": f"{FOLDER}/tensorboard"}


def _mlflow(project: str, said: Mapping[str, str]) -> dict[str, str | None]:
    place = {"MLFLOW_TRACKING_URI": said["uri"]} if "uri" in said else {}
    return {"MLFLOW_EXPERIMENT_NAME": project, **place}


def _wandb(project: str, said: Mapping[str, str]) -> dict[str, str | None]:
    mode = {"WANDB_MODE": said["mode"]} if "mode" in said else {}
    return {"WANDB_PROJECT": project, "WANDB_DIR": FOLDER, **mode}


def _swanlab(project: str, said: Mapping[str, str]) -> dict[str, str | None]:
    mode = {"SWANLAB_MODE": SWANLAB_MODES[said["mode"]]} if "mode" in said else {}
    return {"SWANLAB_PROJECT": project, "SWANLAB_LOG_DIR": f"{FOLDER}/swanlab", **mode}


def _trackio(project: str, said: Mapping[str, str]) -> dict[str, str | None]:
    return {"TRACKIO_DIR": f"{FOLDER}/trackio"}


_VARIABLES = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "swanlab": _swanlab,
    "trackio": _trackio,
}
