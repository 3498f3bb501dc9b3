"""Kill a run's processes at random moments, and see that nothing is lost: `make faults`.

    python -m tests.faults.suite [FAULTS] [--seed N]

The command line, the supervisor and the deployment are the real ones; the engines are the stand-ins of
tests/standin. Ends with 1 where a run was lost, a process was left over or a state was not true.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftctl.process import ProcessId, alive, session_members
from ftctl.record import from_record
from ftctl.run.attempts import FROM_ENGINE
from ftctl.run.curve import curve
from ftctl.run.directory import RunDir
from tests.conftest import ROOT, Cli
from tests.model_files import write_model

STANDIN = ROOT / "tests" / "standin"
STEPS = 30
TARGETS = ("engine", "node", "both", "terminal")
PATIENCE = 60.0  # seconds for a run to end and for processes to be gone


@dataclass
class Tally:
    """What was tried and what went wrong, in words."""

    tried: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The figures, one line each."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.tried.items()))
        where = ", ".join(f"{name} {count}" for name, count in sorted(self.phases.items()))
        figures = f"tried {self.tried.total()}, lost {len(self.lost)}, orphaned {len(self.orphaned)}"
        wrong = [f"  {line}" for line in (*self.lost, *self.orphaned, *self.untrue)]
        return "\n".join(
            (f"{figures}, untrue {len(self.untrue)}", f"killed: {told}", f"while: {where}", *wrong)
        )


def job(folder: Path) -> Path:
    """A job with every stage: a LoRA training, its merging, and a deployment."""
    write_model(folder / "base")
    rows = ({"instruction": f"question {number}", "output": f"answer {number}"} for number in range(40))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = {
        "method": "lora",
        "max_steps": STEPS,
        "max_length": 64,
        "batch_size": 4,
        "checkpoints": {"every": 5},
        "engine_python": str(STANDIN / "llamafactory.py"),
    }
    deploy = {"engine": "vllm", "max_length": 64, "engine_python": str(STANDIN / "server.py")}
    whole = {"name": "faults", "model": "./base", "data": {"train": "rows.jsonl"}, "train": train}
    path = folder / "job.yaml"
    path.write_text(json.dumps({**whole, "resources": {"gpus": 0}, "deploy": deploy}))
    return path


def undisturbed(cli: Cli, job_file: Path) -> float:
    """How long the job takes when nothing is killed, in seconds: no kill comes later."""
    began = time.monotonic()
    cli("train", job_file, timeout=PATIENCE, code=0)
    took = time.monotonic() - began
    cli("stop", "--all", timeout=PATIENCE)
    return took


def process(run: Path, name: str) -> ProcessId | None:
    record = RunDir(run).read_json(name)
    return None if record is None else from_record(ProcessId, record)


def newest(root: Path, known: set[Path]) -> Path | None:
    found = sorted(path.parent for path in root.glob("runs/*/*/run.json") if path.parent not in known)
    return found[-1] if found else None


def kill(target: str, run: Path | None, terminal: subprocess.Popen[bytes]) -> None:
    """`kill -9` of what is aimed at, as far as it is there yet."""
    aimed: list[ProcessId | None] = []
    if run is not None and target in ("node", "both"):
        aimed.append(process(run, "node.json"))
    if run is not None and target in ("engine", "both"):
        aimed.append(process(run, "engine.json"))
    for one in aimed:
        if one is not None and alive(one):
            os.kill(one.pid, signal.SIGKILL)
    if target == "terminal" or run is None:
        terminal.kill()


def truth(run: Path) -> set[str]:
    """The states that can be true, looked at without ftctl's own judgement of them."""
    record = RunDir(run).read_json("exit.json")
    if record is not None:
        return {record["state"]}
    node = process(run, "node.json") or process(run, "creator.json")
    return {"RUNNING", "STOPPING", "PENDING"} if node is not None and alive(node) else {"LOST"}


def said(cli: Cli, run: Path) -> str:
    listed: list[dict[str, Any]] = cli("runs", "--json", code=0).data["runs"]
    return next(str(entry["state"]) for entry in listed if entry["directory"] == str(run))


