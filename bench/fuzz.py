"""The long fuzzing run: tests/unit/test_job_fuzz.py with many cases, and what came of it.

.venv/bin/python -m bench.fuzz [CASES]    cases of each of the five tests
"""

from __future__ import annotations

import re
import subprocess
import sys

from bench.measure import PYTHON, ROOT, environment, machine, write

TEST = re.compile(
    r"::test_(?P<name>\w+):\n(?P<body>(?:  .*\n|\n(?=  ))+)",
)
COUNTS = re.compile(r"(\d+) passing, (\d+) failing")
PHASE = re.compile(r"during (\w+) phase \(([0-9.]+) seconds\)")


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    began_on = machine()
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "tests/unit/test_job_fuzz.py", "--hypothesis-show-statistics"],
        cwd=ROOT, env={**environment(), "FTCTL_FUZZ": str(cases)}, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stdout.write(done.stdout)
        raise SystemExit(done.returncode)
    rows = [row(found["name"], found["body"]) for found in TEST.finditer(done.stdout)]
    body = [
        f"{sum(count for count, _ in rows)} cases, each a valid job or a clean JobError: its messages have",
        "words, a place and a kind, are printable and can be said in every format; none took 5 s.",
        "",
        "| broken at random | cases | of them valid jobs | seconds |",
        "|---|---|---|---|",
        *(text for _, text in rows),
        "",
        "Made by `make fuzz`.",
    ]
    write("fuzz", "Fuzzing", body, began_on=began_on)


def row(name: str, body: str) -> tuple[int, str]:
    """A test's count of cases, and its line of the table."""
    count = sum(sum(map(int, found)) for found in COUNTS.findall(body))
    shares = {what: float(share) for share, what in re.findall(r"\* ([0-9.]+)%, (\w+)", body)}
    valid = shares.get("valid", 0) / sum(shares.values())
    seconds = sum(float(spent) for _, spent in PHASE.findall(body))
    return count, f"| {name.replace('_', ' ')} | {count} | {valid:.1%} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
