"""The suite behind `make faults`, with a few faults of each kind, so that it cannot rot."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

TIMEOUT = 600.0  # seconds; some 20 where nothing else runs


def test_a_few_faults_of_each_kind_lose_nothing() -> None:
    argv = [sys.executable, "-m", "tests.faults.suite", "3", "--seed", "7"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    kinds = [line.partition(":")[0] for line in lines if ": tried " in line]
    assert sorted(kinds) == ["all", "clock", "full disk", "kill -9", "reboot", "resumes at once"]
    (told,) = [line for line in lines if line.startswith("kill -9: tried")]
    assert told == "kill -9: tried 3, lost 0, orphaned 0, leased 0, untrue 0"


def test_a_few_killed_deployments_serve_again() -> None:
    argv = [sys.executable, "-m", "tests.faults.deployments", "3", "--seed", "7"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "all: tried 3, lost 0, orphaned 0, leased 0, untrue 0" in done.stdout
