"""Print what TensorBoard's files and MLflow's store hold, as JSON: PYTHON read_trackers.py FOLDER STORE.

Run by an interpreter that has both. For each the losses as [step, loss], in the order in which they were
written; of MLflow also its runs as [experiment, name, status].
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any


def tensorboard(folder: str) -> list[list[float]]:
    reader: Any = import_module("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(folder)
    events.Reload()
    return [[event.step, event.value] for event in events.Scalars("train/loss")]


def mlflow(store: str) -> dict[str, Any]:
    client = import_module("mlflow.tracking").MlflowClient(store)
    known = [one for one in client.search_experiments() if one.name != "Default"]
    runs = [(one.name, run) for one in known for run in client.search_runs([one.experiment_id])]
    history = client.get_metric_history(runs[0][1].info.run_id, "loss")
    return {
        "runs": [[name, run.info.run_name, run.info.status] for name, run in runs],
        "losses": [[metric.step, metric.value] for metric in history],
    }


if __name__ == "__main__":
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    print("\n" + json.dumps({"tensorboard": tensorboard(sys.argv[1]), "mlflow": mlflow(sys.argv[2])}))
