"""The systemd user unit that starts a deployment again after a reboot (systemd.service(5), systemd.exec(5)).

The unit begins a keeper and is then done, so that a keeper that is killed takes no server with it; what the
keeper starts belongs to the unit all the same, and ends with it when the machine goes down.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Where ftctl keeps its things: without these the keeper would not find the deployment.
PLACES = ("FTCTL_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "FTCTL_ENGINES", "FTCTL_LEASES")
TEXT = """# Written by ftctl for deploy.restart: always; `ftctl stop {name}` removes it.
[Unit]
Description=ftctl deployment {name}

[Service]
Type=oneshot
RemainAfterExit=yes
{environment}ExecStart={command} start {name}
ExecStop={command} stop {name}
TimeoutStopSec=90

[Install]
WantedBy=default.target
"""


def unit_name(name: str) -> str:
    """The unit's name; a deployment's name has no character that a unit's may not have."""
    return f"ftctl-{name}.service"


def unit_text(name: str, python: Path, environ: Mapping[str, str]) -> str:
    """The unit's file for the deployment `name`, run by the interpreter `python`."""
    places = [f"{key}={environ[key]}" for key in PLACES if environ.get(key)]
    environment = "".join(f"Environment={quoted(place)}\n" for place in places)
    command = f"{quoted(str(python), command=True)} -P -m ftctl _boot"
    return TEXT.format(name=name, environment=environment, command=command)


def quoted(word: str, *, command: bool = False) -> str:
    """A word as systemd reads it back: quoted, its specifiers and, in a `command`, variables doubled."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain.replace("$", "$$") if command else plain}"'