def settled(cli: Cli, run: Path) -> str:
    """The state once nobody works on the run any more."""
    deadline = time.monotonic() + PATIENCE
    while (state := said(cli, run)) in ("PENDING", "RUNNING", "STOPPING"):
        if time.monotonic() > deadline:
            return state
        time.sleep(0.1)
    return state


def left_over(folder: Path, spared: set[int]) -> list[str]:
    """The processes that work in the suite's folder, once those that are ending have had their time."""
    deadline = time.monotonic() + PATIENCE
    while found := [line for pid, line in working_in(folder) if pid not in spared]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def working_in(folder: Path) -> list[tuple[int, str]]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(entry.name), words))
        except OSError:
            continue
    return found


def servers(cli: Cli) -> set[int]:
    """The processes of deployments that answer: these are meant to be there."""
    listed: list[dict[str, Any]] = cli("ps", "--json", code=0).data["deployments"]
    leaders = [int(entry["pid"]) for entry in listed if entry["state"] == "running"]
    return {pid for leader in leaders for pid in session_members(leader)}


def phase_of(run: Path | None) -> str:
    events = [] if run is None else [event for event in RunDir(run).events() if event.kind == "phase"]
    if not events:
        return "setting up"
    name, last = events[-1].data["name"], events[-1].data["state"]
    if name == "train" and last == "started" and not any(e.kind in FROM_ENGINE for e in RunDir(run).events()):  # type: ignore[arg-type] # there are events, so there is a run
        return "loading"
    return str(name) if last == "started" else f"after {name}"


def one_fault(cli: Cli, job_file: Path, target: str, moment: float, tally: Tally) -> None:
    """One run, one kill, one look, and as many resumes as it takes (one, if all is well)."""
    name = f"{target} after {moment:.2f} s"
    known = {path.parent for path in cli.cwd.glob("runs/*/*/run.json")}
    terminal = subprocess.Popen(
        cli.argv("train", job_file),
        cwd=cli.cwd,
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(moment)
    run = newest(cli.cwd, known)
    phase = phase_of(run)
    tally.tried[target] += 1
    tally.phases[phase] += 1
    kill(target, run, terminal)
    run = run or newest(cli.cwd, known)
    if run is None:
        terminal.wait()
    else:
        look(cli, run, f"{name} ({phase})", tally)
        terminal.wait(timeout=PATIENCE)
    found = left_over(cli.home.parent, servers(cli))
    tally.orphaned.extend(f"{name} ({phase}): {line}" for line in found)
    cli("stop", "--all", timeout=PATIENCE)


def look(cli: Cli, run: Path, name: str, tally: Tally) -> None:
    """Whether the state is true at the first call, and the run reaches its end."""
    possible = truth(run)
    state = said(cli, run)
    if state not in possible | truth(run):  # it may have gone on between the two looks
        tally.untrue.append(f"{name}: said {state}, is {possible}")
    state = settled(cli, run)
    found = left_over(cli.home.parent, servers(cli))
    tally.orphaned.extend(f"{name}, before it was resumed: {line}" for line in found)
    if state != "SUCCEEDED":
        answer = cli("resume", run.name, timeout=PATIENCE * 2)
        state = f"{state}, resumed: {said(cli, run)} {answer.err[-600:] if answer.code else ''}"
    steps = [event.data["step"] for event in curve(RunDir(run).events())]
    if not state.rstrip().endswith("SUCCEEDED") or steps != list(range(1, STEPS + 1)):
        tally.lost.append(f"{name}: {state}; steps {steps}; {run}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    chance, tally, began = random.Random(options.seed), Tally(), time.monotonic()
    print(f"{options.faults} faults, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ftctl-faults-", ignore_cleanup_errors=True) as place:
        folder = Path(place).resolve()
        (folder / "home").mkdir()
        (folder / "work").mkdir()
        cli = Cli(folder / "home", folder / "work")
        job_file = job(folder / "work")
        whole = undisturbed(cli, job_file)
        for number in range(options.faults):
            moment = chance.uniform(0.05, whole)
            one_fault(cli, job_file, TARGETS[number % len(TARGETS)], moment, tally)
            sys.stderr.write(f"\r{number + 1} of {options.faults}")
    sys.stderr.write("\n")
    print(tally.text)
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if tally.lost or tally.orphaned or tally.untrue else 0


if __name__ == "__main__":
    sys.exit(main())
