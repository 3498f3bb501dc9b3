"""What ftctl adds to a training: `ftctl train` against `llamafactory-cli train` of the same rendered files.

.venv/bin/python -m bench.train_overhead [ROUNDS]
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.demo_job import engine_python, only_run, write_job
from bench.measure import FTCTL, Sample, machine, once, write


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    began_on = machine()
    cli = engine_python("llamafactory").with_name("llamafactory-cli")
    ours: list[Sample] = []
    theirs: list[Sample] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = write_job(folder)
        for number in range(rounds + 1):
            runs = folder / f"runs-{number}"
            mine = checked(once([FTCTL, "train", str(job), "--runs-dir", str(runs)]), "ftctl train")
            hand = by_hand(only_run(runs), folder / f"hand-{number}", cli)
            if number:  # the first round warms the caches and is thrown away
                ours.append(mine)
                theirs.append(hand)
            shutil.rmtree(runs)
    write("train-overhead", "What ftctl adds to a training", table(ours, theirs, rounds), began_on=began_on)


def by_hand(run: Path, folder: Path, cli: Path) -> Sample:
    """Run a run's rendered files again by hand, in a copy that has nothing but them."""
    folder.mkdir()
    for name in ("native", "data"):
        if (run / name).is_dir():
            shutil.copytree(run / name, folder / name, symlinks=True)
    step = json.loads((run / "steps.json").read_text())[0]
    changes = {key: value for key, value in step["env"].items() if value is not None}
    sample = once([str(cli), "train", "native/train.yaml"], cwd=folder, env=changes)
    shutil.rmtree(folder)
    return checked(sample, "llamafactory-cli train")


def checked(sample: Sample, name: str) -> Sample:
    if sample.code != 0:
        raise SystemExit(f"{name} failed with exit code {sample.code}")
    return sample


def table(ours: list[Sample], theirs: list[Sample], rounds: int) -> list[str]:
    mine, hand = (statistics.median(sample.wall for sample in samples) for samples in (ours, theirs))
    allowed = max(1.0, 0.02 * hand)
    verdict = "within" if mine - hand <= allowed else "OVER"
    return [
        f"The demo's job without serving; medians of {rounds} runs each, in turn, after one thrown away.",
        "",
        "| command | wall (s) | CPU (s) |",
        "|---|---|---|",
        row("ftctl train JOB", ours),
        row("llamafactory-cli train native/train.yaml", theirs),
        "",
        f"ftctl adds {mine - hand:+.2f} s; the limit is 1 s or 2 % ({allowed:.2f} s): **{verdict}**.",
        "",
        "Made by `.venv/bin/python -m bench.train_overhead`.",
    ]


def row(name: str, samples: list[Sample]) -> str:
    cells = []
    for values in ([sample.wall for sample in samples], [sample.cpu for sample in samples]):
        cells.append(f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
    return f"| `{name}` | {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    main()
