"""Print FlagEmbedding's arguments as JSON: the dataclasses that each of its fine-tuning programs parses.

PYTHON read_flagembedding_arguments.py
"""

import importlib
import json
import pkgutil
from importlib.metadata import version
from typing import Any

import FlagEmbedding.finetune as programs
from dataclass_arguments import arguments_of  # type: ignore[import-not-found] # beside this file


class Asked(Exception):
    """A program has made its parser; `args[0]` holds the dataclasses that it is made of."""


class Recorder:
    """Stands in for HfArgumentParser, so that a program says what it would parse and does nothing else."""

    def __init__(self, classes: Any) -> None:
        raise Asked(list(classes))


def parsed_by(module: str) -> list[type]:
    program: Any = importlib.import_module(module)
    program.HfArgumentParser = Recorder
    try:
        program.main()
    except Asked as asked:
        classes: list[type] = asked.args[0]
        return classes
    raise SystemExit(f"{module} made no parser")


PREFIX = f"{programs.__name__}."
names = sorted(
    found.name
    for found in pkgutil.walk_packages(programs.__path__, PREFIX)
    if found.name.endswith("__main__")
)
entries = {
    name.removeprefix(PREFIX).removesuffix(".__main__"): arguments_of(parsed_by(name)) for name in names
}
versions = {name: version(name) for name in ("FlagEmbedding", "transformers")}
print("\n" + json.dumps({"versions": versions, "entries": entries}))
