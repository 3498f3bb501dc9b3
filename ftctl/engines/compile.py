"""Making lock files: every package of an environment, exact and with its hashes, and no address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ftctl import process
from ftctl.engines.table import Engine, Variant
from ftctl.engines.uv import failure, find_links, uv_bin, uv_environment
from ftctl.errors import FtctlError, Missing

OPTIONS = (
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--python-platform",
    "linux",
)
TIMEOUT = 600.0  # seconds


def compile_lock(engine: Engine, variant: Variant, locks: Path, environ: Mapping[str, str]) -> Path:
    """Resolve NAME-VARIANT.in (and .overrides) in `locks` anew and write NAME-VARIANT.lock beside them.

    Raises Missing where there is no .in file, FtctlError where the requirements cannot be met.
    """
    stem = f"{engine.name}-{variant.name}"
    source, target = locks / f"{stem}.in", locks / f"{stem}.lock"
    if not source.is_file():
        raise Missing(f"{source} is not there", "locks are made in a checkout of ftctl")
    overrides = locks / f"{stem}.overrides"
    arguments = ["pip", "compile", "--quiet", "--upgrade", *OPTIONS, "--python-version", engine.python]
    if overrides.is_file():
        arguments += ["--overrides", str(overrides)]
    arguments += _backend(variant, environ)
    fresh = target.with_suffix(".lock.new")
    env = _environment(variant, environ)
    try:
        done = process.run(
            [uv_bin(), *arguments, "--output-file", str(fresh), str(source)], env=env, timeout=TIMEOUT
        )
        if done.code != 0:
            raise failure(done.err)
        refuse_addresses(fresh)
        fresh.rename(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def _environment(variant: Variant, environ: Mapping[str, str]) -> dict[str, str]:
    """A cuda lock takes torch from the registry: a folder of CPU wheels must not win over it."""
    env = uv_environment(environ)
    if variant.name != "cpu":
        env.pop("UV_FIND_LINKS", None)
        env.pop("UV_TORCH_BACKEND", None)
    return env


def _backend(variant: Variant, environ: Mapping[str, str]) -> list[str]:
    """Where a CPU lock finds torch's CPU wheel: the user's folder of wheels, else PyTorch's own index."""
    has_torch = any(any(Path(link).glob("torch-*+cpu-*.whl")) for link in find_links(environ))
    return [] if variant.name != "cpu" or has_torch else ["--torch-backend", "cpu"]


def refuse_addresses(lock: Path) -> None:
    """A lock must hold on every machine, so it names no index and no folder."""
    for number, line in enumerate(lock.read_text().splitlines(), 1):
        if "://" in line or line.startswith("--"):
            raise FtctlError(f"the new lock has an address on line {number}: {line}", "pin a release instead")
