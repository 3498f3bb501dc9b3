"""Wait until a server is truly ready: healthy, offering the model by name, and computing."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ftctl.deployments import client, store
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError
from ftctl.keep.decide import CLEAN
from ftctl.process import End
from ftctl.servers import Program
from ftctl.servers.fault import diagnose

POLL = 0.15  # seconds
PATIENCE = 20.0  # seconds that a healthy server may refuse the first requests
REPORT_EVERY = 10.0  # seconds without a new phase
TAIL = 64 * 1024  # bytes of the log's end that may say why a server ended that was running

Report = Callable[[str, float], None]


class ServerFailed(FtctlError):
    """A server that ended, hangs or is not ready. `may_pass` says whether another start may get through,
    `clean` whether it ended by itself in order."""

    def __init__(self, message: str, remedy: str = "", *, may_pass: bool = True, clean: bool = False) -> None:
        super().__init__(message, remedy)
        self.may_pass, self.clean = may_pass, clean


@dataclass
class Progress:
    """How far the log says the start has come, from the byte `since`; remembers what has been read."""

    entry: Entry
    server: Program
    since: int = 0
    phase: str = "importing the engine"
    offset: int = 0
    lines: list[str] = field(default_factory=list)

    def look(self) -> str:
        """The phase after what the log has got since the last look."""
        news = log_after(self.entry, self.since + self.offset)
        whole = news.rfind(b"\n") + 1
        self.offset += whole
        for line in news[:whole].decode("utf-8", "replace").splitlines():
            self.lines.append(line)
            self.phase = next((name for text, name in self.server.PHASES if text in line), self.phase)
        return self.phase

    def all_lines(self) -> list[str]:
        """This server's whole log, its last line complete or not."""
        return log_after(self.entry, self.since).decode("utf-8", "replace").splitlines()


def log_after(entry: Entry, since: int) -> bytes:
    with open(entry.folder / store.LOG, "rb") as log:
        log.seek(since)
        return log.read()


def wait_ready(
    entry: Entry,
    server: Program,
    *,
    end: Callable[[], End | None],
    key: str,
    timeout: float,
    report: Report,
    since: int = 0,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Return once the server answers; `report` gets each phase and the seconds since the start.

    `end` says how the server ended, None while it lives; its log begins at the byte `since`; `pause` is
    between two looks and may raise to end the waiting. Raises ServerFailed with a diagnosis where it ends
    first or is not ready within `timeout` seconds.
    """
    began = time.monotonic()
    progress, shown, reported = Progress(entry, server, since), "", 0.0
    if not server.PHASES:  # HAProxy
        progress.phase = "starting"
    healthy_since: float | None = None
    trouble = ""
    while True:
        elapsed = time.monotonic() - began
        phase = progress.look()
        if phase != shown or elapsed - reported >= REPORT_EVERY:
            report(phase, elapsed)
            shown, reported = phase, elapsed
        if how := end():
            raise _death(how, entry, progress, server)
        if client.healthy(entry.deployment.url):
            healthy_since = elapsed if healthy_since is None else healthy_since
            trouble = _trouble(entry, key, max(timeout - elapsed, 1.0))
            if not trouble:
                return
            if elapsed - healthy_since > PATIENCE:
                raise ServerFailed(
                    f"{entry.name} is healthy and does not answer: {trouble}", _whole_log(entry)
                )
        if elapsed > timeout:
            after = f"{trouble or phase}; the whole log: {entry.folder / store.LOG}"
            raise ServerFailed(
                f"{entry.name} was not ready within {timeout:g} s", f"raise ready_timeout; {after}"
            )
        pause(POLL)


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


def _death(how: End, entry: Entry, progress: Progress, server: Program) -> ServerFailed:
    """The error of a server that ended before it was ready."""
    found = diagnose(progress.all_lines(), server.FAULTS)
    told = f"{entry.name}: {server.TITLE} {how} while {progress.phase}"
    if how.code == -9 and not found.known:
        return ServerFailed(
            f"{told}, as happens when memory runs out",
            f"free some memory or serve a smaller model; {_whole_log(entry)}",
        )
    return ServerFailed(
        f"{told}: {found.cause}", f"{found.remedy}; {_whole_log(entry)}", may_pass=found.may_pass
    )


def death_of_running(how: End, entry: Entry, server: Program, since: int) -> ServerFailed:
    """The error of a server that had been ready: it could start, so that it may start again."""
    size = (entry.folder / store.LOG).stat().st_size
    lines = log_after(entry, max(since, size - TAIL)).decode("utf-8", "replace").splitlines()
    found = diagnose(lines, server.FAULTS)
    why = f": {found.cause}" if found.known else ""
    if how.code == -9 and not found.known:
        why = " from outside, as happens when memory runs out or when someone ends it"
    remedy = f"{found.remedy}; " if found.known else ""
    # vLLM 0.32.0 ends with 0 when its engine process has died under it.
    clean = how.code in CLEAN and not found.known
    message = f"{entry.name}: {server.TITLE} {how}{why}"
    return ServerFailed(message, f"{remedy}{_whole_log(entry)}", clean=clean)
