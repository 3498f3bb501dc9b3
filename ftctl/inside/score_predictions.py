"""Scores an evaluation, or compares two: `python score_predictions.py REQUEST`, a file of JSON.

Run by the judge's interpreter, whose environment has the libraries. The request's `mode` is score or paired;
`metrics/scoring.py` and `metrics/paired.py` say what else it has. Progress is told as lines of JSON on
standard output, `doing`, `done` and `total`; last words come on standard error.
"""

import json
import os
import pathlib
import sys
import time

from metrics.paired import compare  # type: ignore[import-not-found] # beside this file
from metrics.refused import Refused  # type: ignore[import-not-found] # as above
from metrics.scoring import score  # type: ignore[import-not-found] # as above

PACE = 0.5  # seconds between two lines of one kind
REFUSED = 2  # the exit code with words for the user


class Teller:
    """Tells progress at a pace that can be read, and ends the program once nobody is left to be told."""

    def __init__(self) -> None:
        self.last = ("", 0.0)
        self.parent = os.getppid()

    def __call__(self, doing: str, done: int, total: int) -> None:
        """See scorer.Tell."""
        now = time.monotonic()
        if done < total and doing == self.last[0] and now - self.last[1] < PACE:
            return
        self.last = (doing, now)
        if os.getppid() != self.parent:
            sys.exit("ftctl is gone")
        print(json.dumps({"doing": doing, "done": done, "total": total}), flush=True)


def main() -> None:
    """Do what the request asks."""
    request = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        (compare if request["mode"] == "paired" else score)(request, Teller())
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)


main()
