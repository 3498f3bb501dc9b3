"""A thousand job files in one call of `ftctl validate`: seconds a file, after the start.

.venv/bin/python -m bench.validate_many [FILES]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench.cli import write_job
from bench.measure import FTCTL, interleaved, machine, spread, write

LIMIT = 0.005  # seconds a file
ROUNDS = 5


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    began_on = machine()
    with tempfile.TemporaryDirectory() as place:
        one, many = write_jobs(Path(place), count)
        calls = {"one file": [FTCTL, "validate", str(one)], f"{count} files": [FTCTL, "validate", str(many)]}
        samples = interleaved(calls, ROUNDS)
    wall = {name: statistics.median(sample.wall for sample in taken) for name, taken in samples.items()}
    each = (wall[f"{count} files"] - wall["one file"]) / (count - 1)
    verdict = "within" if each <= LIMIT else "OVER"
    body = [
        f"Medians (lowest to highest) of {ROUNDS} runs each, in turn, after one that is thrown away.",
        "Each file has 41 lines with a name and a learning rate of its own; they share model and data.",
        "",
        "| call | wall | CPU |",
        "|---|---|---|",
        *(
            f"| `ftctl validate`, {name} | {spread([one.wall for one in taken])} | "
            f"{spread([one.cpu for one in taken])} |"
            for name, taken in samples.items()
        ),
        "",
        f"**{1000 * each:.2f} ms a file after the start**, {verdict} the limit of {1000 * LIMIT:.0f} ms.",
        "",
        "Made by `.venv/bin/python -m bench.validate_many`.",
    ]
    write("validate-many", "A thousand job files in one call", body, began_on=began_on)


def write_jobs(folder: Path, count: int) -> tuple[Path, Path]:
    """One valid job, and a folder of `count` that differ from it and from each other."""
    one = write_job(folder)
    text = one.read_text()
    many = folder / "jobs"
    many.mkdir()
    for number in range(count):
        own = text.replace("support-bot", f"bot-{number}").replace("1e-4", f"{1e-5 * (1 + number):.6f}")
        (many / f"{number}.yaml").write_text(own)
    return one, many


if __name__ == "__main__":
    main()
