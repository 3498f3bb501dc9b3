"""Record how a run ended, for whoever asks later and for the exit code of `ftctl train`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from ftctl.run.directory import EXIT, RunDir
from ftctl.run.state import lasted, progress


def record_end(
    run: RunDir, state: str, code: int, message: str, remedy: str, why: Mapping[str, object] | None = None
) -> int:
    """Write `exit.json` and the last event; returns `code`. `why` is the diagnosis of an engine's failure."""
    run.release()
    said = {"exit_code": code, "message": message, "remedy": remedy, **(why or {})}
    # How far it came stands in the record too, so that a list of runs reads no events.
    record = {"state": state, **said, "ended": time.time(), "took": lasted(run), "progress": progress(run)}
    kinds = {"SUCCEEDED": "done", "FAILED": "failed", "STOPPED": "stopped"}
    run.write_json(EXIT, record)
    try:
        run.emit("run", {"state": kinds[state], **said})
    except OSError as error:
        sys.stderr.write(f"the last event could not be written: {error}\n")
    return code
