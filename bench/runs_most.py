"""A machine with 100,000 runs: listing, finding and starting one, and making the index again.

.venv/bin/python -m bench.runs_most [ROUNDS] [MANY]

Where the disk is slow, give it a folder in memory: TMPDIR=/dev/shm (some 1.5 GB).
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.measure import Sample, machine, spread, write
from bench.runs_many import FEW, generate, listing

JOB = """\
name: job-1
model: any/model
data: {train: rows.jsonl}
train: {engine: dummy, method: full, epochs: 1, batch_size: 8}
"""
ROWS = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 8
START = "`ftctl train JOB` (the dummy, whole)"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    began_on = machine()
    scratch = Path(tempfile.mkdtemp())
    try:
        for count in (FEW, many):
            prepare(scratch / str(count), count)
        first = {count: listing(scratch / str(count), ("runs",)) for count in (FEW, many)}
        samples = measured(scratch, (FEW, many), rounds)
        again = rebuilt(scratch / str(many))
    finally:
        shutil.rmtree(scratch)
    write("runs-most", f"A machine with {many:,} runs", table(samples, first, again, rounds, many),
          began_on=began_on)  # fmt: skip


def prepare(folder: Path, count: int) -> None:
    generate(folder / "runs", count)
    (folder / "job.yaml").write_text(JOB)
    (folder / "rows.jsonl").write_text(ROWS)


def verbs(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is measured, by how it is shown. The run that is named has ended well."""
    ended = sorted(path.name for path in (folder / "runs/job-1").iterdir() if (path / "exit.json").exists())[
        0
    ]
    return {
        "`ftctl runs`": ("runs",),
        "`ftctl runs --name job-1`": ("runs", "--name", "job-1"),
        "`ftctl runs --state failed`": ("runs", "--state", "failed"),
        "`ftctl runs --json` (all of them)": ("runs", "--json"),
        "`ftctl ps`": ("ps",),
        "`ftctl resume ID` (of one that is done)": ("resume", ended),
        "`ftctl resume PART-OF-ID`": ("resume", ended[4:]),
        START: ("train", "job.yaml"),
    }


def measured(scratch: Path, counts: tuple[int, int], rounds: int) -> dict[tuple[str, int], list[Sample]]:
    """Every command with few and with many runs in turn, after a round that is thrown away."""
    commands = {count: verbs(scratch / str(count)) for count in counts}
    samples: dict[tuple[str, int], list[Sample]] = {
        (shown, count): [] for shown in commands[counts[0]] for count in counts
    }
    for number in range(rounds + 1):
        for (shown, count), taken in samples.items():
            sample = listing(scratch / str(count), commands[count][shown])
            if number:
                taken.append(sample)
    return samples


def rebuilt(folder: Path) -> Sample:
    shutil.rmtree(folder / "home")
    return listing(folder, ("runs",))


def table(
    samples: dict[tuple[str, int], list[Sample]],
    first: dict[int, Sample],
    again: Sample,
    rounds: int,
    many: int,
) -> list[str]:
    return [
        f"Whole processes, the output thrown away; medians (lowest to highest) of {rounds} runs each, in",
        "turn, after one that is thrown away.",
        "",
        f"| command | {FEW} runs: wall | {many:,} runs: wall | {FEW} runs: CPU | {many:,} runs: CPU "
        "| times: wall, CPU |",
        "|---|---|---|---|---|---|",
        *(
            row(shown, samples[shown, FEW], samples[shown, many])
            for shown in dict.fromkeys(key[0] for key in samples)
        ),
        "",
        f"The first command ever, which makes the index: {seconds(first[FEW])} with {FEW},",
        f"{seconds(first[many])} with {many:,}; after the state directory was deleted: {seconds(again)}.",
        "",
        "Made by `.venv/bin/python -m bench.runs_most`.",
    ]


def seconds(sample: Sample) -> str:
    return f"{sample.wall:.2f} s (CPU {sample.cpu:.2f} s)"


def row(shown: str, few: list[Sample], many: list[Sample]) -> str:
    walls = [[sample.wall for sample in taken] for taken in (few, many)]
    cpus = [[sample.cpu for sample in taken] for taken in (few, many)]
    times = [statistics.median(many) / statistics.median(few) for few, many in (walls, cpus)]
    return f"| {shown} | {' | '.join(map(spread, (*walls, *cpus)))} | {times[0]:.2f}×, {times[1]:.2f}× |"


if __name__ == "__main__":
    os.environ.pop("FTCTL_RUNS", None)
    main()
