"""The folder that an export goes into: looked at beforehand, and there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftctl.errors import Missing, UsageError
from ftctl.process import identify
from ftctl.view.progress import size

MANIFEST = "ftctl-export.json"  # in every export: what it is made of, and that it may be replaced
OLD = "old"
MARGIN = 16 * 1024**2  # bytes beside the weights: cards, indices, the file system's own


def check_place(target: Path, *, force: bool) -> None:
    """Raises UsageError where something is there that the export must not touch.

    Nothing but an earlier export is ever replaced, whatever else is in its folder with it.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{target} is not a folder", "name another place")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not (target / MANIFEST).is_file():
        raise UsageError(
            f"{target} is not empty, and what is in it is no export of ftctl",
            "name another place, or empty it",
        )
    if not force:
        raise UsageError(f"{target} has an export already", "name another place, or replace it with --force")


def check_room(target: Path, need: int) -> None:
    """Raises Missing where the disk of `target` has less than `need` bytes free."""
    above = next(place for place in (target, *target.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(above).free
    if free < need + MARGIN:
        raise Missing(
            f"the export needs {size(need + MARGIN)} and {size(free)} are free at {above}",
            "free some, or name a place on another disk",
        )


@contextmanager
def whole(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write into; it takes the name `target` once everything is in it."""
    with staged(target) as folder:
        yield folder
        check_place(target, force=force)  # it may have come to be while we wrote
        _take_over(folder, target.absolute())


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A folder to write into beside `target`, removed in the end; what a killed process left of its own is
    removed by the next that exports to the same name."""
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        folder = target.with_name(f"{_stem(target)}{os.getpid()}")
        folder.mkdir()
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", "name another place") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stem(target: Path) -> str:
    return f".{target.name}.ftctl-"


def _sweep(target: Path) -> None:
    """Remove what killed exports have left, and put an earlier export back that one had set aside."""
    for left in [path for path in target.parent.iterdir() if path.name.startswith(_stem(target))]:
        number, _, old = left.name.removeprefix(_stem(target)).partition(".")
        if not number.isdigit() or identify(int(number)) is not None:
            continue
        if old == OLD and not target.exists():
            left.rename(target)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _take_over(folder: Path, target: Path) -> None:
    """Give the folder its name; an earlier export there goes away only once it has."""
    if not target.is_dir():
        folder.rename(target)
        return
    old = target.with_name(f"{_stem(target)}{os.getpid()}.{OLD}")
    target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
