"""Making the lock of the trackers beside an engine: no version of the engine's own lock moves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ftctl import process
from ftctl.engines.compile import OPTIONS, TIMEOUT, refuse_addresses
from ftctl.engines.lock import Recipe, locked
from ftctl.engines.trackers import BLOCK, LOOSE, TRACKERS
from ftctl.engines.uv import failure, uv_bin, uv_environment

SOURCE = "trackers.in"


def compile_trackers(base: Recipe, locks: Path, environ: Mapping[str, str]) -> Path:
    """Resolve trackers.in in `locks` beside the lock of `base`, and write NAME-VARIANT.trackers.lock there.

    All trackers are resolved together, so that any of them fit each other; then each is asked which of the
    packages it needs. Raises FtctlError where the requirements cannot be met.
    """
    loose = LOOSE.get(base.engine.name, frozenset())
    pins = {name: version for name, version in base.packages.items() if name not in loose}
    asked = locked((locks / SOURCE).read_text())
    with TemporaryDirectory() as folder:
        work = Path(folder)
        together = _resolve(asked, pins, base, work, environ, "--generate-hashes")
        chosen = locked(together)
        needed: dict[str, list[str]] = {name: [] for name in chosen}
        for tracker, one in TRACKERS.items():
            alone = _resolve({one.distribution: asked[one.distribution]}, chosen, base, work, environ)
            for name in locked(alone):
                needed[name].append(tracker)
    target = locks / f"{base.name}.trackers.lock"
    fresh = target.with_suffix(".lock.new")
    try:
        fresh.write_text(_annotated(together, needed, base.packages))
        refuse_addresses(fresh)
        fresh.rename(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def _annotated(together: str, needed: Mapping[str, list[str]], base: Mapping[str, str]) -> str:
    """The blocks of what the engine's environment has not, each with the trackers that it is for."""
    found = []
    for block in BLOCK.split(together):
        for name, version in locked(block).items():
            if base.get(name) != version:
                found.append(f"{block.rstrip()}\n    # for {', '.join(needed[name])}\n")
    return "".join(found)


def _resolve(
    asked: Mapping[str, str],
    pins: Mapping[str, str],
    base: Recipe,
    work: Path,
    environ: Mapping[str, str],
    *options: str,
) -> str:
    """What uv makes of these requirements, where the pins hold."""
    source, constraints = work / "asked.in", work / "pins.txt"
    source.write_text(_lines(asked))
    constraints.write_text(_lines(pins))
    arguments = [
        uv_bin(),
        "pip",
        "compile",
        "--quiet",
        *(one for one in OPTIONS if one != "--generate-hashes"),
    ]
    arguments += [*options, "--python-version", base.engine.python, "--constraints", str(constraints)]
    env = uv_environment(environ, base.packages)
    done = process.run([*arguments, str(source)], env=env, timeout=TIMEOUT)
    if done.code != 0:
        raise failure(done.err)
    return done.out


def _lines(versions: Mapping[str, str]) -> str:
    return "".join(f"{name}=={version}\n" for name, version in versions.items())
