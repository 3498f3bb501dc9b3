"""Run by LMDeploy's interpreter: hand its API server words of a command line, and say what it does with each.

Reads a JSON list of {id, words} on standard input and writes one JSON line each, as try_vllm_rules.py does.
The command builds its configurations by its own code; what stands at the end, in place of the server that
would look for a GPU, is the engine's own code up to the point where it looks. TurboMind is taken where it is
asked for: without a GPU the command would not find it.
"""

import json
import sys
from importlib import import_module
from typing import Any

from attempts import attempt  # type: ignore[import-not-found] # beside this file
from lmdeploy.cli.serve import SubCliServe
from lmdeploy.messages import PytorchEngineConfig
from lmdeploy.pytorch.engine.config_builder import ConfigBuilder


def configured(*_: object, backend_config: Any, **__: object) -> None:
    if isinstance(backend_config, PytorchEngineConfig):
        ConfigBuilder.build_dist_config(ConfigBuilder.update_engine_config(backend_config))


def main() -> None:
    SubCliServe.add_parsers()
    parser = SubCliServe.subparsers.choices["api_server"]
    ends = {
        "lmdeploy.archs": ("autoget_backend", lambda *_, **__: "turbomind"),
        "lmdeploy.serve.openai.api_server": ("serve", configured),
        "lmdeploy.serve.openai.launch_server": ("launch_server", configured),
    }
    for module, (name, end) in ends.items():
        setattr(import_module(module), name, end)
    print("DEFAULTS " + json.dumps(vars(parser.parse_args(["base"])), default=str), flush=True)
    print("KNOWN {}", flush=True)
    for one in json.load(sys.stdin):
        answer = attempt(lambda words: SubCliServe.api_server(parser.parse_args(words)), one["words"])
        print("ANSWER " + json.dumps({"id": one["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
