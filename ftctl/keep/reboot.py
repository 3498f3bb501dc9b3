"""A deployment that comes back after a reboot: its systemd user unit, and what the unit calls."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ftctl import process
from ftctl.deployments import store
from ftctl.deployments.kept import KEPT, is_kept, kept_of
from ftctl.keep.stand_by import start_keeper
from ftctl.keep.unit import unit_name, unit_text
from ftctl.paths import config_dir

WAIT = 60.0  # seconds that systemctl gets, and a keeper to end its server
POLL = 0.05


def unit_file(name: str) -> Path:
    """Where the unit of a deployment is, or would be."""
    return config_dir() / "systemd" / "user" / unit_name(name)


def install(name: str) -> str:
    """Write the unit and enable it where a user manager runs; what is told about it."""
    file = unit_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(unit_text(name, Path(sys.executable), os.environ))
    if not (_systemctl("daemon-reload") and _systemctl("enable", file.name)):
        return f"wrote {file}; no user manager runs here: `systemctl --user enable {file.name}` enables it"
    told = f"starts again after a reboot, by {file}"
    if _lingers():
        return told
    return f"{told}, once you log in; before that with `loginctl enable-linger {getpass.getuser()}`"


def remove(name: str) -> None:
    """Take the unit away, where there is one. It is disabled and not stopped: that would end the server."""
    file = unit_file(name)
    if file.is_file():
        _systemctl("disable", file.name)
        file.unlink(missing_ok=True)
        (file.parent / "default.target.wants" / file.name).unlink(missing_ok=True)
        _systemctl("daemon-reload")


def main(argv: list[str]) -> int:
    """`ftctl _boot start|stop NAME`, as the unit calls it. 1 where there is no such deployment."""
    action, name = argv
    entry = store.find(name)
    if entry is None:
        return 1
    if action == "start":
        _start(entry)
    else:
        _end(entry)
    return 0


def _start(entry: store.Entry) -> None:
    """Have it kept again, whatever became of it before the reboot."""
    if is_kept(entry.folder):
        return
    kept = kept_of(entry.folder)
    if kept is not None and process.own_session(kept.process):
        process.stop_session(kept.process, grace=0.0)
    (entry.folder / KEPT).unlink(missing_ok=True)
    store.begun_again(entry)
    start_keeper(entry.name)


def _end(entry: store.Entry) -> None:
    """Have its keeper end the server, without a word that it shall stay so."""
    deadline = time.monotonic() + WAIT
    kept = kept_of(entry.folder)
    if kept is not None:
        process.signal_process(kept.keeper, signal.SIGTERM)
    while is_kept(entry.folder) and time.monotonic() < deadline:
        time.sleep(POLL)


def _systemctl(*words: str) -> bool:
    return _succeeds("systemctl", "--user", *words)


def _lingers() -> bool:
    return (Path("/var/lib/systemd/linger") / getpass.getuser()).exists()


def _succeeds(*words: str) -> bool:
    try:
        return process.run(words, timeout=WAIT).code == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
