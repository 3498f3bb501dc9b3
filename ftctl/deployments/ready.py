"""Wait until a server is truly ready: healthy, offering the model by name, and computing."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ftctl.deployments import client, store
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError, Interrupted
from ftctl.servers import Server
from ftctl.servers.fault import diagnose

POLL = 0.15  # seconds
PATIENCE = 20.0  # seconds that a healthy server may refuse the first requests
REPORT_EVERY = 10.0  # seconds without a new phase

Report = Callable[[str, float], None]


@dataclass
class Progress:
    """How far the log says the start has come; remembers what has been read."""

    entry: Entry
    server: Server
    phase: str = "importing the engine"
    offset: int = 0
    lines: list[str] = field(default_factory=list)

    def look(self) -> str:
        """The phase after what the log has got since the last look."""
        with open(self.entry.folder / store.LOG, "rb") as log:
            log.seek(self.offset)
            news = log.read()
        whole = news.rfind(b"\n") + 1
        self.offset += whole
        for line in news[:whole].decode("utf-8", "replace").splitlines():
            self.lines.append(line)
            self.phase = next((name for text, name in self.server.PHASES if text in line), self.phase)
        return self.phase

    def all_lines(self) -> list[str]:
        """The whole log, its last line complete or not."""
        return (self.entry.folder / store.LOG).read_text("utf-8", "replace").splitlines()


def wait_ready(
    child: subprocess.Popen[bytes], entry: Entry, server: Server, *, key: str, timeout: float, report: Report
) -> None:
    """Return once the server answers; `report` gets each phase and the seconds since the start.

    Raises FtctlError with a diagnosis where it ends first or is not ready within `timeout` seconds.
    """
    began = time.monotonic()
    progress, shown, reported = Progress(entry, server), "", 0.0
    healthy_since: float | None = None
    trouble = ""
    while True:
        elapsed = time.monotonic() - began
        phase = progress.look()
        if phase != shown or elapsed - reported >= REPORT_EVERY:
            report(phase, elapsed)
            shown, reported = phase, elapsed
        if child.poll() is not None:
            raise _death(child.returncode, entry, progress, server)
        if client.healthy(entry.deployment.url):
            healthy_since = elapsed if healthy_since is None else healthy_since
            trouble = _trouble(entry, key, max(timeout - elapsed, 1.0))
            if not trouble:
                return
            if elapsed - healthy_since > PATIENCE:
                raise FtctlError(f"{entry.name} is healthy and does not answer: {trouble}", _whole_log(entry))
        if elapsed > timeout:
            after = f"{trouble or phase}; the whole log: {entry.folder / store.LOG}"
            raise FtctlError(
                f"{entry.name} was not ready within {timeout:g} s", f"raise ready_timeout; {after}"
            )
        time.sleep(POLL)


def _trouble(entry: Entry, key: str, timeout: float) -> str:
    """What still keeps a healthy server from being ready; empty when it lists the model and computes."""
    deployment = entry.deployment
    try:
        names = client.models(deployment.url, key, timeout)
        if deployment.model not in names:
            return f"it offers {', '.join(names)} and not {deployment.model}"
        client.compute_once(deployment.url, key, deployment.model, deployment.kind, timeout)
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    except FtctlError as error:
        return error.message
    return ""


def _whole_log(entry: Entry) -> str:
    return f"the whole log: {entry.folder / store.LOG}"


def _death(code: int, entry: Entry, progress: Progress, server: Server) -> FtctlError:
    """The error of a server that ended before it was ready."""
    recorded = store.find(entry.name)
    if recorded is not None and recorded.ended is not None:
        return Interrupted(f"{entry.name} was stopped while it was starting")
    found = diagnose(progress.all_lines(), server.FAULTS)
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    if code == -9 and not found.known:
        return FtctlError(
            f"{entry.name}: {server.TITLE} {how} while {progress.phase}, as happens when memory runs out",
            f"free some memory or serve a smaller model; {_whole_log(entry)}",
        )
    return FtctlError(
        f"{entry.name}: {server.TITLE} {how} while {progress.phase}: {found.cause}",
        f"{found.remedy}; {_whole_log(entry)}",
    )
