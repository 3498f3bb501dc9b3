"""From the end of a training to the first token of its server, and where the seconds go.

.venv/bin/python -m bench.first_token [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.demo_job import only_run, write_job
from bench.measure import FTCTL, environment, machine, write
from ftctl.paths import engines_dir

NAME = "first-token"
DEPLOY = {"engine": "vllm", "dtype": "float32", "max_length": 512, "kv_cache_memory": "64MiB"}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    began_on = machine()
    whole: list[Mapping[str, float]] = []
    apart: list[Mapping[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        env = environment({"FTCTL_HOME": str(folder / "home"), "FTCTL_ENGINES": str(engines_dir())})
        served, alone = jobs(folder)
        try:
            for number in range(rounds + 1):
                one = together(served, folder / f"t{number}", env)
                other = by_hand(alone, folder / f"a{number}", env)
                if number:  # the first round warms the caches and is thrown away
                    whole.append(one)
                    apart.append(other)
        finally:
            subprocess.run([FTCTL, "stop", "--all"], env=env, capture_output=True, check=False)
    write(NAME, "From the end of training to the first token", told(whole, apart), began_on=began_on)


def jobs(folder: Path) -> tuple[Path, Path]:
    """A few steps of LoRA whose adapter is merged, with a deployment and without."""
    job = yaml.safe_load(write_job(folder).read_text())
    job |= {"name": NAME}
    job["train"] |= {"method": "lora", "epochs": 2}
    paths = folder / "served.yaml", folder / "alone.yaml"
    paths[0].write_text(yaml.safe_dump({**job, "deploy": DEPLOY}))
    paths[1].write_text(yaml.safe_dump(job))
    return paths


def together(job: Path, runs: Path, env: Mapping[str, str]) -> dict[str, float]:
    """`ftctl train` of a job that deploys."""
    checked([FTCTL, "train", str(job), "--runs-dir", str(runs)], env)
    seconds = phases(runs) | {"all": ready_at(env) - trained_at(runs), "token": first_token(env)}
    checked([FTCTL, "stop", NAME], env)
    return seconds


def by_hand(job: Path, runs: Path, env: Mapping[str, str]) -> dict[str, float]:
    """`ftctl train`, and once it has ended `ftctl deploy` of its run."""
    checked([FTCTL, "train", str(job), "--runs-dir", str(runs)], env)
    words = [word for key, value in DEPLOY.items() for word in ("--set", f"{key}={value}")]
    began = time.time()
    checked([FTCTL, "deploy", str(only_run(runs)), "--name", NAME, *words], env)
    seconds = phases(runs) | {"serve": ready_at(env) - began}
    seconds |= {"all": ready_at(env) - trained_at(runs), "token": first_token(env)}
    checked([FTCTL, "stop", NAME], env)
    return seconds


def phases(runs: Path) -> dict[str, float]:
    """The seconds of each phase of the only run there."""
    events = map(json.loads, (only_run(runs) / "events.jsonl").read_text().splitlines())
    done = [event for event in events if event["event"] == "phase" and event["state"] == "done"]
    ended = next(event["time"] for event in done if event["name"] == "train")
    return {event["name"]: event["seconds"] for event in done} | {"saving": ended - trained_at(runs)}


def trained_at(runs: Path) -> float:
    """When its last step of training was done, in seconds since the epoch."""
    events = map(json.loads, (only_run(runs) / "events.jsonl").read_text().splitlines())
    return float([event["time"] for event in events if event["event"] == "step"][-1])


def deployment(env: Mapping[str, str]) -> dict[str, Any]:
    """What `ftctl ps` says of the server."""
    text = subprocess.run([FTCTL, "ps", "--json"], env=env, check=True, capture_output=True, text=True).stdout
    (row,) = json.loads(text)["data"]["deployments"]
    return dict(row)


def ready_at(env: Mapping[str, str]) -> float:
    """When the server was found to compute and to be as trained, in seconds since the epoch."""
    record = Path(deployment(env)["folder"]) / "deployment.json"
    return float(json.loads(record.read_text())["ready"])


def first_token(env: Mapping[str, str]) -> float:
    """Seconds until one is back that is asked then."""
    began = time.monotonic()
    checked([FTCTL, "chat", NAME, "What is ftctl?", "--once", "--max-tokens", "1"], env)
    return time.monotonic() - began


def checked(argv: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr[-2000:]}")


def told(whole: Sequence[Mapping[str, float]], apart: Sequence[Mapping[str, float]]) -> list[str]:
    ratios = [one["all"] / other["all"] for one, other in zip(whole, apart, strict=True)]
    names = {
        "after the last step until the training's process has ended": "saving",
        "merging the adapter": "merge",
        "verifying the weights": "collect",
        "serving": "serve",
        "**from the last step to a server that has computed a token and is as trained**": "all",
        "`ftctl chat` of one token then": "token",
    }
    rows = [f"| {name} | {spread(whole, key)} | {spread(apart, key)} |" for name, key in names.items()]
    return [
        "A tiny model, LoRA for a few steps, merged and served by vLLM on the CPU; seconds, medians with the",
        f"lowest and highest of {len(whole)} rounds each, in turn, after one thrown away. `ftctl train` of a",
        "job with a `deploy:` block starts the server's interpreter when the training has ended, so that it",
        "imports while the adapter is merged and verified; beside it what one does by hand: `ftctl train`",
        "without the block, then `ftctl deploy RUN`.",
        "",
        "| | train with deploy: | train, then deploy |",
        "|---|---|---|",
        *rows,
        "",
        f"The ratio of the whole: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}).",
        "",
        "Made by `.venv/bin/python -m bench.first_token`.",
    ]


def spread(samples: Sequence[Mapping[str, float]], key: str) -> str:
    values = [sample[key] for sample in samples if key in sample]
    if not values:
        return ""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
