"""Scoring: how long the rows of an evaluation and their intervals take, and in how much memory.

.venv/bin/python -m bench.scoring [ROWS]
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.measure import machine, write
from ftctl.engines.locate import locate
from ftctl.judge.asked import read_metrics
from ftctl.judge.scoring import Way, score

GOAL_SECONDS, GOAL_MEMORY = 20.0, 400.0  # of 100,000 rows and 1,000 resamples; MB of 10⁶ bytes
METRICS = ["exact_match", "f1", "bleu", "classification", "json_valid"]
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "some",
    "other",
    "words",
    "stand",
    "here",
    "to",
    "fill",
    "a",
    "row",
    "with",
    "what",
    "is",
    "not",
    "the",
    "same",
]


def evaluation(folder: Path, rows: int) -> None:
    """Questions with references of twenty words, and answers of which every fifth word is another."""
    draw = random.Random(1)
    with open(folder / "questions.jsonl", "w") as questions, open(folder / "predictions.jsonl", "w") as told:
        for number in range(rows):
            wanted = [draw.choice(WORDS) for _ in range(20)]
            said = [word if draw.random() < 0.8 else "dog" for word in wanted]
            one = {"id": f"t:{number}"}
            prompt = [{"role": "user", "content": "a question of some length " * 10}]
            reference = f"class {number % 10}" if number % 2 else " ".join(wanted)
            questions.write(json.dumps({**one, "messages": prompt, "reference": reference}) + "\n")
            answer = {"prediction": " ".join(said), "latency": draw.random(), "error": None}
            told.write(json.dumps({**one, "prompt": prompt, **answer}) + "\n")


def main() -> None:
    """Measure once, and write it down."""
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    began_on = machine()
    python = locate("judge", "cpu", python=None, environ=os.environ).python
    asked, _ = read_metrics(METRICS)
    began, phases = perf_counter(), dict[str, float]()

    def tell(doing: str, done: int, total: int) -> None:
        if done == total:
            phases[doing] = perf_counter() - began

    with tempfile.TemporaryDirectory() as folder:
        evaluation(Path(folder), rows)
        began = perf_counter()
        score(Path(folder), asked, python, tell=tell, way=Way())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    intervals, memory = phases["intervals"] - phases["scores"], used.ru_maxrss * 1024 / 1e6
    good = intervals <= GOAL_SECONDS * rows / 100_000 and memory <= GOAL_MEMORY
    body = [
        f"{rows:,} rows of twenty words by {', '.join(METRICS)} and the latencies, on one core.",
        "",
        "| what | wall | wanted |",
        "|---|---|---|",
        f"| scores of the rows | {phases['scores']:.1f} s | |",
        f"| intervals, 1,000 resamples | {intervals:.1f} s | {GOAL_SECONDS:.0f} s for 100,000 rows |",
        f"| largest memory | {memory:.0f} MB | {GOAL_MEMORY:.0f} MB |",
        f"| CPU of the whole | {used.ru_utime + used.ru_stime:.1f} s | |",
        "",
        "**Within** what is wanted." if good else "**Over** what is wanted.",
        "",
        "Made by `.venv/bin/python -m bench.scoring`.",
    ]
    write("scoring", "Scoring an evaluation", body, began_on=began_on)


if __name__ == "__main__":
    main()
