"""Where ftctl keeps things on this machine (the XDG base directory specification)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """The XDG folder named by `variable`; a relative value is ignored, as the specification says."""
    value = Path(environ.get(variable, ""))
    if value.is_absolute():
        return value
    return Path(environ.get("HOME") or Path.home()) / default


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Engine environments: `$FTCTL_HOME`, else `$XDG_DATA_HOME/ftctl`."""
    home = environ.get("FTCTL_HOME")
    return Path(home).absolute() if home else _base(environ, "XDG_DATA_HOME", ".local/share") / "ftctl"


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The registry, deployments and crash logs: `$FTCTL_HOME/state`, else `$XDG_STATE_HOME/ftctl`."""
    home = environ.get("FTCTL_HOME")
    if home:
        return Path(home).absolute() / "state"
    return _base(environ, "XDG_STATE_HOME", ".local/state") / "ftctl"


def engines_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """One folder per built engine environment: `$FTCTL_ENGINES`, else `engines` in the data folder."""
    shared = environ.get("FTCTL_ENGINES")
    return Path(shared).absolute() if shared else data_dir(environ) / "engines"


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where programs read their user's settings, systemd among them."""
    return _base(environ, "XDG_CONFIG_HOME", ".config")


def deployments_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """One folder per deployment, by name."""
    return state_dir(environ) / "deployments"


def leases_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """GPU leases: `$FTCTL_LEASES`, else one folder for all users of the machine.

    It is the same whatever FTCTL_HOME or TMPDIR say, for the GPUs are the same.
    """
    return Path(environ.get("FTCTL_LEASES") or "/var/tmp/ftctl-leases").absolute()  # noqa: S108 - shared


def bundled(folder: str) -> Path:
    """`schemas` or `configs`: beside the package in a checkout, inside it in an installed wheel."""
    inside = PACKAGE / "_bundled" / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder
