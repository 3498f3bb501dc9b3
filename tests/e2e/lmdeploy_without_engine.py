"""Run by LMDeploy's interpreter: its API server with all its routes, by ftctl's runner, and no engine.

Where the engine would be loaded, which needs a GPU, stands an object that computes nothing. Everything else
is LMDeploy's own: its command line, application, middlewares and routes. First it writes how its parser
reads each of the command lines in a JSON file, for one import of the engine takes long. Arguments: the folder
of the runner, that file, the words of the command.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, sys.argv.pop(1))  # the folder of the runner
import lmdeploy_server  # type: ignore[import-not-found]
from lmdeploy.serve.openai import api_server


class NoEngine:
    """What the server asks of its engine while nobody asks for an answer."""

    is_sleeping = False
    arch = "none"
    chat_template = None
    tokenizer = SimpleNamespace(model=SimpleNamespace(model=None))
    engine = SimpleNamespace(is_dummy=True)

    def __init__(self, **settings: Any) -> None:
        self.model_name, self.backend_config = settings["model_name"], settings["backend_config"]

    def start_loop(self, *_: Any, **__: Any) -> None:
        """There is none."""

    def close(self) -> None:
        """There is nothing to end."""


def words(file: Path) -> None:
    from lmdeploy.cli.serve import SubCliServe
    from lmdeploy.cli.utils import get_lora_adapters

    read = []
    for line in json.loads(file.read_text()):
        args = vars(SubCliServe.subparsers.choices["api_server"].parse_args(line))
        args["adapters"] = get_lora_adapters(args["adapters"])
        read.append(args)
    file.with_suffix(".read").write_text(json.dumps(read, default=str))


if __name__ == "__main__":
    lines = Path(sys.argv.pop(1))

    def no_task(*_: Any, **__: Any) -> tuple[None, type[NoEngine]]:
        words(lines)
        return None, NoEngine

    api_server.get_task = no_task
    lmdeploy_server.main()
