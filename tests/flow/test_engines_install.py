"""Building environments, with real processes, a real uv and a package of our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.engines.build import Step, batches
from ftctl.engines.built import MARKER
from ftctl.engines.health import check
from ftctl.engines.install import ensure_engine
from ftctl.engines.locate import locate_built
from ftctl.engines.lock import Recipe
from ftctl.engines.scrap import BUILDER
from ftctl.engines.uv import failure
from ftctl.errors import FtctlError, Missing
from ftctl.facts.model import EngineFacts
from ftctl.process import session_members
from tests.tiny_engine import ENGINE, HEALTHY, environment, make_source, make_wheel, order
from tests.waiting import until


def ensure(folder: Path, said: list[str] | None = None, steps: list[Step] | None = None) -> EngineFacts:
    return ensure_engine(
        order(folder),
        install=True,
        report=(said if said is not None else []).append,
        watch=(steps if steps is not None else []).append,
        environ=environment(folder),
    )


def left_behind(folder: Path) -> list[str]:
    """What stands in the engines folder, but for the lock file, which stays."""
    engines = folder / "engines"
    return sorted(path.name for path in engines.iterdir() if path.name != ".tiny-cpu.lock")


def run(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def start(folder: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.tiny_engine", str(folder)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root)


def test_an_engine_is_built_once_and_then_found(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    said: list[str] = []
    steps: list[Step] = []
    facts = ensure(tmp_path, said, steps)
    assert (facts.name, facts.variant, facts.version, facts.installed) == ("tiny", "cpu", "1.0", True)
    assert said[0] == "building Tiny (cpu): 1 packages, once"
    assert steps[-1] == Step("checking that it imports", 1, 1)
    assert left_behind(tmp_path) == [facts.python.parent.parent.name]

    again: list[str] = []
    assert ensure(tmp_path, again) == facts
    assert again == []


def test_a_built_environment_is_whole(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    python = ensure(tmp_path).python
    assert run([str(python.parent / "tiny")]).endswith("tiny 1.0\n"), "commands work after the rename"
    packages = python.parents[1] / "lib" / f"python{ENGINE.python}" / "site-packages"
    assert not (packages / "tiny_engine" / "unwanted.py").exists()
    assert list((packages / "tiny_engine" / "__pycache__").glob("__init__*.pyc"))
    ask = "from importlib.metadata import version; print(version('tiny'))"
    assert run([str(python), "-c", ask]) == "1.0+cpu\n"
    assert str(packages) in run([str(python), "-c", "import tiny_engine; print(tiny_engine.__file__)"])


def test_without_leave_to_install_it_is_missing(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    with pytest.raises(Missing) as refusal:
        ensure_engine(order(tmp_path), install=False, report=print, environ=environment(tmp_path))
    assert refusal.value.exit_code == 4
    assert refusal.value.remedy == "install it with `ftctl engines install tiny --variant cpu`"
    assert not (tmp_path / "engines").exists()


def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    lock = tmp_path / "locks" / "tiny-cpu.lock"
    locked = lock.read_text()
    make_wheel(tmp_path, "import somebody_else\n")
    lock.write_text(locked)
    with pytest.raises(FtctlError, match="not the one that was locked"):
        ensure(tmp_path)
    assert left_behind(tmp_path) == []


def test_a_package_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    make_wheel(tmp_path).unlink()
    with pytest.raises(FtctlError, match=r"(?s)uv said:.*tiny-engine"):
        ensure(tmp_path)
    assert left_behind(tmp_path) == []


def test_an_engine_that_does_not_import_is_not_installed(tmp_path: Path) -> None:
    make_wheel(tmp_path, "raise OSError('libcudart.so.13: cannot open shared object file')\n")
    with pytest.raises(FtctlError, match=r"(?s)import tiny_engine.*libcudart\.so\.13"):
        ensure(tmp_path)
    assert left_behind(tmp_path) == []
    found = locate_built(ENGINE, "cpu", locks=tmp_path / "locks", root=tmp_path / "engines")
    assert not found.installed


@pytest.mark.parametrize("damage", ["marker", "python"])
def test_a_damaged_environment_is_made_again(tmp_path: Path, damage: str) -> None:
    make_wheel(tmp_path)
    facts = ensure(tmp_path)
    if damage == "marker":
        (facts.python.parents[1] / MARKER).write_text('{"name": "tiny", "vari')
    else:
        facts.python.unlink()
        facts.python.symlink_to("/nowhere/python")
    assert ensure(tmp_path) == facts
    assert run([str(facts.python), "-c", "import tiny_engine"]) == HEALTHY[7:-3] + "\n"
    assert left_behind(tmp_path) == [facts.python.parents[1].name]


def test_another_lock_makes_another_environment(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    first = ensure(tmp_path).python
    make_wheel(tmp_path, "answer = 2\n")
    second = ensure(tmp_path).python
    assert first != second
    assert run([str(second), "-c", "import tiny_engine; print(tiny_engine.answer)"]) == "2\n"


def test_a_second_process_waits_for_the_first(tmp_path: Path) -> None:
    make_source(tmp_path)
    first = start(tmp_path)
    until((tmp_path / "gate.reached").exists)
    second = start(tmp_path)
    assert second.stdout is not None
    assert second.stdout.readline() == "another ftctl is building Tiny (cpu); waiting for it\n"
    (tmp_path / "gate").unlink()
    one, two = first.communicate(timeout=30)[0], second.communicate(timeout=30)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "is ready after" in one
    assert two == one.splitlines()[-1] + "\n", "the second builds nothing and gets the same interpreter"


def test_a_killed_build_leaves_nothing_and_the_next_succeeds(tmp_path: Path) -> None:
    make_source(tmp_path)
    killed = start(tmp_path)
    until((tmp_path / "gate.reached").exists)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (half,) = left_behind(tmp_path)
    assert half == f".tiny-cpu.{killed.pid}.build"
    orphan = json.loads((tmp_path / "engines" / half / BUILDER).read_text())["pid"]
    assert session_members(orphan), "uv outlives an ftctl that is killed"

    open_gate = {**environment(tmp_path), "GATE": str(tmp_path / "another")}
    facts = ensure_engine(order(tmp_path), install=True, report=print, environ=open_gate)
    assert facts.version == "1.0"
    assert session_members(orphan) == ()
    assert left_behind(tmp_path) == [facts.python.parents[1].name]


def test_an_interrupted_build_cleans_up_at_once(tmp_path: Path) -> None:
    make_source(tmp_path)
    interrupted = start(tmp_path)
    until((tmp_path / "gate.reached").exists)
    interrupted.send_signal(signal.SIGINT)
    out, _ = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    assert out.endswith("the installation of Tiny (cpu) was interrupted; nothing is left\n")
    assert left_behind(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    (tmp_path / "engines").write_text("a file stands here")
    with pytest.raises(FtctlError, match=r"cannot build Tiny \(cpu\) in .*engines"):
        ensure(tmp_path)


def test_a_cpu_wheel_comes_from_the_users_folder_or_from_pytorchs_index(tmp_path: Path) -> None:
    lock = "a==1 \\\n    --hash=sha256:aa\ntorch==2+cpu \\\n    --hash=sha256:bb\n"
    recipe = Recipe(ENGINE, ENGINE.variants[0], lock)
    (first, options), (second, others) = batches(recipe, tmp_path, {})
    assert (first.read_text().split()[0], options) == ("torch==2+cpu", ["--torch-backend", "cpu"])
    assert (second.read_text().split()[0], others) == ("a==1", ["--compile-bytecode"])

    (tmp_path / "torch-2+cpu-cp311-cp311-linux_x86_64.whl").touch()
    ((whole, options),) = batches(recipe, tmp_path, {"PIP_FIND_LINKS": str(tmp_path)})
    assert (whole.read_text(), options) == (lock, ["--compile-bytecode"])


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("error: Failed to write\n  cause: No space left on device (os error 28)", "the disk is full"),
        ("error: Failed to fetch: `x`\n  cause: dns error", "a package could not be fetched"),
        ("error: Hash mismatch for `a==1`", "a package is not the one that was locked"),
        ("error: Failed to fetch: `…/whl/cpu/torch/`", "torch's CPU wheel could not be fetched"),
        ("hint: no wheel for your current platform", "a package of the lock is not made for this machine"),
        ("error: something new", "uv could not do it"),
    ],
)
def test_uvs_failures_are_said_in_plain_words(output: str, what: str) -> None:
    error = failure(output)
    assert error.message.startswith(what)
    assert error.message.endswith(output.splitlines()[-1].strip()), "uv's own last line is kept"
    assert error.remedy


def test_health_names_the_interpreter_that_cannot_import() -> None:
    with pytest.raises(FtctlError, match=r"(?s)import no_such_module.*No module named"):
        check(Path(sys.executable), modules=["no_such_module"], asked=["none"], environ=os.environ)


def test_a_library_that_the_machine_lacks_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    make_wheel(tmp_path)
    lacking = replace(
        ENGINE.variants[0], libraries=(("libc.so.6", "libc6"), ("libnothing.so.9", "libnothing9"))
    )
    wanted = replace(order(tmp_path), engine=replace(ENGINE, variants=(lacking,)))
    with pytest.raises(Missing, match=r"Tiny \(cpu\) needs libnothing\.so\.9") as caught:
        ensure_engine(wanted, install=True, report=lambda _: None, environ=environment(tmp_path))
    assert "apt install libnothing9" in caught.value.remedy
    assert not (tmp_path / "engines").exists()
