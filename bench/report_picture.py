"""`make picture`: docs/report.png, the top of the report of the demo's newest run, as Chromium shows it.

Needs a run of `make demo` and a Chromium, which $CHROMIUM may name.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.demo import FTCTL, NAME, ROOT
from tests.chromium import browser, chromium

PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1080, 1190  # pixels
MOST = 300_000  # bytes


def main() -> None:
    program = chromium()
    if program is None:
        sys.exit("no Chromium is installed: any of its packages will do, or CHROMIUM names one")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        done = subprocess.run([FTCTL, "report", NAME, "--output", str(page)], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        with browser(program) as seen:
            seen.look(page, WIDTH, HEIGHT)
            seen.picture(PICTURE)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(ROOT)}: {size / 1000:.0f} KB")
    if size > MOST:
        sys.exit(f"it is larger than {MOST / 1000:.0f} KB")


if __name__ == "__main__":
    main()
