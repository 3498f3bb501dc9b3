"""`ftctl ps` and `ftctl runs` with thousands of runs, against the same with ten.

.venv/bin/python -m bench.runs_many [ROUNDS] [MANY]
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import FTCTL, ROOT, Sample, machine, once, spread, write

FEW, LIMIT, TIMES = 10, 0.4, 2.0  # the limit in seconds, and against the time with ten runs
VERBS = (("ps",), ("ps", "--json"), ("runs", "--last", "20"), ("runs",), ("runs", "--json"),
         ("runs", "--state", "failed"), ("runs", "--name", "job-1"),
         ("runs", "--name", "job-1", "--json"), ("runs", "--state", "failed", "--json"))  # fmt: skip
EVENTS = "".join(
    json.dumps({"time": 1.8e9 + step, "event": "step", "step": step, "total_steps": 40, "loss": 5 / step})
    + "\n"
    for step in range(1, 41)
)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    began_on = machine()
    scratch = Path(tempfile.mkdtemp())
    try:
        for count in (FEW, many):
            generate(scratch / str(count) / "runs", count)
        first = {count: listing(scratch / str(count), ("runs", "--json")) for count in (FEW, many)}
        samples = measured(scratch, (FEW, many), rounds)
        shutil.rmtree(scratch / str(many) / "home")
        again = listing(scratch / str(many), ("runs", "--json"))
    finally:
        shutil.rmtree(scratch)
    write("runs-many", "Listing many runs", table(samples, first, again, rounds, many), began_on=began_on)


def generate(root: Path, count: int) -> None:
    """Runs of five jobs as their directories tell them; one in two hundred lost its supervisor."""
    base = time.time() - 60.0 * count
    for number in range(count):
        name, created = f"job-{number % 5}", base + 60.0 * number
        identity = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(created))}-b{number % 1000:03}"
        folder = root / name / identity
        folder.mkdir(parents=True)
        record = {"version": 1, "name": name, "id": identity, "created": created, "overrides": []}
        (folder / "run.json").write_text(json.dumps(record))
        same(folder / "events.jsonl", EVENTS, number)
        same(folder / "node.json", json.dumps({"pid": 4_000_000, "started": 1, "boot": "another"}), number)
        if number % 200 == 7:
            continue
        state = "FAILED" if number % 10 == 3 else "SUCCEEDED"
        progress = {"step": 40, "total_steps": 40, "loss": round(0.125 + number / 7, 4)}
        end = {"state": state, "exit_code": int(state == "FAILED"), "message": "", "remedy": ""}
        (folder / "exit.json").write_text(json.dumps({**end, "ended": created + 40.5, "progress": progress}))


def same(file: Path, content: str, number: int) -> None:
    """A file that all runs have alike: one on disk for ten thousand of them (ext4 takes 65,000 names)."""
    first = file.parent.parent.parent.with_name(f"{number // 10_000}-{file.name}")
    if not first.exists():
        first.write_text(content)
    file.hardlink_to(first)


def listing(folder: Path, verb: tuple[str, ...]) -> Sample:
    """One command on the runs of a folder. Ends the benchmark where it fails."""
    environ = {"FTCTL_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    sample = once([FTCTL, *verb], cwd=folder, env=environ)
    if sample.code:
        raise SystemExit(f"ftctl {' '.join(verb)} failed with exit code {sample.code}")
    return sample


def measured(
    scratch: Path, counts: tuple[int, int], rounds: int
) -> dict[tuple[tuple[str, ...], int], list[Sample]]:
    """Every verb with few and with many runs in turn, after a round that is thrown away."""
    samples: dict[tuple[tuple[str, ...], int], list[Sample]] = {
        (verb, count): [] for verb in VERBS for count in counts
    }
    for number in range(rounds + 1):
        for (verb, count), taken in samples.items():
            sample = listing(scratch / str(count), verb)
            if number:
                taken.append(sample)
    return samples


def table(
    samples: dict[tuple[tuple[str, ...], int], list[Sample]],
    first: dict[int, Sample],
    again: Sample,
    rounds: int,
    many: int,
) -> list[str]:
    return [
        f"Whole processes, the output thrown away; medians (lowest to highest) of {rounds} runs each, in",
        f"turn, after one that is thrown away. The limits: {TIMES:g}× the time with {FEW} runs, and",
        f"{LIMIT * 1000:.0f} ms. `ftctl runs` shows the newest 100, with --json all.",
        "",
        f"| command | {FEW} runs: wall | {many:,} runs: wall | {FEW} runs: CPU | {many:,} runs: CPU "
        "| times: wall, CPU | within |",
        "|---|---|---|---|---|---|---|",
        *(row(verb, samples[verb, FEW], samples[verb, many]) for verb in VERBS),
        "",
        "The first listing ever, which reads every run's directory and makes the index:",
        f"{first[FEW].wall:.2f} s with {FEW}, {first[many].wall:.2f} s with {many:,}; after the state",
        f"directory was deleted: {again.wall:.2f} s.",
        "",
        "Made by `.venv/bin/python -m bench.runs_many`.",
    ]


def row(verb: tuple[str, ...], few: list[Sample], many: list[Sample]) -> str:
    walls = [[sample.wall for sample in taken] for taken in (few, many)]
    base, full = map(statistics.median, walls)
    verdict = "yes" if full <= min(LIMIT, TIMES * base) else "NO"
    cpus = [[sample.cpu for sample in taken] for taken in (few, many)]
    cpu_times = statistics.median(cpus[1]) / statistics.median(cpus[0])
    cells = (*map(spread, (*walls, *cpus)), f"{full / base:.2f}×, {cpu_times:.2f}×", verdict)
    return f"| `ftctl {' '.join(verb)}` | {' | '.join(cells)} |"


if __name__ == "__main__":
    os.environ.pop("FTCTL_RUNS", None)
    main()
