"""Run by the engine's interpreter: hand it examples of arguments, and say what its parser does with each.

Reads a JSON list of {arguments, command, world_size, packages} on standard input, and writes one JSON line
each: the exception's name (or ""), its message, and every `file:function` that it passed through.
Optional packages are stood in for by their metadata alone: the parser asks whether they are installed.
"""

import importlib.metadata
import json
import os
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# transformers chooses the base class of its DeepSpeed settings while it is imported.
AT_IMPORT = "deepspeed"
VERSIONS = {"vllm": "0.11.0"}  # the parser has an upper bound


def stand_in(folder: Path, package: str) -> str:
    """A folder for sys.path that makes the package look installed, unless it is."""
    place = folder / package
    info = place / f"{package.replace('-', '_')}-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {VERSIONS.get(package, '99.0')}\n"
    )
    if package == AT_IMPORT:
        (place / package).mkdir()
        (place / package / "__init__.py").touch()
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
        sys.path[:] = [*clean, *(place for name, place in places.items() if name == AT_IMPORT)]
        from llamafactory.hparams.parser import get_infer_args, get_train_args

        defaults()  # first: a parser that is made changes the types it notes
        os.chdir(folder)
        for one in sorted(examples, key=lambda one: one["world_size"]):
            sys.path[:] = [*clean, *(places[name] for name in one["packages"] if name in places)]
            importlib.invalidate_caches()
            distributed(one["world_size"])
            Path("output").mkdir(exist_ok=True)
            for name, wanted in (("model.safetensors", "weights"), ("adapter_model.safetensors", "weights")):
                if one["output"] == wanted:
                    Path("output", name).touch()
                else:
                    Path("output", name).unlink(missing_ok=True)
            parse = get_infer_args if one["command"] == "export" else get_train_args
            print("ANSWER " + json.dumps({"id": one["id"], **attempt(parse, one["arguments"])}), flush=True)


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
