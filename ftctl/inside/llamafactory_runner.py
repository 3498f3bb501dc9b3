"""Train with LLaMA-Factory's public `run_exp`, report events, and stop at a checkpoint when asked.

    PYTHON llamafactory_runner.py native/train.yaml        (working directory: the run directory)

The configuration file is the one that `llamafactory-cli train` takes, read by the engine's own reader.
training_events.py, beside this file, says what is reported and how a stop is asked for.
"""

import sys

import torch
from llamafactory.train.tuner import run_exp
from tracking import Tracking  # type: ignore[import-not-found] # beside this file
from training_events import STOP, Reporter, Stopped  # type: ignore[import-not-found] # beside this file


def main() -> None:
    if STOP.exists():
        sys.exit(0)
    reporter = Reporter()
    try:
        run_exp(callbacks=[reporter, Tracking(reporter.emit)])
    except Stopped:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
