"""Print LLaMA-Factory's arguments as JSON: the dataclasses that its own parsers for training and export take.

PYTHON read_llamafactory_arguments.py
"""

import json
from importlib.metadata import version

from dataclass_arguments import arguments_of  # type: ignore[import-not-found] # beside this file
from llamafactory.hparams import parser

entries = {
    "train": arguments_of(list(parser._TRAIN_ARGS)),
    "export": arguments_of(list(parser._INFER_ARGS)),
}
versions = {name: version(name) for name in ("llamafactory", "transformers")}
print("\n" + json.dumps({"versions": versions, "entries": entries}))
