"""The first steps of a deployment: its folder, and waiting until its keeper has its server answering."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ftctl.deployments import store
from ftctl.deployments.kept import is_kept, kept_of
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError, Interrupted
from ftctl.events import parse
from ftctl.keep import reboot
from ftctl.keep.stand_by import OUTPUT
from ftctl.process import ProcessId, alive, stop_session
from ftctl.rendered import Rendered
from ftctl.run.directory import Tail

Emit = Callable[[str, Mapping[str, object]], None]
POLL = 0.05  # seconds


def fresh_folder(name: str) -> Path:
    """An empty folder for the deployment; what a dead one of that name left is ended and replaced."""
    before = store.find(name)
    if before is not None:
        stop_session(before.deployment.process, grace=0.0)
    reboot.remove(name)
    folder = store.folder_of(name)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return folder


def lay_out(folder: Path, rendered: Rendered, key: str) -> None:
    """Write what the server is started from besides its launch record: its key and its files."""
    if not (folder / store.KEY).exists():
        store.write_key(folder, key)
    for path, content in rendered.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    for path, goal in rendered.links.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).symlink_to(goal)


def answering(entry: Entry, keeper: ProcessId, emit: Emit) -> Entry:
    """The entry once its server answers; what its keeper tells meanwhile is passed on.

    Raises FtctlError with the keeper's diagnosis where the server fails, Interrupted where it was stopped.
    """
    tail = Tail(entry.folder / store.EVENTS)
    while True:
        over = not is_kept(entry.folder) and not alive(keeper)
        now, kept = store.get(entry.name), kept_of(entry.folder)
        for event in filter(None, map(parse, tail.lines())):
            if event.data.get("state") == "starting":
                emit("deployment", event.data)
        if now.why:
            raise FtctlError(now.why, now.remedy)
        if now.ended is not None:
            raise Interrupted(f"{entry.name} was stopped while it was starting")
        if over:
            raise FtctlError(f"the keeper of {entry.name} ended", f"see {entry.folder / OUTPUT}")
        if kept is not None and kept.state == "answering":
            return now
        time.sleep(POLL)


@contextmanager
def ended_unless_ready(entry: Entry) -> Iterator[None]:
    """Whatever ends the waiting before the server is ready ends the server."""
    try:
        yield
    except KeyboardInterrupt:
        stop(entry, now=True)
        raise Interrupted(f"{entry.name} was still starting and has been stopped") from None
    except Interrupted:
        stop(entry, now=True)
        raise
    except FtctlError as error:
        stop(entry, now=True, why=error.message, remedy=error.remedy)
        store.note(entry, {"state": "failed", "detail": str(error)})
        raise
    except BaseException:
        stop(entry, now=True)
        raise
