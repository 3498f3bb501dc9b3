"""Run by an engine's interpreter: which of the command lines on standard input its own parser takes.

PYTHON parse_words.py vllm|lmdeploy        (standard input: a JSON list of argument lists)
"""

import contextlib
import io
import json
import sys

engine = sys.argv[1]
if engine == "vllm":
    from vllm.entrypoints.launchers.cli_args import create_parser_for_docs

    parser = create_parser_for_docs()
else:
    from lmdeploy.cli.serve import SubCliServe

    SubCliServe.add_parsers()
    parser = SubCliServe.subparsers.choices["api_server"]


def refused(words: list[str]) -> list[str] | None:
    """What the parser says against these words; None where it takes them."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(words)
    except (SystemExit, Exception) as error:  # noqa: BLE001 - an argument's own reader may raise anything
        return said.getvalue().strip().splitlines()[-1:] or [repr(error)]
    return None


print("\n" + json.dumps([refused(words) for words in json.load(sys.stdin)]))
