"""Counts the figures of an evaluation by the metrics that its job asks for, and compares it with another."""

from __future__ import annotations

from pathlib import Path

from ftctl.errors import FtctlError
from ftctl.job.model import Evaluate
from ftctl.judge.ask_chat import Endpoint
from ftctl.judge.evaluate import REQUEST, read, write
from ftctl.judge.scoring import Server, Tell, metrics_of, paired, score


def count(folder: Path, block: Evaluate, python: Path, endpoint: Endpoint, tell: Tell) -> None:
    """Score the answers in `folder` and count its figures. Raises FtctlError."""
    request = read(folder / REQUEST)
    server = Server(
        endpoint.address,
        endpoint.model,
        endpoint.engine,
        endpoint.key,
        str(request["identity"]),
        endpoint.ca,
        endpoint.connect,
    )
    score(folder, metrics_of(block.metrics), python, server=server, seconds=request["seconds"], tell=tell)
    write(folder / REQUEST, {**request, "counted": request["counting"]})


def compare(other: Path, own: Path, python: Path, out: Path, tell: Tell) -> str:
    """Write what became of the questions from `other` to `own` to `out`; why that cannot be, if it cannot."""
    try:
        paired(other, own, python, out, tell=tell)
    except FtctlError as error:
        return error.message
    return ""
