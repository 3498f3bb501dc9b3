"""Name what trackers write after the run, let a resumed run go on where it was, and say where to look.

It goes by the working directory, the run directory, whose name is the run's id. What the job says stands in
the environment and in the training's arguments. training_events.py, beside this file, carries the events.
"""

import json
import os
import pathlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from transformers import TrainerCallback

FOLDER = pathlib.Path("tracking")
MLFLOW_RUN = FOLDER / "mlflow.json"  # the run's id and its store, for an attempt that goes on


def public(uri: str) -> str:
    """An address without the user and the password that it may hold."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def begin(args: Any) -> None:
    """Before a tracker begins: the names and ids by which the run is known to it."""
    run = pathlib.Path.cwd().name
    args.run_name = args.run_name or run
    FOLDER.mkdir(exist_ok=True)
    os.environ.setdefault("WANDB_RUN_ID", run)
    os.environ.setdefault("WANDB_RESUME", "allow")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow 3.17 refuses folders without it
    store = os.environ.setdefault("MLFLOW_TRACKING_URI", (pathlib.Path.cwd() / FOLDER / "mlruns").as_uri())
    try:
        known = json.loads(MLFLOW_RUN.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if known["store"] == public(store):  # in another store there is no such run
        os.environ.setdefault("MLFLOW_RUN_ID", known["run"])


def tensorboard(args: Any) -> tuple[str, str]:
    folder = str(pathlib.Path(os.environ.get("TENSORBOARD_LOGGING_DIR", args.output_dir)).resolve())
    return folder, f"tensorboard --logdir {folder}"


def mlflow(args: Any) -> tuple[str, str]:
    import mlflow as client  # type: ignore[import-not-found] # in a layer over the engine's packages

    store, run = public(client.get_tracking_uri()), client.active_run().info
    MLFLOW_RUN.write_text(json.dumps({"store": store, "run": run.run_id}), encoding="utf-8")
    if store.startswith("http"):
        return f"{store}/#/experiments/{run.experiment_id}/runs/{run.run_id}", ""
    return store, f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {store}"


def wandb(args: Any) -> tuple[str, str]:
    import wandb as client  # type: ignore[import-not-found] # in a layer over the engine's packages

    if client.run.url:
        return client.run.url, ""
    folder = str(pathlib.Path(client.run.dir).resolve().parent)
    return folder, f"wandb sync {folder}"


def swanlab(args: Any) -> tuple[str, str]:
    import swanlab as client  # type: ignore[import-not-found] # in a layer over the engine's packages

    url = getattr(client.get_run().public.cloud, "experiment_url", None)
    folder = str(pathlib.Path(os.environ.get("SWANLAB_LOG_DIR", "swanlog")).resolve())
    return (url, "") if url else (folder, f"swanlab watch {folder}")


def trackio(args: Any) -> tuple[str, str]:
    folder = os.environ.get("TRACKIO_DIR")
    show = f"trackio show --project {args.project}"
    if folder is None:
        return args.project, show
    folder = str(pathlib.Path(folder).resolve())
    return folder, f"TRACKIO_DIR={folder} {show}"


PLACES: dict[str, Callable[[Any], tuple[str, str]]] = {
    "tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb, "swanlab": swanlab, "trackio": trackio,
}  # fmt: skip


class Tracking(TrainerCallback):
    """Says where each tracker writes. It stands behind the trackers' own callbacks, which have begun then.

    `emit` is the reporter's; a trainer that this is given to as it is made calls on_init_end, else `begin`
    is called by whoever adds it.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        self.emit = emit

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.report_to:
            begin(args)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        for name in args.report_to:
            if name in PLACES:  # native may name another
                place, show = PLACES[name](args)
                self.emit(state, "tracking", tracker=name, place=place, show=show or None)
