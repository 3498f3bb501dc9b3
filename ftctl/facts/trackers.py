"""What the trackers of a job lack: an account, a package, a place to write to; looked at before the start."""

from __future__ import annotations

import json
import netrc
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import TimeoutExpired
from urllib.parse import SplitResult, urlsplit

from ftctl import process
from ftctl.engines.trackers import TRACKERS
from ftctl.errors import Problem
from ftctl.facts.model import EngineFacts
from ftctl.job.model import Job, problem_at
from ftctl.job.training import Train

Fault = tuple[str, str, str]  # the job's key, what is wrong, and the way out
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
SCHEMES = ("http", "https", "file", "databricks")
READERS = {  # which trackers read a key of train.tracking
    "project": frozenset({"mlflow", "wandb", "swanlab", "trackio"}),
    "uri": frozenset({"mlflow"}),
    "mode": frozenset({"wandb", "swanlab"}),
}
FIND = """\
import json, sys
from importlib.util import find_spec
print(json.dumps([name for name in sys.argv[1:] if find_spec(name) is None]))
"""


def tracker_problems(
    job: Job, engine: EngineFacts | None, environ: Mapping[str, str], *, anywhere: bool
) -> list[Problem]:
    """What keeps the trackers of the job from working; with `anywhere` what its file alone shows."""
    train = job.train
    if train is None or train.trainer == "dummy":
        return []
    faults = [*_unread(train), *_place(train, environ, anywhere=anywhere)]
    if not anywhere:
        faults += [*_accounts(train, environ), *_packages(train, engine, environ)]
    return [problem_at(job, key, message, remedy) for key, message, remedy in faults]


def _unread(train: Train) -> Iterator[Fault]:
    for key in train.tracking:
        readers = READERS[key]
        if not readers & set(train.report_to):
            names = " or ".join(name for name in TRACKERS if name in readers)
            yield f"train.tracking.{key}", f"nothing reads it: it is for {names}", "add one to report_to"


def _place(train: Train, environ: Mapping[str, str], *, anywhere: bool) -> Iterator[Fault]:
    """MLflow's store: a folder that can be written to or a server, and no secret in its address."""
    if "mlflow" not in train.report_to:
        return
    said = "uri" in train.tracking
    uri = train.tracking.get("uri") or ("" if anywhere else environ.get("MLFLOW_TRACKING_URI", ""))
    key, what = ("train.tracking.uri", "") if said else ("train.report_to", "MLFLOW_TRACKING_URI ")
    parts = urlsplit(uri)
    if said and "@" in parts.netloc:
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD where ftctl runs"
        yield key, "holds a user or a password, and a run keeps what it says", remedy
    elif ":" in uri and parts.scheme not in SCHEMES:
        remedy = "name a folder or the address of an MLflow server"
        if train.engine_python is None:
            yield key, f"{what}is no place for MLflow's client without a database: {parts.scheme}:", remedy
    elif parts.scheme in ("http", "https"):
        if not parts.hostname:
            yield key, f"{what}names no host", "write http://HOST:PORT"
        elif not anywhere and not _answers(parts, environ):
            remedy = "start it with `mlflow server`, or name another place"
            yield key, f"{what}no server of MLflow can be reached at {parts.hostname}", remedy
    elif uri and parts.scheme in ("", "file") and uri != "databricks" and not anywhere:
        folder = Path(parts.path)
        above = next(place for place in (folder, *folder.parents) if place.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            yield key, f"{what}{folder} cannot be written to", "choose another folder"


def _answers(parts: SplitResult, environ: Mapping[str, str]) -> bool:
    """Whether a server takes connections; not asked where they would go through a proxy."""
    if any(environ.get(name) for name in environ if name.lower() in PROXIES):
        return True
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), timeout=5).close()
    except (OSError, ValueError):
        return False
    return True


def _accounts(train: Train, environ: Mapping[str, str]) -> Iterator[Fault]:
    """wandb and swanlab ask for an account unless they are offline; neither can ask a run in a terminal."""
    home = Path(environ.get("HOME") or Path.home())
    said = train.tracking.get("mode")
    if "wandb" in train.report_to:
        mode = said or environ.get("WANDB_MODE") or "online"
        host = urlsplit(environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
        place = Path(environ.get("NETRC") or home / ".netrc")
        known = environ.get("WANDB_API_KEY") or environ.get("WANDB_IDENTITY_TOKEN_FILE")
        if mode in ("online", "shared") and not known and not _logged_in(place, host):
            yield _no_account("wandb", "WANDB_API_KEY", "wandb login")
    if "swanlab" in train.report_to:
        mode = said or environ.get("SWANLAB_MODE") or "cloud"
        place = Path(environ.get("SWANLAB_SAVE_DIR") or home / ".swanlab") / ".netrc"
        if mode in ("online", "cloud") and not environ.get("SWANLAB_API_KEY") and not place.is_file():
            yield _no_account("swanlab", "SWANLAB_API_KEY", "swanlab login")


def _no_account(name: str, variable: str, login: str) -> Fault:
    remedy = f"set {variable} where ftctl runs, run `{login}` once, or set train.tracking.mode: offline"
    return "train.report_to", f"{name} is online and has no key", remedy


def _logged_in(file: Path, host: str) -> bool:
    try:
        return netrc.netrc(str(file)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _packages(train: Train, engine: EngineFacts | None, environ: Mapping[str, str]) -> Iterator[Fault]:
    """An interpreter of the user's own must have the packages: ftctl installs nothing there."""
    if engine is None or engine.variant != "user" or not train.report_to:
        return
    modules = {TRACKERS[name].module: name for name in train.report_to}
    lacking = _missing(engine.python, list(modules), environ)
    if lacking:
        named = ", ".join(modules[module] for module in lacking)
        packages = " ".join(TRACKERS[modules[module]].distribution for module in lacking)
        remedy = f"{engine.python} -m pip install {packages}"
        yield "train.report_to", f"{engine.python} cannot import {named}", remedy


def _missing(python: Path, modules: list[str], environ: Mapping[str, str]) -> list[str]:
    """Which of these modules an interpreter has not; none where it cannot be asked."""
    try:
        done = process.run([str(python), "-c", FIND, *modules], env=dict(environ), timeout=60)
        found = json.loads(done.out.strip().rsplit("\n", 1)[-1])
    except (OSError, ValueError, TimeoutExpired):
        return []
    return [name for name in modules if name in found]
