"""How late LLaMA-Factory refuses the broken jobs that `ftctl validate` refuses at once.

.venv/bin/python -m bench.broken_jobs
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.broken_as_llamafactory import CASES, CHANGES, SOUND, write
from bench.measure import FTCTL, ROOT, environment, machine, once
from bench.measure import write as publish
from ftctl.engines.locate import locate

TIMEOUT = 120.0  # seconds for a case; none of them has work for more than a few
WHOLE = ("typo_learning_rate", "type_learning_rate", "range_dropout", "file_no_model", "data_odd_turns")
OFFLINE = {"HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1", "CUDA_VISIBLE_DEVICES": ""}


def main() -> None:
    began_on = machine()
    python = locate("llamafactory", "cpu", python=None, environ=os.environ).python
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = folder / "model"
        make_model(python, model)
        write(folder, model)
        imports, found = refused(python, folder)
        if found.pop(SOUND)["code"] != 0:
            raise SystemExit("the engine refuses the job that nothing is wrong with")
        whole = {name: as_a_process(python, folder / f"{name}.yaml") for name in WHOLE}
    ours = {name: validated(name) for name in CHANGES if name != SOUND}
    publish(
        "broken-jobs",
        "How late broken jobs are refused",
        body(imports, found, whole, ours),
        began_on=began_on,
    )


def make_model(python: Path, model: Path) -> None:
    maker = ROOT / "ftctl" / "inside" / "make_tiny_model.py"
    text = ROOT / "configs" / "demo" / "ftctl-qa.jsonl"
    subprocess.run([python, maker, model, "--text", text], check=True, stdout=subprocess.DEVNULL)


def refused(python: Path, folder: Path) -> tuple[float, dict[str, dict[str, Any]]]:
    """The seconds of the engine's imports, and of each case what came of it."""
    script = ROOT / "bench" / "refused_by_llamafactory.py"
    done = subprocess.run(
        [python, script, folder, str(TIMEOUT)],
        cwd=folder, env=environment(OFFLINE), check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    # The engine prints while it is imported.
    first, *rest = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    return first["imports"], {
        result["name"]: {**result, "last": result["last"].replace(f"{folder}/", "")} for result in rest
    }


def as_a_process(python: Path, file: Path) -> float:
    """Wall seconds of `llamafactory-cli train FILE`, which must fail."""
    argv = [str(python.parent / "llamafactory-cli"), "train", str(file)]
    began = time.perf_counter()
    done = subprocess.run(
        argv, env=environment(OFFLINE), capture_output=True, timeout=2 * TIMEOUT, check=False
    )
    if not done.returncode:
        raise SystemExit(f"{file.stem}: the engine did not refuse it")
    return time.perf_counter() - began


def validated(name: str) -> float:
    """Wall seconds of `ftctl validate` of the job, which must end with 2."""
    sample = once([FTCTL, "validate", str(CASES / f"{name}.yaml")])
    if sample.code != 2:
        raise SystemExit(f"{name}: ftctl ended with {sample.code}")
    return sample.wall


def body(
    imports: float, found: dict[str, dict[str, Any]], whole: dict[str, float], ours: dict[str, float]
) -> list[str]:
    late = sum(result["code"] != 0 for result in found.values())
    lacking = sum(result["last"].startswith("PackageNotFound") for result in found.values())
    slowest = 1000 * max(ours.values())
    return [
        f"{len(found)} broken jobs of tests/golden/broken_jobs, each written for LLaMA-Factory 0.9.5",
        "as well, with a tiny model and 8 rows on the CPU, without network.",
        f"**The engine refuses {late} of them**; the others it runs without a word.",
        f"{lacking} of those it refuses for lack of a package, before it comes to the mistake.",
        f"`ftctl validate` refuses all {len(ours)}, the slowest in {slowest:.0f} ms as a process.",
        "",
        f"The engine was imported once ({imports:.1f} s) and each file run in a fork of that process: a",
        "person waits for the imports and then for the seconds below.",
        "Whole processes (`llamafactory-cli train FILE`), wall seconds:",
        f"{', '.join(f'{name} {seconds:.1f}' for name, seconds in whole.items())}.",
        "",
        "| job | refused after imports and | what the engine says | `ftctl validate`, whole |",
        "|---|---|---|---|",
        *(row(result, ours[name]) for name, result in found.items()),
        "",
        "Made by `.venv/bin/python -m bench.broken_jobs`.",
    ]


def row(result: dict[str, Any], ours: float) -> str:
    late = "**runs**" if result["code"] == 0 else f"{result['seconds']:.2f} s"
    if result["code"] is None:
        late = f"killed at {TIMEOUT:.0f} s"
    last = result["last"].replace(str(ROOT), "…").replace("|", "\\|").replace("`", "'")
    last = last if len(last) <= 140 else f"{last[:139]}…"
    return f"| {result['name']} | {late} | {last} | {1000 * ours:.0f} ms |"


if __name__ == "__main__":
    main()
