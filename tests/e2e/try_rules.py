"""Run by the engine's interpreter: hand it examples of arguments, and say what it does with each.

Its argument is a model's folder. Reads a JSON list of {id, rule, arguments, world_size, packages, runs} on
standard input, and writes one JSON line each: the exception's name (or ""), its message, and every
`file:function` that it passed through: of the parser, and under "run" of the whole command where `runs`.
Optional packages are stood in for by their metadata, since the engine asks whether they are installed;
AT_IMPORT by a module too, with no more than the names that engine and accelerate import.
"""

import importlib
import importlib.metadata
import json
import os
import shutil
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# transformers chooses the base class of its DeepSpeed settings while it is imported; LLaMA-Factory imports
# these optimizers then, and checks its arguments before it makes one.
AT_IMPORT = {
    "deepspeed": "class DeepSpeedEngine: ...\n",
    "galore-torch": "class GaLoreAdamW: ...\nclass GaLoreAdamW8bit: ...\nclass GaLoreAdafactor: ...\n",
    "apollo-torch": "class APOLLOAdamW: ...\n",
    "badam": "class BlockOptimizer: ...\nclass BlockOptimizerRatio: ...\nclass BAdamCallback: ...\n"
    "def clip_grad_norm_old_version(): ...\n",
}


def stand_in(folder: Path, package: str) -> str:
    """A folder for sys.path that makes the package look installed, unless it is."""
    place = folder / package
    info = place / f"{package.replace('-', '_')}-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    if package in AT_IMPORT:
        module = place / package.replace("-", "_")
        module.mkdir()
        (module / "__init__.py").write_text(AT_IMPORT[package])
    return str(place)


def distributed(world_size: int) -> None:
    """The environment that torchrun gives the only process of a distributed run, or none of it."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if world_size == 1:
        for name in names:
            os.environ.pop(name, None)
    elif "RANK" not in os.environ:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            values = ("0", "0", "1", "127.0.0.1", str(free.getsockname()[1]))
        os.environ.update(zip(names, values, strict=True))


def attempt(parse: Callable[[dict[str, Any]], object], arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        parse(dict(arguments))
    except BaseException as error:  # noqa: BLE001 - the engine raises whatever it likes
        frames = traceback.extract_tb(error.__traceback__)
        passed = [f"{frame.filename}:{frame.name}" for frame in frames]
        return {"error": type(error).__name__, "message": str(error)[:300], "passed": passed}
    return {"error": "", "message": "", "passed": []}


def main() -> None:
    examples = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        packages = sorted({package for one in examples for package in one["packages"]})
        missing = [package for package in packages if not installed(package)]
        places = {package: stand_in(Path(folder), package) for package in missing}
        clean = list(sys.path)
        sys.path[:] = [*clean, *(place for name, place in places.items() if name in AT_IMPORT)]
        from llamafactory.hparams.parser import get_train_args
        from llamafactory.train.tuner import run_exp

        calls = importlib.import_module("rule_calls").calls
        defaults()  # first: a parser that is made changes the types it notes
        os.chdir(folder)
        around(Path(sys.argv[1]))
        called = calls(sys.argv[1])
        for one in sorted(examples, key=lambda one: one["world_size"]):
            sys.path[:] = [*clean, *(places[name] for name in one["packages"] if name in places)]
            importlib.invalidate_caches()
            distributed(one["world_size"])
            shutil.rmtree("output", ignore_errors=True)
            Path("output").mkdir()
            for name, wanted in (("model.safetensors", "weights"), ("adapter_model.safetensors", "weights")):
                if one["output"] == wanted:
                    Path("output", name).touch()
            answer = {"id": one["id"], **attempt(get_train_args, one["arguments"])}
            if one["runs"]:
                kept = dict(os.environ)
                run = called.get(one["rule"], run_exp)
                answer["run"] = attempt(run, {"max_steps": 1, "cutoff_len": 64} | one["arguments"])
                os.environ.clear()
                os.environ.update(kept)
            print("ANSWER " + json.dumps(answer), flush=True)


def around(model: Path) -> None:
    """What the examples name: the models `base` and `judge`, and the data."""
    for name in ("base", "judge"):
        Path(name).symlink_to(model)
    Path("data").mkdir()
    for name in ("one", "two"):
        rows = [{"instruction": f"{name} {number}", "input": "", "output": "yes"} for number in range(12)]
        Path("data", f"{name}.json").write_text(json.dumps(rows))
    # What `facts/oddities.py` refuses: a CSV file with a column of numbers, and its fellow of words.
    Path("data", "numbers.csv").write_text("instruction,input,output\n1,,yes\n2,,no\n")
    Path("data", "words.csv").write_text("instruction,input,output\none,,yes\n2,,no\n")
    info = {name: {"file_name": f"{name}.json"} for name in ("one", "two")}
    info |= {name: {"file_name": f"{name}.csv"} for name in ("numbers", "words")}
    Path("data", "dataset_info.json").write_text(json.dumps(info))


def installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def defaults() -> None:
    """What each argument is where nothing is written, and its type as the engine notes it."""
    import dataclasses

    from llamafactory.hparams import parser

    found = {}
    for group in parser._TRAIN_ARGS:
        for field in dataclasses.fields(group):
            value = None if field.default is dataclasses.MISSING else field.default
            found[field.name] = [getattr(value, "value", value), str(field.type)]
    print("DEFAULTS " + json.dumps(found, default=str), flush=True)


if __name__ == "__main__":
    main()
