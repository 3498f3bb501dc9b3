"""Run by vLLM's interpreter: hand its server words of a command line, and say what it does with each.

Reads a JSON list of {id, words} on standard input, in a folder with the models that the words name, and
writes one JSON line each: the exception's name (or ""), its message, and every `file:function` that it passed
through.
What is called is what `python -m vllm.entrypoints.openai.api_server` calls before it loads a model.
"""

import contextlib
import copy
import json
import sys

import torch
from attempts import attempt  # type: ignore[import-not-found] # beside this file
from vllm.config.model import _FLOAT16_NOT_SUPPORTED_MODELS
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.entrypoints.launchers.launcher import validate_api_server_args
from vllm.model_executor.layers.quantization import (
    DEPRECATED_QUANTIZATION_METHODS,
    QUANTIZATION_METHODS,
    get_quantization_config,
)
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.attention.backends.registry import AttentionBackendEnum


def known() -> dict[str, list[str]]:
    """The names that the parser does not check, as the engine lists them."""
    half = []
    for name in QUANTIZATION_METHODS:
        with contextlib.suppress(TypeError):  # some methods can say it of an instance only
            if torch.float32 not in get_quantization_config(name).get_supported_act_dtypes():
                half.append(name)
    return {
        "TOOL_PARSERS": ToolParserManager.list_registered(),
        "REASONING_PARSERS": ReasoningParserManager.list_registered(),
        "QUANTIZATIONS": list(QUANTIZATION_METHODS),
        "DEPRECATED": list(DEPRECATED_QUANTIZATION_METHODS),
        "HALF": half,
        "NO_FLOAT16": list(_FLOAT16_NOT_SUPPORTED_MODELS),
        "ATTENTION": [backend.name for backend in AttentionBackendEnum],
    }


def main() -> None:
    parser = make_arg_parser(FlexibleArgumentParser())

    def start(words: list[str]) -> None:
        arguments = copy.deepcopy(parser.parse_args(words))
        validate_parsed_serve_args(arguments)
        engine = AsyncEngineArgs.from_cli_args(arguments)
        engine.create_engine_config(UsageContext.OPENAI_API_SERVER)
        validate_api_server_args(arguments)

    print("DEFAULTS " + json.dumps(vars(parser.parse_args([])), default=str), flush=True)
    print("KNOWN " + json.dumps(known()), flush=True)
    for one in json.load(sys.stdin):
        print("ANSWER " + json.dumps({"id": one["id"], **attempt(start, one["words"])}), flush=True)


if __name__ == "__main__":
    main()
