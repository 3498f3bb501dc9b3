"""`make demo`: a tiny model trained on questions about ftctl, served by vLLM, judged beside its base, asked.

Every step is a command that is shown before it runs. The seconds of each are kept in
.cache/demo/times.json, from which bench/demo_times.py writes its table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FTCTL = str(Path(sys.executable).with_name("ftctl"))
JOB = "configs/demo/ftctl-qa.yaml"
DATA = "configs/demo/ftctl-qa.jsonl"
MODEL = ".cache/demo/base-model"
TIMES = ROOT / ".cache" / "demo" / "times.json"
NAME = "ftctl-qa"
BOLD, PLAIN = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")


class Steps:
    """Runs the commands of the demo one after another and notes the seconds of each."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, argv: Sequence[str], *, capture: bool = False) -> str:
        """Run one command; a failing one ends the demo with its exit code. Returns captured output."""
        shown = " ".join("ftctl" if word == FTCTL else f'"{word}"' if " " in word else word for word in argv)
        print(f"\n{BOLD}$ {shown}{PLAIN}", flush=True)
        began = time.monotonic()
        done = subprocess.run(
            argv, cwd=ROOT, stdout=subprocess.PIPE if capture else None, text=True, check=False
        )
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)
        if done.returncode != 0:
            sys.exit(done.returncode)
        return done.stdout or ""

    def quietly(self, name: str, argv: Sequence[str]) -> str:
        """Standard output of a command that is not part of the show."""
        began = time.monotonic()
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)
        if done.returncode != 0:
            sys.exit(done.returncode)
        return done.stdout


def engine_python(steps: Steps, name: str) -> str:
    """The interpreter of an engine."""
    return steps.quietly("engines", [FTCTL, "engines", "path", name, "--variant", "cpu"]).strip()


def stop_earlier(steps: Steps) -> None:
    """Stop the server of an earlier demo, if it still runs."""
    listed = json.loads(steps.quietly("stop an earlier demo", [FTCTL, "ps", "--json"]))
    if any(row["name"] == NAME for row in listed["data"]["deployments"]):
        steps.run("stop an earlier demo", [FTCTL, "stop", NAME])


def question() -> tuple[str, str]:
    """One of the questions that are trained, and its answer."""
    with open(ROOT / DATA, encoding="utf-8") as rows:
        row = json.loads(next(rows))
    return row["instruction"], row["output"]


def answered(steps: Steps) -> bool:
    """Ask the deployment a trained question, with greedy decoding, and compare."""
    asked, expected = question()
    said = steps.run(
        "ask", [FTCTL, "chat", NAME, asked, "--once", "--temperature", "0"], capture=True
    ).strip()
    print(said)
    same = said == expected
    print(f"\nexpected: {expected}\n{BOLD}{'the same, word for word' if same else 'NOT THE SAME'}{PLAIN}")
    return same


def main() -> int:
    began = time.monotonic()
    steps = Steps()
    for engine in ("llamafactory", "vllm", "judge"):
        if not os.environ.get(f"FTCTL_{engine.upper()}_PYTHON"):
            steps.run("engines", [FTCTL, "engines", "install", engine, "--variant", "cpu"])
    maker = "ftctl/inside/make_tiny_model.py"
    steps.run("base model", [engine_python(steps, "llamafactory"), maker, MODEL, "--text", DATA, "--force"])
    stop_earlier(steps)
    steps.run("train and serve", [FTCTL, "train", JOB])
    same = answered(steps)
    steps.run("show", [FTCTL, "ps"])
    steps.seconds["all"] = round(time.monotonic() - began, 3)
    TIMES.write_text(json.dumps(steps.seconds, indent=2) + "\n")
    print(f"""
The model is a few hundred thousand parameters that learnt {DATA} by heart: it shows the whole
way from a job file to a judged server and is no useful chatbot. It goes on serving until you stop it:

  ask it     .venv/bin/ftctl chat {NAME} "What is ftctl?"
  watch it   .venv/bin/ftctl logs -f {NAME}
  report it  .venv/bin/ftctl report {NAME}
  stop it    .venv/bin/ftctl stop {NAME}

The demo took {steps.seconds["all"]:.0f} s; `make bench` shows where they went.""")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
