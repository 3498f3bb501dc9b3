"""Print the arguments of vLLM's server as JSON, with the ranges that its configuration classes set.

PYTHON read_vllm_arguments.py
"""

import json
import sys
from importlib.metadata import version
from typing import Any

sys.argv = ["vllm", "serve", "--help"]  # vLLM leaves the help texts out unless it is asked for help

from parser_arguments import arguments_of  # type: ignore[import-not-found] # noqa: E402 - beside this file

try:
    from vllm.entrypoints.launchers.cli_args import create_parser_for_docs
except ImportError:  # before 0.32
    from vllm.entrypoints.openai.cli_args import create_parser_for_docs  # type: ignore[no-redef,unused-ignore]
import vllm.config  # noqa: E402

_BOUNDS = (("gt", "exclusiveMinimum"), ("ge", "minimum"), ("lt", "exclusiveMaximum"), ("le", "maximum"))


def bounds(name: str, groups: str) -> dict[str, Any]:
    """The range that the configuration class of the argument's group sets for the field of that name."""
    for group in groups.split(", "):
        fields = getattr(getattr(vllm.config, group, None), "__pydantic_fields__", {})
        if name in fields:
            limits = fields[name].metadata
            return {
                keyword: getattr(limit, bound)
                for limit in limits
                for bound, keyword in _BOUNDS
                if getattr(limit, bound, None) is not None
            }
    return {}


found = arguments_of(create_parser_for_docs())
for name, argument in found.items():
    argument.update(bounds(name, argument["x-ftctl-source"]))
print("\n" + json.dumps({"versions": {"vllm": version("vllm")}, "entries": {"serve": found}}))
