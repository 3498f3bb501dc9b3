"""Mines hard negatives: the rows and passages laid out, the engine's program started and followed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ftctl.data.convert import How, Source, convert
from ftctl.errors import FtctlError, UsageError
from ftctl.facts.datasets import Watch
from ftctl.facts.rows import file_type, read_rows
from ftctl.job.model import Dataset
from ftctl.paths import PACKAGE
from ftctl.program import followed

Tell = Callable[[str, int, int], None]  # told: the stage, how many texts are done, how many there are

PROGRAM = PACKAGE / "inside" / "mine_negatives.py"
TEXTS = ("text", "passage", "document", "contents")  # columns of a corpus


@dataclass(frozen=True)
class Mining:
    """What is asked of the miner. Ranks count from 0; scores and `margin` are cosines, `relative_margin` a
    share of the positive's score. With `replace` a row's own negatives go."""

    negatives: int = 7
    range_min: int = 0
    range_max: int | None = None
    max_score: float | None = None
    min_score: float | None = None
    margin: float | None = None
    relative_margin: float | None = 0.05
    sampling: str = "top"
    seed: int = 42
    batch_size: int = 32
    query_instruction: str | None = None
    pooling: str | None = None
    replace: bool = False


@dataclass(frozen=True)
class Embedder:
    """The model that mines: a folder or a Hub id, and the interpreter that has sentence-transformers."""

    path: str
    local: bool
    python: Path
    revision: str | None = None


@dataclass(frozen=True)
class Mined:
    """What was found: rows written, negatives added, rows that got fewer than were asked for, and rows that
    were left out because they have none at all."""

    rows: int
    mined: int
    short: int
    without: int


def range_of(text: str) -> tuple[int, int | None]:
    """`10:100` as ranks: from 10 on and below 100; either may be left out. Raises UsageError."""
    first, colon, last = text.partition(":")
    try:
        low, high = int(first or 0), int(last) if last else None
    except ValueError:
        low, high = -1, None
    if not colon or low < 0 or (high is not None and high <= low):
        raise UsageError(f"--range {text}: no range", "write two ranks, for example 10:100")
    return low, high


def mine(
    dataset: Dataset,
    embedder: Embedder,
    mining: Mining,
    output: Path,
    *,
    corpus: Path | None = None,
    watch: Watch | None = None,
    tell: Tell | None = None,
) -> Mined:
    """Write the rows of a file with hard negatives into `output`, whole or not at all.

    Raises UsageError for options that do not fit each other or the file; FtctlError where the engine fails.
    """
    high = mining.range_max
    if high is not None and high - mining.range_min < mining.negatives:
        raise UsageError(
            f"ranks {mining.range_min} to {high} hold fewer than {mining.negatives} negatives",
            "widen --range, or lower --negatives",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".mining.", dir=output.parent.absolute()))
    try:
        rows, texts = scratch / "rows.jsonl", scratch / "corpus.jsonl"
        how = How(seed=mining.seed, prompts=True)
        convert([Source(dataset, rows, negatives_needed=False)], how, watch)
        if corpus is not None:
            _write_corpus(corpus, texts)
        request = {
            **asdict(mining),
            "model": embedder.path,
            "revision": embedder.revision,
            "rows": str(rows),
            "corpus": None if corpus is None else str(texts),
            "to": str(scratch / "mined.jsonl"),
        }
        (scratch / "request.json").write_text(json.dumps(request), encoding="utf-8")
        counts = _run(embedder, scratch, tell)
        if not counts["rows"]:
            raise FtctlError("no negative was found for any query", "widen --range, or lower the margin")
        (scratch / "mined.jsonl").replace(output)
        return Mined(**counts)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}", "name another file") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_corpus(path: Path, to: Path) -> None:
    """Passages one a row: the lines of a text file, or the texts of a file's rows."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file", "correct --corpus")
    with open(to, "w", encoding="utf-8", newline="\n") as file:
        for row in read_rows(path, file_type(path), sha256(), as_engine=False):
            value = row.value
            text = (
                next((value[name] for name in TEXTS if name in value), None)
                if isinstance(value, dict)
                else value
            )
            if row.broken or not isinstance(text, str):
                why = row.broken or f"a row of a corpus has one of {', '.join(TEXTS)}"
                raise FtctlError(f"{path}:{row.line}: {why}", "correct the corpus")
            if text.strip():
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def _run(embedder: Embedder, scratch: Path, tell: Tell | None) -> dict[str, int]:
    """Start the program, follow what it prints, and give back what it counted at its end."""

    def said(line: Mapping[str, Any]) -> None:
        if tell is not None and "stage" in line:
            tell(line["stage"], line["done"], line["total"])

    last = followed(
        (str(embedder.python), str(PROGRAM), str(scratch / "request.json")),
        log=scratch / "log",
        tell=said,
        what="mining",
        env={"TOKENIZERS_PARALLELISM": "false", **({"HF_HUB_OFFLINE": "1"} if embedder.local else {})},
    )
    if "done" not in last or "stage" in last:
        raise FtctlError("mining ended without a word", "report it with the command")
    counts: dict[str, int] = last["done"]
    return counts
