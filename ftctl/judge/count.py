"""Counts the figures of an evaluation by the metrics that its job asks for, and compares it with another."""

from __future__ import annotations

from pathlib import Path

from ftctl.errors import FtctlError, UsageError
from ftctl.job.model import Evaluate
from ftctl.judge.ask_chat import Endpoint
from ftctl.judge.asked import read_metrics
from ftctl.judge.evaluate import REQUEST, read, write
from ftctl.judge.metrics import Asked
from ftctl.judge.scoring import Server, Tell, paired, score


def metrics_of(block: Evaluate) -> tuple[Asked, ...]:
    """The metrics of a block. Raises UsageError for one that cannot be right."""
    asked, wrong = read_metrics(list(block.metrics))
    if wrong:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong[0].path)
        raise UsageError(f"evaluate.metrics{place}: {wrong[0].message}", wrong[0].remedy)
    return asked


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
    score(folder, metrics_of(block), python, server=server, seconds=request["seconds"], tell=tell)
    write(folder / REQUEST, {**request, "counted": request["metrics"]})


def compare(other: Path, own: Path, python: Path, out: Path, tell: Tell) -> str:
    """Write what became of the questions from `other` to `own` to `out`; why that cannot be, if it cannot."""
    try:
        paired(other, own, python, out, tell=tell)
    except FtctlError as error:
        return error.message
    return ""
