"""Where the seconds of `make demo` go.

.venv/bin/python -m bench.demo_times          run the demo and write bench/results/demo-warm.md
.venv/bin/python -m bench.demo_times cold     write demo-cold.md from the demo that ran last
"""

from __future__ import annotations

import json
import subprocess
import sys

from bench.demo import JOB, NAME, TIMES
from bench.demo_job import only_run
from bench.measure import PYTHON, ROOT, machine, write

AIM, OWN_AIM = 120, 3.0  # seconds, warm, on 2 cores


def main() -> None:
    label = sys.argv[1] if len(sys.argv) > 1 else "warm"
    began_on = machine()
    if label == "warm":
        subprocess.run([PYTHON, "bench/demo.py"], cwd=ROOT, check=True)
    if not TIMES.exists():
        raise SystemExit("no demo has run yet: make demo")
    steps = json.loads(TIMES.read_text())
    if label == "cold":
        made = float((ROOT / ".venv" / ".seconds").read_text())
        steps = {"ftctl's own environment": made, **steps, "all": steps["all"] + made}
    inside = phases()
    own = steps["train and serve"] - sum(seconds for name, seconds in inside.items() if name != "collect")
    body = [
        "| step | seconds |",
        "|---|---|",
        *(
            row
            for name, seconds in steps.items()
            if name != "all"
            for row in rows(name, seconds, inside, own)
        ),
        f"| **all** | **{steps['all']:.1f}** |",
        "",
    ]
    if label == "warm":
        body += [
            f"The aim on 2 cores is under {AIM} s, of which ftctl itself under {OWN_AIM} s.",
            "",
        ]
    body += [f"Made by `make demo` ({JOB}) and `.venv/bin/python -m bench.demo_times {label}`."]
    write(f"demo-{label}", f"`make demo`, {label}", body, began_on=began_on)


def phases() -> dict[str, float]:
    """The seconds of each phase of the demo's newest run, from its events."""
    seconds: dict[str, float] = {}
    events = only_run(ROOT / "runs").joinpath("events.jsonl").read_text().splitlines()
    started = None
    for event in map(json.loads, events):
        if event["event"] == "phase" and event["state"] == "done":
            seconds[event["name"]] = event["seconds"]
        elif event["event"] == "phase" and event["name"] == "train":
            started = event["time"]
        elif event["event"] == "begin" and started is not None:
            seconds["train: until the first step"] = event["time"] - started
    imports = seconds.pop("train: until the first step", 0.0)
    train = seconds.pop("train")
    return {"train: imports, model and data": imports, "train: steps and saving": train - imports, **seconds}


def rows(name: str, seconds: float, inside: dict[str, float], own: float) -> list[str]:
    lines = [f"| {name} | {seconds:.1f} |"]
    if name == "train and serve":
        lines += [f"| – {phase} ({NAME}) | {took:.1f} |" for phase, took in inside.items()]
        lines.append(f"| – ftctl itself, start-up and verification | {own:.1f} |")
    return lines


if __name__ == "__main__":
    main()
