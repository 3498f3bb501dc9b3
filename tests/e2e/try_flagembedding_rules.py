"""Run by FlagEmbedding's interpreter: hand examples to its programs, and say what they do with each.

Reads a JSON list of {id, command, arguments, world_size, packages, run} on standard input. Each is given to
the parser of its program as a command line; with `run` the program itself runs, on tiny models made here.
Writes one JSON line for each, as try_rules.py does, the engine's defaults, and what the proofs found.
"""

import dataclasses
import importlib
import json
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

# The two are beside this file.
from try_rules import (  # type: ignore[import-not-found]
    AT_IMPORT,
    attempt,
    distributed,
    installed,
    stand_in,
)

SHORT = {"max_steps": 2, "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True}


class Asked(Exception):
    """A program has made its parser; `args[0]` holds the dataclasses that it is made of."""


class Recorder:
    def __init__(self, classes: Any) -> None:
        raise Asked(tuple(classes))


def words(arguments: dict[str, Any]) -> list[str]:
    """The arguments as a command line: a list is several words, and a mapping is JSON."""
    line: list[str] = []
    for name, value in arguments.items():
        shown = json.dumps(value) if isinstance(value, dict) else value
        line += [f"--{name}", *map(str, shown if isinstance(shown, list) else [shown])]
    return line


def module_of(program: str) -> Any:
    return importlib.import_module(f"FlagEmbedding.finetune.{program}.__main__")


def classes_of(program: str) -> tuple[type, ...]:
    """The dataclasses that the program's own main parses."""
    module = module_of(program)
    real, module.HfArgumentParser = module.HfArgumentParser, Recorder
    try:
        module.main()
    except Asked as asked:
        found: tuple[type, ...] = asked.args[0]
        return found
    finally:
        module.HfArgumentParser = real
    raise SystemExit(f"{program} made no parser")


def parse(program: str, arguments: dict[str, Any]) -> Any:
    from transformers import HfArgumentParser

    parser = HfArgumentParser(classes_of(program))
    return parser.parse_args_into_dataclasses(words(arguments))


def run(program: str, arguments: dict[str, Any]) -> None:
    """The program's own main, in this process; the result is in `output`."""
    shutil.rmtree("output", ignore_errors=True)
    sys.argv = [program, *words({**SHORT, **arguments})]
    module_of(program).main()


def defaults(programs: list[str]) -> dict[str, dict[str, Any]]:
    """By program, what each argument is where nothing is written."""

    def value(field: dataclasses.Field[Any]) -> Any:
        if field.default is not dataclasses.MISSING:
            return getattr(field.default, "value", field.default)
        return None if field.default_factory is dataclasses.MISSING else field.default_factory()

    return {
        program: {
            field.name: value(field) for cls in classes_of(program) for field in dataclasses.fields(cls)
        }
        for program in programs
    }


def main() -> None:
    asked = json.load(sys.stdin)
    examples = asked["examples"]
    with tempfile.TemporaryDirectory() as folder:
        packages = sorted({package for one in examples for package in one["packages"]})
        places = {name: stand_in(Path(folder), name) for name in packages if not installed(name)}
        clean = list(sys.path)
        sys.path[:] = [*clean, *(place for name, place in places.items() if name == AT_IMPORT)]
        import transformers
        import transformers.integrations.deepspeed
        from flagembedding_proofs import PROOFS, make_models  # type: ignore[import-not-found]

        sys.path[:] = clean
        importlib.invalidate_caches()
        os.chdir(folder)
        make_models()
        tell("DEFAULTS", **defaults(asked["programs"]))
        transformers.logging.set_verbosity_error()
        for name, proof in PROOFS.items():  # first: no package is stood in for, and this process is alone
            tell("PROOF", id=name, found=proof(run, parse))
        for one in sorted(examples, key=lambda one: (one["world_size"], not one["run"])):
            lent = [] if one["run"] else [places[name] for name in one["packages"] if name in places]
            sys.path[:] = [*clean, *lent]
            importlib.invalidate_caches()
            distributed(one["world_size"])
            do = partial(run if one["run"] else parse, one["command"])
            tell("ANSWER", id=one["id"], **attempt(do, one["arguments"]))


def tell(word: str, **said: Any) -> None:
    """One line of the report; what the engine printed may have left its own line open."""
    print(f"\n{word} {json.dumps(said, default=str)}", flush=True)


if __name__ == "__main__":
    main()
