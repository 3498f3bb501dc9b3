"""Where an engine's interpreter is: the user's own, or that of the environment that ftctl builds."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ftctl import __version__
from ftctl.engines.built import folder_of, python_of, read_marker
from ftctl.engines.lock import locks_dir, read_recipe
from ftctl.engines.table import DUMMY, Engine, find, variant_of
from ftctl.errors import UsageError
from ftctl.facts.model import EngineFacts
from ftctl.paths import engines_dir


def locate(
    name: str,
    variant: str,
    *,
    python: Path | None,
    environ: Mapping[str, str],
    trackers: tuple[str, ...] = (),
) -> EngineFacts:
    """An engine's facts, with the layer of these trackers: without side effects, and nothing is started.

    The job's `engine_python` (`python`) wins, then FTCTL_<ENGINE>_PYTHON, then the built environment;
    where that is not built yet, `python` is the path it will have. The dummy is run by ftctl's own. Raises
    UsageError for an unknown engine or variant and for an interpreter that cannot be run.
    """
    if name == DUMMY:
        return EngineFacts(name, "own", Path(sys.executable), installed=True, version=__version__)
    engine = find(name)
    own, said_by = users_python(engine, python, environ)
    if own is not None:
        return EngineFacts(name, "user", _checked(own, said_by), installed=True)
    return locate_built(engine, variant, locks=locks_dir(), root=engines_dir(environ), trackers=trackers)


def locate_built(
    engine: Engine, variant: str, *, locks: Path, root: Path, trackers: tuple[str, ...] = ()
) -> EngineFacts:
    """The facts of the environment that ftctl builds in `root` from the locks in `locks`."""
    chosen = variant_of(engine, variant)
    recipe = read_recipe(engine, chosen, locks)
    folder = folder_of(recipe, root)
    built = read_marker(folder)
    version = built.version if built else None
    ready = built is not None
    if trackers:
        from ftctl.engines.trackers import with_trackers  # few jobs report

        folder = folder_of(with_trackers(recipe, trackers, locks), root)
        ready = ready and read_marker(folder) is not None
    return EngineFacts(
        engine.name, chosen.name, python_of(folder), installed=ready, version=version, trackers=trackers
    )


def users_python(engine: Engine, python: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The interpreter that the user points at, and where they said so."""
    if python is not None:
        return python, "engine_python"
    variable = f"FTCTL_{engine.name.upper().replace('-', '_')}_PYTHON"
    value = environ.get(variable)
    return (Path(value) if value else None), variable


def console_script(facts: EngineFacts, name: str) -> Path:
    """A command of the engine, beside its interpreter."""
    return facts.python.parent / name


def _checked(python: Path, said_by: str) -> Path:
    """The interpreter as an absolute path, its links kept: they are what makes it an environment's."""
    path = python.expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"{said_by}: there is no interpreter at {path}", "name the python of an environment")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{said_by}: {path} is not executable", "name the python of an environment")
    return path
