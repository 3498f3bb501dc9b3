"""Whole weights as one GGUF file: written by llama.cpp's converter, and held against the weights."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import TRAINED
from ftctl.artifacts.weights import read_json
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.export.converter import CONVERTER, READER, installed
from ftctl.export.source import Source
from ftctl.process import start, stop_session
from ftctl.rendered import environment
from ftctl.trainers.start import INSIDE

CHECK = INSIDE / "check_gguf.py"
TYPES = ("auto", "f32", "f16", "bf16", "q8_0")
BY_HAND = (
    "export with --to merged, and convert that folder by llama.cpp's own convert_hf_to_gguf.py of today: "
    "python convert_hf_to_gguf.py FOLDER --outfile model.gguf"
)
UNKNOWN = {
    "pre-tokenizer was not recognized": "it does not know this tokenizer",
    "is not supported": "it does not know this architecture",
}


def convert(source: Source, model: Path, folder: Path, kind: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Write `folder/NAME.gguf` of the model in `model`; sha256 by name, and what there is to say.

    Raises Missing where the engine that runs the converter is not installed, UsageError for a model with code
    of its own, FtctlError where it cannot be converted or where the file does not hold its weights.
    """
    python = _python(source)
    _refuse_code(source, model)
    target = folder / f"{source.name}.gguf"
    argv = [str(python), "-P", "-m", "convert_hf_to_gguf", str(model), "--outfile", str(target)]
    _run([*argv, "--outtype", kind], installed(CONVERTER, python), model.parent)
    said = _run(
        [str(python), "-P", str(CHECK), str(target), str(model)], installed(READER, python), model.parent
    )
    notes = judged(json.loads(said.strip().splitlines()[-1]), _end(source))
    with open(target, "rb") as file:
        return {target.name: hashlib.file_digest(file, "sha256").hexdigest()}, notes


def _python(source: Source) -> Path:
    engine = source.plan.facts.trainer
    if engine is None or not engine.python.is_file():
        name = engine.name if engine is not None else "llamafactory"
        raise Missing("the engine that runs the converter is not installed", f"ftctl engines install {name}")
    return engine.python


def _refuse_code(source: Source, model: Path) -> None:
    """The converter trusts a model's own code; here it is run only where the job trusts it."""
    if source.plan.job.model.trust_remote_code:
        return
    for file in model.glob("*.py"):
        file.unlink()
    for name in ("config.json", "tokenizer_config.json"):
        if (model / name).is_file() and "auto_map" in read_json(model / name):
            raise UsageError(
                f"{name} names code of its own, which the converter would run",
                "set model.trust_remote_code in the job if it is to be trusted",
            )


def _run(argv: list[str], packages: Path, work: Path) -> str:
    """Run a program with these packages in front of the engine's; what it said. Raises FtctlError."""
    changes = {
        "PYTHONPATH": str(packages),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "NO_LOCAL_GGUF": "1",
    }
    log = work / f"{len(list(work.glob('*.log')))}.log"
    child, process = start(argv, cwd=work, env=environment(os.environ, changes), log=log)
    try:
        code = child.wait()
    finally:
        stop_session(process, grace=2.0)
        child.wait()
    said = log.read_text(errors="replace")
    if code:
        raise failure(said)
    return said


def failure(said: str) -> FtctlError:
    """Why a conversion failed, from the converter's output."""
    for words, why in UNKNOWN.items():
        if words in said:
            return FtctlError(f"the converter cannot make GGUF of this model: {why}", BY_HAND)
    lines = said.strip().splitlines()[-3:] or ["no word"]
    return FtctlError("the converter failed:\n" + "\n".join(f"    {line}" for line in lines), BY_HAND)


def judged(found: Mapping[str, Any], end: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a check says of a file. Raises FtctlError where the file is not the model.

    `found` is what inside/check_gguf.py prints; `end` is the token that ends a trained answer.
    """
    if not found["tokens"]:
        raise FtctlError("the GGUF file has another vocabulary than the model", BY_HAND)
    if found["template"] is False:
        raise FtctlError("the GGUF file has another chat template than the model", BY_HAND)
    if found["missing"]:
        raise FtctlError(
            f"the GGUF file lacks weights of the model: {', '.join(found['missing'][:5])}", BY_HAND
        )
    if not found["same"]:
        raise FtctlError("no tensor of the GGUF file is one of the model", BY_HAND)
    total, same, other = found["tensors"], found["same"], found["other"]
    said = [
        f"{same} of {total} tensors hold the model's weights, value by value; its vocabulary is the model's"
    ]
    if other:
        said.append(
            f"{len(other)} are quantized or changed by the converter, and not compared, such as {other[0]}"
        )
    if end is not None and found["eos"] is not None and end["id"] != found["eos"]:
        said.append(
            f"it ends an answer with token {found['eos']}; trained is {end['token']}: give it as a stop word"
        )
    return tuple(said)


def _end(source: Source) -> Mapping[str, Any] | None:
    trained = source.run.read_json(TRAINED)
    return None if trained is None else trained.get("end")
