"""The build itself: an empty environment, its packages, what is left out, its health, its marker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftctl.engines.built import Built, folder_of, python_of, site_packages, write_marker
from ftctl.engines.health import check
from ftctl.engines.lock import Recipe, split_local
from ftctl.engines.scrap import BUILDER, note_builder
from ftctl.engines.trackers import TRACKERS, link
from ftctl.engines.uv import find_links, has_wheel, run_uv, uv_environment


@dataclass(frozen=True)
class Step:
    """Where a build stands: what it is doing, and how many of its packages are in place."""

    text: str
    done: int
    total: int


# What uv goes on to do after each of these lines, in the order in which it prints them.
NEXT = {
    "Using Python": "reading the lock",
    "Resolved": "fetching packages",
    "Prepared": "putting packages in place",
    "Installed": "compiling byte code",
}

Watch = Callable[[Step], None]


def ignore(_step: Step) -> None:
    """The watch of a caller who does not watch."""


def build(recipe: Recipe, work: Path, watch: Watch, environ: Mapping[str, str]) -> Built:
    """Build a complete, healthy, marked environment in `work`. Raises FtctlError."""
    engine, total = recipe.engine, len(recipe.packages)
    work.mkdir()
    env = uv_environment(environ, recipe.packages)
    # Relocatable: its commands find their interpreter beside them, so that the rename does not break them.
    venv = ["venv", "--relocatable", "--allow-existing", "--no-project", "--python", engine.python, "."]
    _uv(venv, work, env, lambda _line: watch(Step("finding Python", 0, total)))
    for requirements, options in batches(recipe, work, environ):
        _install([*options, "--requirements", str(requirements)], recipe, work, env, watch)
    _finish(recipe, site_packages(work, engine.python))
    watch(Step("checking that it imports", total, total))
    version = _version(recipe, python_of(work), environ)
    built = Built(engine.name, recipe.variant.name, version, recipe.digest, round(time.time(), 3))
    (work / BUILDER).unlink()
    write_marker(work, built)
    return built


def _version(recipe: Recipe, python: Path, environ: Mapping[str, str]) -> str:
    """What imports here: the engine's version, or those of a layer's trackers. Raises FtctlError."""
    if recipe.base is None:
        asked = [recipe.variant.distribution]
        return check(python, modules=recipe.engine.modules, asked=asked, environ=environ).version
    found = []
    for name in recipe.trackers:
        tracker = TRACKERS[name]
        answer = check(python, modules=[tracker.module], asked=[tracker.distribution], environ=environ)
        found.append(f"{name} {answer.version}")
    return ", ".join(found)


def batches(recipe: Recipe, work: Path, environ: Mapping[str, str]) -> list[tuple[Path, list[str]]]:
    """The requirement files to install, in order, with the options of each.

    torch's CPU wheel comes from a folder of wheels that the user named, else from PyTorch's own index,
    which uv knows. All else is taken from the general index: PyTorch's has other builds of it.
    """
    links = find_links(environ)
    versions = [(name, version) for name, version in recipe.packages.items() if "+" in version]
    if all(has_wheel(links, name, version) for name, version in versions):
        return [(_write(work / "requirements.txt", recipe.lock), ["--compile-bytecode"])]
    local, general = split_local(recipe.lock)
    return [
        (_write(work / "requirements-cpu.txt", local), ["--torch-backend", "cpu"]),
        (_write(work / "requirements.txt", general), ["--compile-bytecode"]),
    ]


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _install(options: list[str], recipe: Recipe, work: Path, env: Mapping[str, str], watch: Watch) -> None:
    """Install hash-checked requirements; the lock is complete, so nothing is resolved."""
    packages, total = site_packages(work, recipe.engine.python), len(recipe.packages)

    def tick(line: str) -> None:
        doing = next((what for start, what in NEXT.items() if line.startswith(start)), line)
        watch(Step(doing or "reading the lock", sum(1 for _ in packages.glob("*.dist-info")), total))

    command = ["pip", "install", "--python", str(python_of(work)), "--require-hashes", "--no-deps"]
    _uv([*command, *options], work, env, tick)


def _finish(recipe: Recipe, packages: Path) -> None:
    """Leave out what the variant prunes, and give its distribution the other name it is asked for by.

    A layer is given its way to the engine's packages.
    """
    variant = recipe.variant
    if recipe.base is not None:
        root = packages.parents[3]  # where the engine's environment is, beside this one
        link(packages, site_packages(folder_of(recipe.base, root), recipe.engine.python))
        return
    for name in variant.prune:
        (packages / name).unlink(missing_ok=True)
    if variant.alias:
        version = f"{recipe.locked_version}+{variant.name}"
        folder = packages / f"{variant.alias}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {variant.alias}\nVersion: {version}\n"
        _write(folder / "METADATA", text)
        _write(folder / "INSTALLER", "ftctl\n")
        _write(folder / "RECORD", "")


def _uv(arguments: list[str], work: Path, env: Mapping[str, str], tick: Callable[[str], None]) -> None:
    run_uv(arguments, env=env, folder=work, started=lambda leader: note_builder(work, leader), tick=tick)
