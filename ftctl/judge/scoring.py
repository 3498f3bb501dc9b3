"""Runs the metrics program over an evaluation's folder, in the judge's environment."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from ftctl import process
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.judge.asked import files_of, read_metrics
from ftctl.judge.metrics import METRICS, Asked
from ftctl.judge.scored import Comparison, Figures
from ftctl.paths import PACKAGE
from ftctl.record import from_record
from ftctl.rendered import environment

PROGRAM = PACKAGE / "inside" / "score_predictions.py"
FIGURES, SCORES, COMPARISON = "figures.json", "scores.jsonl", "comparison.json"
LOG = "scoring.log"  # kept where it fails
KEY = "FTCTL_DEPLOYMENT_KEY"
REFUSED = 2  # the program's exit code with words for the user
MEASURES_PROMPTS = frozenset({"vllm"})  # the engines that tell the log-probabilities of a prompt
POLL = 0.05  # seconds between two looks at the program's progress

Tell = Callable[[str, int, int], None]  # told: what is done, how much of it, of how much


@dataclass(frozen=True)
class Server:
    """The deployment that was asked: `url` without a path, `model` its name in the API, `artifact` what tells
    its weights from others'; `ca` is a file of authorities, and `listens` the address to connect to, where
    `url` is https with a certificate of its own."""

    url: str
    model: str
    engine: str
    key: str | None = None
    artifact: str = ""
    ca: Path | None = None
    listens: str | None = None


@dataclass(frozen=True)
class Way:
    """How intervals are made: how sure they are, how often rows are drawn anew, and the seed."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


def ignore(_doing: str, _done: int, _total: int) -> None:
    """The ear of a caller who does not listen."""


def metrics_of(given: Sequence[Any]) -> tuple[Asked, ...]:
    """The metrics of a job. Raises UsageError for one that cannot be right."""
    asked, wrong = read_metrics(list(given))
    if wrong:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong[0].path)
        raise UsageError(f"evaluate.metrics{place}: {wrong[0].message}", wrong[0].remedy)
    return asked


def counting(metrics: Sequence[Asked]) -> str:
    """What is counted, as one hash: the metrics, their options, and what is in the files that these name.

    Raises UsageError where such a file is missing.
    """
    told = [[one.metric, dict(one.figures), _request_of(one, Path.cwd())["told"]] for one in metrics]
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check_server(metrics: Sequence[Asked], engine: str) -> None:
    """Raises UsageError for a metric that the engine cannot measure: it may be asked before anything runs."""
    for asked in metrics:
        if METRICS[asked.metric].needs == "server" and engine not in MEASURES_PROMPTS:
            what = f"{asked.metric} needs the log-probabilities of prompts, which {engine} does not tell"
            raise UsageError(what, f"serve with vllm, or take {asked.metric} out of evaluate.metrics")


def score(
    folder: Path,
    metrics: Sequence[Asked],
    python: Path,
    *,
    server: Server | None = None,
    base: Path | None = None,
    seconds: float | None = None,
    way: Way = Way(),
    tell: Tell = ignore,
) -> Figures:
    """Score `predictions.jsonl` in `folder` and write `scores.jsonl`, `statistics.npz` and `figures.json`.

    `python` is the judge's interpreter; `base` the folder that files of options are relative to; `seconds`
    what asking took, without which there is no throughput. `tell` may raise to end it. Raises UsageError for
    a metric that the server cannot measure, Missing where the environment lacks a library, FtctlError
    otherwise.
    """
    if server is not None:
        check_server(metrics, server.engine)
    asked = [_request_of(one, base or Path.cwd()) for one in metrics]
    record = None
    if server is not None:
        record = {"url": server.url, "model": server.model, "artifact": server.artifact,
                  "ca": None if server.ca is None else str(server.ca), "listens": server.listens}  # fmt: skip
    request = {"mode": "score", "folder": str(folder), "metrics": asked, "server": record, "seconds": seconds}
    _run({**request, **vars(way)}, python, folder, {KEY: None if server is None else server.key}, tell)
    return read_figures(folder)


