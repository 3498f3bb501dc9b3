"""Making lock files, with a real uv and a package of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.engines.compile import compile_lock
from ftctl.errors import FtctlError, Missing
from tests.tiny_engine import ENGINE, VARIANT, environment, make_wheel


def test_a_lock_is_exact_hashed_and_without_addresses(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    locks = tmp_path / "locks"
    locked = (locks / "tiny-cpu.lock").read_text()
    (locks / "tiny-cpu.lock").unlink()
    (locks / "tiny-cpu.in").write_text("# what is asked for\ntiny-engine\nleft-out\n")
    (locks / "tiny-cpu.overrides").write_text("left-out ; sys_platform == 'never'\n")
    made = compile_lock(ENGINE, VARIANT, locks, environment(tmp_path))
    assert made == locks / "tiny-cpu.lock"
    assert made.read_text() == locked


def test_what_cannot_be_resolved_keeps_the_old_lock(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    locks = tmp_path / "locks"
    locked = (locks / "tiny-cpu.lock").read_text()
    (locks / "tiny-cpu.in").write_text("tiny-engine==2.0\n")
    with pytest.raises(FtctlError, match=r"tiny-engine==2\.0"):
        compile_lock(ENGINE, VARIANT, locks, environment(tmp_path))
    assert (locks / "tiny-cpu.lock").read_text() == locked
    assert not (locks / "tiny-cpu.lock.new").exists()


def test_an_address_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    locks = tmp_path / "locks"
    (locks / "tiny-cpu.in").write_text(f"tiny-engine @ {wheel.as_uri()}\n")
    with pytest.raises(FtctlError, match="the new lock has an address on line 1"):
        compile_lock(ENGINE, VARIANT, locks, environment(tmp_path))


def test_without_a_source_there_is_nothing_to_lock(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"tiny-cpu\.in is not there"):
        compile_lock(ENGINE, VARIANT, tmp_path, environment(tmp_path))
