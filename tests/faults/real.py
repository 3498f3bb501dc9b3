"""The same faults with the real LLaMA-Factory: `python -m tests.faults.real [FAULTS] [--seed N]`.

The demo's tiny model is trained on the CPU. A run that was struck and resumed must reach the last step with
each step once, and the loss of one that was left alone, within 1 % at the same seed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.conftest import DEMO, ROOT, TRAIN_TIMEOUT, Cli, demo_job, engine_python
from tests.faults.aim import Moment
from tests.faults.kills import kill, reboot
from tests.faults.looks import runs_in
from tests.faults.place import Place
from tests.faults.tally import Fault, text

STEPS, EVERY = 120, 10
CLOSE = 0.01  # how far the last loss may be off, of its size
# What is struck and in which phase, in the order in which they are tried; "SIGTERM" is everything at once.
WAYS = (
    ("both", "train"),
    ("engine", "saving"),
    ("supervisor", "train"),
    ("SIGTERM", "train"),
    ("both", "saving"),
    ("engine", "loading"),
)


def furnish(folder: Path) -> Place:
    """A home, the tiny model and a job that trains all of its weights, with checkpoints."""
    for name in ("home", "work"):
        (folder / name).mkdir()
    cli = Cli(folder / "home", folder / "work", {"OMP_NUM_THREADS": "1"})
    model, maker = folder / "model", ROOT / "ftctl" / "inside" / "make_tiny_model.py"
    argv = [engine_python(cli, "llamafactory"), maker, model, "--text", DEMO / "ftctl-qa.jsonl"]
    subprocess.run([*map(str, argv)], capture_output=True, timeout=TRAIN_TIMEOUT, check=True)
    train = {
        "method": "full",
        "epochs": STEPS // 6,
        "learning_rate": 1e-3,
        "batch_size": 16,
        "max_length": 256,
        "precision": "fp32",
        "checkpoints": {"every": EVERY},
    }
    job = demo_job(model, folder / "work" / "job.yaml", name="faults", train=train)
    return Place(folder, False, cli, job, STEPS, TRAIN_TIMEOUT)


def left_alone(place: Place) -> float:
    """The last loss of a run that nothing strikes."""
    answer = place.cli("train", place.job, "--json", timeout=TRAIN_TIMEOUT, code=0)
    return last_loss(Path(answer.data["run"]))


def last_loss(run: Path) -> float:
    return float(curve(RunDir(run).events())[-1].data["loss"])


def strike(place: Place, target: str, phase: str, chance: random.Random, whole: float) -> Fault:
    """One run, one fault, one resume, and the loss at the end of it."""
    known = runs_in(place.work / "runs")
    longest = {"train": 4.0, "loading": 6.0, "saving": 0.3}[phase]
    moment = Moment(
        phase, round(chance.uniform(0, longest), 3), chance.randrange(EVERY, STEPS - EVERY, EVERY)
    )
    fault = (reboot if target == "SIGTERM" else kill)(place, target, moment)
    fault.kind = "LLaMA-Factory"
    for run in runs_in(place.work / "runs") - known:
        loss = last_loss(run)
        attempts = [event.data.get("step") for event in RunDir(run).events() if event.kind == "attempt"]
        fault.name += f", resumed from step {attempts}, loss {loss:.6f}, left alone {whole:.6f}"
        if abs(loss - whole) > CLOSE * whole:
            fault.lost.append(f"its last loss is {loss}, of a run left alone {whole}; {run}")
    return fault


def faults(folder: Path, count: int, seed: int) -> Iterator[Fault]:
    """So many faults, one after the other."""
    chance, place = random.Random(seed), furnish(folder)
    whole = left_alone(place)
    for number in range(count):
        began = time.monotonic()
        fault = strike(place, *WAYS[number % len(WAYS)], chance, whole)
        fault.seconds = round(time.monotonic() - began, 1)
        yield fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=len(WAYS))
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"{options.faults} faults with LLaMA-Factory, seed {options.seed}", flush=True)
    found, began = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ftctl-faults-", ignore_cleanup_errors=True) as folder:
        for fault in faults(Path(folder).resolve(), options.faults, options.seed):
            found.append(fault)
            print(
                *(fault.wrong or [f"  {fault.name} ({fault.phase}), {fault.seconds} s"]), sep="\n", flush=True
            )
    print(text(found))
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if any(fault.wrong for fault in found) else 0


if __name__ == "__main__":
    sys.exit(main())
