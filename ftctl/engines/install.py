"""Building an environment: check, lock, check again, build aside, check its health, rename."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.engines.build import Watch, build, ignore
from ftctl.engines.built import folder_of, read_marker
from ftctl.engines.locate import locate_built
from ftctl.engines.lock import Recipe, locks_dir, read_recipe
from ftctl.engines.scrap import exclusive, sweep, throw_away
from ftctl.engines.table import Engine, find, variant_of
from ftctl.engines.trackers import with_trackers
from ftctl.errors import FtctlError, Interrupted, Missing
from ftctl.facts.model import EngineFacts
from ftctl.paths import engines_dir


@dataclass(frozen=True)
class Order:
    """What is to be built and where: `locks` holds the lock files, `root` the environments.

    With `trackers` also a layer that has them.
    """

    engine: Engine
    variant: str
    locks: Path
    root: Path
    trackers: tuple[str, ...] = ()


def ensure(
    name: str,
    variant: str,
    *,
    install: bool,
    report: Callable[[str], None],
    watch: Watch = ignore,
    environ: Mapping[str, str] = os.environ,
    trackers: tuple[str, ...] = (),
) -> EngineFacts:
    """An engine that is ready, with these trackers: found at once, or built now.

    `report` is given a sentence where the user should know something, `watch` every step of the build.
    Raises Missing where it is not built and `install` is false, FtctlError where the build fails,
    Interrupted at Ctrl-C.
    """
    order = Order(find(name), variant, locks_dir(), engines_dir(environ), trackers)
    return ensure_engine(order, install=install, report=report, watch=watch, environ=environ)


def ensure_engine(
    order: Order,
    *,
    install: bool,
    report: Callable[[str], None],
    watch: Watch = ignore,
    environ: Mapping[str, str] = os.environ,
) -> EngineFacts:
    """`ensure` for any engine that is described by a value."""
    recipe = read_recipe(order.engine, variant_of(order.engine, order.variant), order.locks)
    layer = [with_trackers(recipe, order.trackers, order.locks)] if order.trackers else []
    for part in (recipe, *layer):
        final = folder_of(part, order.root)
        if read_marker(final) is None:
            if not install:
                raise not_installed(part)
            _install(part, final, report, watch, environ)
    return locate_built(
        order.engine, order.variant, locks=order.locks, root=order.root, trackers=order.trackers
    )


def _install(
    recipe: Recipe, final: Path, report: Callable[[str], None], watch: Watch, environ: Mapping[str, str]
) -> None:
    """Build one environment, what stops it in plain words."""
    check_libraries(recipe)
    try:
        _build_once(recipe, final, report, watch, environ)
    except OSError as error:
        raise _cannot_write(recipe, final.parent, error) from error
    except KeyboardInterrupt:
        raise Interrupted(f"the installation of {recipe.title} was interrupted; nothing is left") from None


def not_installed(recipe: Recipe) -> Missing:
    """The refusal where an environment is needed and not there."""
    command = f"ftctl engines install {recipe.engine.name} --variant {recipe.variant.name}"
    command += f" --with {','.join(recipe.trackers)}" if recipe.trackers else ""
    return Missing(f"{recipe.title} is not installed", f"install it with `{command}`")


def check_libraries(recipe: Recipe) -> None:
    """Raises Missing for a shared library that the engine cannot do without and no package of it brings."""
    for library, package in recipe.variant.libraries:
        try:
            ctypes.CDLL(library)
        except OSError:
            raise Missing(
                f"{recipe.title} needs {library} and this machine has none",
                f"on Debian and Ubuntu: sudo apt install {package}",
            ) from None


def _cannot_write(recipe: Recipe, root: Path, error: OSError) -> FtctlError:
    """A disk that is full, or a folder that ftctl may not write into."""
    remedy = "free some space or make it writable; FTCTL_HOME may name another place"
    return FtctlError(f"cannot build {recipe.title} in {root}: {error.strerror or error}", remedy)


def _build_once(
    recipe: Recipe, final: Path, report: Callable[[str], None], watch: Watch, environ: Mapping[str, str]
) -> None:
    """Build under the lock of this engine and variant, unless another process has done so meanwhile."""
    root = final.parent
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(
        root, recipe.name, lambda: report(f"another ftctl is building {recipe.title}; waiting for it")
    ):
        sweep(root, recipe.name)
        if read_marker(final) is not None:
            return
        begun = time.monotonic()
        report(f"building {recipe.title}: {len(recipe.packages)} packages, once")
        work = root / f".{recipe.name}.{os.getpid()}.build"
        try:
            built = build(recipe, work, watch, environ)
            throw_away(final)
            work.rename(final)
        finally:
            throw_away(work)
        seconds = time.monotonic() - begun
        what = recipe.engine.title if recipe.base is None else "its layer of"
        report(f"{what} {built.version} ({recipe.variant.name}) is ready after {seconds:.0f} s")