def paired(
    a: Path, b: Path, python: Path, out: Path, *, way: Way = Way(), tell: Tell = ignore
) -> Comparison:  # fmt: skip
    """Compare the evaluations in the folders `a` and `b`, once scored, and write the comparison to `out`.

    Raises FtctlError where they have no question in common.
    """
    request = {"mode": "paired", "a": str(a), "b": str(b), "output": str(out), **vars(way)}
    _run(request, python, out.parent, {}, tell)
    return from_record(Comparison, json.loads(out.read_text(encoding="utf-8")))


def read_figures(folder: Path) -> Figures:
    """The figures of an evaluation. Raises FtctlError where it has none."""
    try:
        return from_record(Figures, json.loads((folder / FIGURES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise FtctlError(f"{folder} has no figures: {error}", "evaluate again") from None


def _request_of(asked: Asked, base: Path) -> dict[str, Any]:
    """What the program is told of a metric: its options with whole paths, and what is recorded of them."""
    metric, options, hashes = METRICS[asked.metric], dict(asked.options), {}
    for name, path in files_of(asked).items():
        file = (base / Path(path).expanduser()).absolute()
        if not file.is_file():
            raise UsageError(f"evaluate.metrics: {asked.metric}.{name}: there is no file {file}", "name one")
        if name == "interpreter":
            options[name] = str(file)
            continue
        with open(file, "rb") as stream:
            hashes[name] = file_digest(stream, "sha256").hexdigest()
        options[name] = f"{file}:{str(options[name]).rpartition(':')[2]}" if name == "function" else str(file)
    told = {**asked.options, **({"sha256": hashes} if hashes else {})}
    return {"metric": asked.metric, "options": options, "told": told, "figures": dict(asked.figures),
            "better": metric.better}  # fmt: skip


def _run(
    request: Mapping[str, Any], python: Path, folder: Path, env: Mapping[str, str | None], tell: Tell
) -> None:
    """Run the program to its end and pass its progress on; whatever ends the wait, it is ended too."""
    asked, log = folder / "scoring.json", folder / LOG
    asked.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
    log.unlink(missing_ok=True)
    unset: dict[str, str | None] = {"PYTHONPATH": None, "PYTHONDONTWRITEBYTECODE": "1"}
    environ = environment(os.environ, {**unset, **env})
    try:
        child, leader = process.start(
            (str(python), str(PROGRAM), str(asked)), cwd=folder, env=environ, log=log
        )
    except OSError as error:
        raise Missing(f"{python} cannot be run: {error.strerror}", "ftctl engines install judge") from None
    heard = 0
    try:
        while True:
            ended = child.poll() is not None
            heard = _pass_on(log, heard, tell)
            if ended:
                break
            time.sleep(POLL)
    finally:
        if child.poll() is None:
            process.stop_session(leader, grace=2)
            child.wait()
    if child.returncode:
        raise _failure(log, python, child.returncode)
    asked.unlink()
    log.unlink()


def _pass_on(log: Path, heard: int, tell: Tell) -> int:
    """Tell the whole lines of progress after `heard` bytes. Returns how many bytes are read by now."""
    with open(log, "rb") as file:
        file.seek(heard)
        text, _, _ = file.read().rpartition(b"\n")
    for line in text.splitlines():
        if line.startswith(b'{"doing"'):
            value = json.loads(line)
            tell(value["doing"], value["done"], value["total"])
    return heard + len(text)


def _failure(log: Path, python: Path, code: int) -> FtctlError:
    text = log.read_text(encoding="utf-8", errors="replace")
    said = [line for line in text.splitlines() if line.strip() and not line.startswith('{"doing"')]
    last = said[-1] if said else "it said nothing"
    if code == REFUSED:  # first: a user's function may lack a module of its own
        return FtctlError(last, "correct it and evaluate again: what was answered is kept")
    if "ModuleNotFoundError" in last:
        return Missing(f"{python} cannot count: {last}", "ftctl engines install judge")
    ended = process.End(code)
    return FtctlError(f"the metrics' program {ended}: {last}", f"see {log}, and report it")
