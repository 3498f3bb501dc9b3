"""Data: how fast files of conversations and of passages are scanned and conversations measured in tokens,
and in how much memory.

.venv/bin/python -m bench.data_scan [MEGABYTES]
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from time import perf_counter

from bench.measure import FTCTL, environment, machine, write

GOAL_SCAN, GOAL_TOKENS, GOAL_MEMORY = 100.0, 10.0, 200.0  # MB/s, MB/s, MB of 10⁶ bytes
WORDS = 20_000
VOCABULARY = 32_000


def main() -> None:
    began_on = machine()
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        texts = Texts(random.Random(1))
        large, small, found = folder / "large.jsonl", folder / "small.jsonl", folder / "found.jsonl"
        rows = conversations(large, size * 1_000_000, texts)
        conversations(small, 30_000_000, texts)
        passages(found, size * 1_000_000, texts)
        tokenizer(folder / "model", [texts.text(2000) for _ in range(200)])
        scans = [once(("data", "check", str(large))) for _ in range(3)]
        counts = [once(("data", "stats", str(small), "--model", str(folder / "model"))) for _ in range(3)]
        sampled = once(("data", "stats", str(large), "--model", str(folder / "model")))
        retrieval = [once(("data", "check", str(found))) for _ in range(3)]
        body = report(large.stat().st_size, rows, small.stat().st_size, scans, counts, sampled, retrieval)
    write("data-scan", "Scanning data", body, began_on=began_on)


class Texts:
    """Text of words whose frequencies fall as those of a language do (Zipf's law)."""

    def __init__(self, source: random.Random) -> None:
        self.random = source
        letters = "eeeettaaooiinnsshhrrddlluucmfwygpbvk"
        self.words = ["".join(source.choices(letters, k=source.randint(2, 10))) for _ in range(WORDS)]
        self.weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def text(self, words: int) -> str:
        picked = self.random.choices(self.words, cum_weights=self.weights, k=words)
        return " ".join(picked).capitalize() + "."


def conversations(path: Path, size: int, texts: Texts) -> int:
    """Write conversations of one to three turns, about 2 kB each; the number of rows."""
    rows = written = 0
    with open(path, "w", encoding="utf-8") as file:
        while written < size:
            messages = []
            for _ in range(texts.random.randint(1, 3)):
                messages.append({"role": "user", "content": texts.text(texts.random.randint(5, 60))})
                messages.append({"role": "assistant", "content": texts.text(texts.random.randint(20, 250))})
            written += file.write(json.dumps({"messages": messages, "id": rows}) + "\n")
            rows += 1
    return rows


def passages(path: Path, size: int, texts: Texts) -> int:
    """Write queries with one positive and seven negatives of 10 to 120 words; the number of rows."""
    rows = written = 0
    pool = [texts.text(texts.random.randint(10, 120)) for _ in range(2000)]
    with open(path, "w", encoding="utf-8") as file:
        while written < size:
            neg = [f"{text} {rows}" for text in texts.random.sample(pool, 7)]
            row = {"query": texts.text(texts.random.randint(4, 16)), "pos": [f"{rows}"], "neg": neg}
            written += file.write(json.dumps(row) + "\n")
            rows += 1
    return rows


def tokenizer(folder: Path, corpus: Sequence[str]) -> None:
    """A byte-level BPE tokenizer, of the kind that most models have."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    folder.mkdir()
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False),
    )
    made.save(str(folder / "tokenizer.json"))


def once(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Seconds of wall clock, seconds of CPU, and the largest resident size in MB of one ftctl process."""
    began = perf_counter()
    child = subprocess.Popen([FTCTL, *arguments], env=environment(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"ftctl {' '.join(arguments)} failed with exit code {child.returncode}")
    return perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def report(
    large: int,
    rows: int,
    small: int,
    scans: Sequence[tuple[float, float, float]],
    counts: Sequence[tuple[float, float, float]],
    sampled: tuple[float, float, float],
    retrieval: Sequence[tuple[float, float, float]],
) -> list[str]:
    """The table and the verdicts; rates are by seconds of CPU, start of the process included."""
    scan = sorted(large / 1e6 / cpu for _, cpu, _ in scans)[1]
    count = sorted(small / 1e6 / cpu for _, cpu, _ in counts)[1]
    found = sorted(large / 1e6 / cpu for _, cpu, _ in retrieval)[1]
    memory = max(peak for _, _, peak in (*scans, sampled, *retrieval))
    good = min(scan, found) >= GOAL_SCAN and count >= GOAL_TOKENS and memory <= GOAL_MEMORY
    whole, part = f"{large / 1e6:,.0f} MB", f"{small / 1e6:,.0f} MB"
    wanted = f"{GOAL_MEMORY:.0f} MB"
    return [
        f"Made conversations (one to three turns, ids, words by Zipf's law): {rows:,} rows, {whole}.",
        "Rates are by the CPU seconds of the whole process, the median of three; memory is its largest",
        "resident size.",
        "",
        "| what | rate a core | wall | largest memory | wanted |",
        "|---|---|---|---|---|",
        line(f"`data check`, {whole}", scan, scans, f"{GOAL_SCAN:.0f} MB/s, {wanted}"),
        line(
            "`data check`, as much of query/pos/neg rows", found, retrieval, f"{GOAL_SCAN:.0f} MB/s, {wanted}"
        ),
        line(f"`data stats`, {part}, every row in tokens", count, counts, f"{GOAL_TOKENS:.0f} MB/s"),
        line(f"`data stats`, {whole}, a sample in tokens", large / 1e6 / sampled[1], [sampled], wanted),
        "",
        f"**{'Within' if good else 'OUTSIDE'}** what is wanted.",
        "",
        "Made by `.venv/bin/python -m bench.data_scan`.",
    ]


def line(what: str, rate: float, samples: Sequence[tuple[float, float, float]], wanted: str) -> str:
    """One row of the table: the fastest wall clock, the largest memory."""
    wall, peak = min(wall for wall, _, _ in samples), max(peak for _, _, peak in samples)
    return f"| {what} | {rate:.0f} MB/s | {wall:.1f} s | {peak:.0f} MB | {wanted} |"


if __name__ == "__main__":
    main()
