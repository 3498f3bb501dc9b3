"""Run one fine-tuning program of FlagEmbedding, report events, and stop at a checkpoint when asked.

    PYTHON flagembedding_runner.py PROGRAM FILE            (working directory: the run directory)

PROGRAM is the entry module below FlagEmbedding.finetune, as `embedder.encoder_only.base`; FILE is YAML that
holds its arguments under their exact names. training_events.py, beside this file, says what is reported and
how a stop is asked for; flagembedding_mends.py, what the release does wrong and how it is put right.
"""

import importlib
import json
import os
import pathlib
import sys
from typing import Any

import torch
import transformers
import yaml
from flagembedding_mends import (  # type: ignore[import-not-found] # beside this file
    hide_token,
    mend_merged,
    mended,
    require_finite,
    watch,
)
from tracking import Tracking, begin  # type: ignore[import-not-found] # beside this file
from training_events import STOP, Reporter, Stopped  # type: ignore[import-not-found] # beside this file

PROGRAMS = (
    "embedder.encoder_only.base",
    "embedder.encoder_only.m3",
    "embedder.decoder_only.base",
    "embedder.decoder_only.icl",
    "reranker.encoder_only.base",
    "reranker.decoder_only.base",
    "reranker.decoder_only.layerwise",
)


def named(entry: Any, ending: str) -> Any:
    """The class of an entry module whose name ends so, as `EncoderOnlyEmbedderRunner` with `Runner`."""
    (found,) = [value for name, value in vars(entry).items() if name.endswith(ending)]
    return found


def words(values: dict[str, Any]) -> list[str]:
    """The command line that says these arguments; None leaves one at its default."""
    line: list[str] = []
    for name, value in values.items():
        if isinstance(value, list):
            line += [f"--{name}", *map(str, value)] if value else []
        elif isinstance(value, dict):
            line.append(f"--{name}={json.dumps(value)}")
        elif value is not None:
            line.append(f"--{name}={value}")
    return line


def parse(entry: Any, file: pathlib.Path) -> Any:
    """The model's, the data's and the training's arguments, by the entry's own parser.

    Through a command line, because only that way does the parser turn texts into numbers: PyYAML reads
    1e-05 as a text.
    """
    classes = tuple(named(entry, f"{kind}Arguments") for kind in ("Model", "Data", "Training"))
    parser = entry.HfArgumentParser(classes, allow_abbrev=False)
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    return parser.parse_args_into_dataclasses(args=words(values), look_for_args_file=False)


def require_connection(training: Any) -> None:
    """Raise ConnectionError where torchrun started several processes and each would train by itself."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    _ = training.device  # the first look at it sets up the process group
    if training.world_size != started:
        raise ConnectionError(
            f"torchrun started {started} processes, but they are not connected (world size "
            f"{training.world_size}), so that each would train a copy of its own; on the CPU set use_cpu"
        )


def require_possible(program: str) -> None:
    """Raise NotImplementedError for the program whose model release 1.4.2 cannot run on transformers 5."""
    if program.endswith("layerwise") and int(transformers.__version__.partition(".")[0]) >= 5:
        raise NotImplementedError(
            f"{program} does not run on transformers {transformers.__version__}: its MiniCPM reads "
            "rope_scaling['type'], which transformers 5 no longer fills, and cannot be saved; "
            "train reranker.decoder_only.base"
        )


def main() -> None:
    if STOP.exists():
        sys.exit(0)
    if len(sys.argv) != 3 or sys.argv[1] not in PROGRAMS:
        sys.exit(f"usage: flagembedding_runner.py PROGRAM FILE; PROGRAM is one of {', '.join(PROGRAMS)}")
    require_possible(sys.argv[1])
    entry = importlib.import_module(f"FlagEmbedding.finetune.{sys.argv[1]}.__main__")
    model, data, training = parse(entry, pathlib.Path(sys.argv[2]))
    hide_token(model)
    require_connection(training)
    reporter = Reporter(batch=training.per_device_train_batch_size)  # a runner may set it to 1
    runner = mended(named(entry, "Runner"))(model_args=model, data_args=data, training_args=training)
    watch(runner.trainer)
    runner.trainer.add_callback(reporter)
    if training.report_to:
        begin(training)
        runner.trainer.add_callback(Tracking(reporter.emit))
    try:
        runner.run()
        if training.process_index == 0:
            output = pathlib.Path(training.output_dir)
            mend_merged(output / "merged_model")
            require_finite(output)
    except Stopped:
        pass
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
