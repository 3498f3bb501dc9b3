"""Train with LLaMA-Factory's public `run_exp`, report events, and stop at a checkpoint when asked.

    PYTHON llamafactory_runner.py native/train.yaml        (working directory: the run directory)

The configuration file is the one that `llamafactory-cli train` takes, read by the engine's own reader.
training_events.py, beside this file, says what is reported and how a stop is asked for. Before the weights
are loaded, llamafactory_template.py writes what the model will be trained to see of a conversation.
"""

import os
import sys

import torch
from llamafactory.hparams.parser import read_args
from llamafactory.train.tuner import run_exp
from llamafactory_template import STAGES, words, write  # type: ignore[import-not-found] # beside this file
from tracking import Tracking  # type: ignore[import-not-found] # beside this file
from training_events import STOP, Reporter, Stopped, report  # type: ignore[import-not-found] # beside this file


class TemplateDiffers(Exception):
    """No chat template gives a server what would be trained."""


def look_at_template() -> None:
    """Report whether a server can be given what is trained; end the training where it must be and cannot."""
    if os.environ.get("RANK", "0") != "0" or read_args().get("stage", "sft") not in STAGES:
        return
    value = write()
    found = {"same": value["source"] in ("saved", "given"), "rewritten": value["source"] == "template"}
    name, count = value["template"], len(value["conversations"])
    state = next((state for state, is_it in found.items() if is_it), "unlike")
    report("template", state=state, template=name, conversations=count)
    if state == "unlike" and os.environ.get("FTCTL_PARITY") == "fail":
        trained = f"the template {name}" if name else "what LLaMA-Factory makes of the model's chat template"
        raise TemplateDiffers(f"{trained} has no like among the chat templates: {words(value)}")


def main() -> None:
    if STOP.exists():
        sys.exit(0)
    reporter = Reporter()
    look_at_template()
    try:
        run_exp(callbacks=[reporter, Tracking(reporter.emit)])
    except Stopped:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
