"""Print the arguments of LMDeploy's API server and proxy as JSON, with the backends that each one reaches.

PYTHON read_lmdeploy_arguments.py
"""

import json
from importlib.metadata import version
from typing import Any

from lmdeploy.cli.serve import SubCliServe
from parser_arguments import arguments_of  # type: ignore[import-not-found] # beside this file

BACKENDS = {"PyTorch engine arguments": "pytorch", "TurboMind engine arguments": "turbomind"}


def with_backends(argument: dict[str, Any]) -> dict[str, Any]:
    backends = [BACKENDS[group] for group in argument["x-ftctl-source"].split(", ") if group in BACKENDS]
    return {**argument, **({"x-ftctl-backends": backends} if backends else {})}


SubCliServe.add_parsers()
entries = {
    name: {
        key: with_backends(argument)
        for key, argument in arguments_of(SubCliServe.subparsers.choices[name]).items()
    }
    for name in ("api_server", "proxy")
}
print("\n" + json.dumps({"versions": {"lmdeploy": version("lmdeploy")}, "entries": entries}))
