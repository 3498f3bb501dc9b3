"""Starting, knowing and ending real processes."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftctl import process
from tests.waiting import until

# A leader with a child and a grandchild, each of which writes its pid; `deaf` ones ignore SIGTERM.
FAMILY = """
import os, signal, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for generation in ("child", "grandchild"):
    if os.fork():
        break
    open(generation, "w").write(str(os.getpid()))
if sys.argv[2] == "leaves" and os.getpid() == os.getsid(0):
    while not os.path.exists("grandchild"):
        time.sleep(0.01)
    os._exit(3)
time.sleep(60)
"""


Family = Callable[[str, str], tuple[subprocess.Popen[bytes], process.ProcessId]]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """Starts three generations and waits until all are there; what is left at the end is killed."""
    started: list[tuple[subprocess.Popen[bytes], process.ProcessId]] = []

    def start(manner: str, leader: str) -> tuple[subprocess.Popen[bytes], process.ProcessId]:
        argv = [sys.executable, "-c", FAMILY, manner, leader]
        child, known = process.start(argv, cwd=tmp_path, env=os.environ, log=tmp_path / "log")
        started.append((child, known))
        until((tmp_path / "grandchild").exists)
        return child, known

    yield start
    for child, known in started:
        process.stop_session(known, grace=0)
        child.wait(60)


def test_a_process_is_known_by_pid_and_start() -> None:
    me = process.identify(os.getpid())
    assert me is not None
    assert me.pid == os.getpid()
    assert me.boot == process.boot_id()
    assert process.alive(me)


def test_a_pid_that_was_given_out_again_is_another_process() -> None:
    me = process.identify(os.getpid())
    assert me is not None
    assert not process.alive(dataclasses.replace(me, started=me.started - 1))
    assert not process.alive(dataclasses.replace(me, boot="another boot"))


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = process.identify(child.pid)
    assert known is not None
    assert process.alive(known)
    assert child.stdin is not None
    child.stdin.close()  # EOF ends it; it stays a zombie until it is waited for
    until(lambda: process.identify(child.pid) is None)
    assert Path(f"/proc/{child.pid}/stat").exists()
    assert not process.alive(known)
    child.wait(60)


def test_a_process_that_is_gone_has_no_identity() -> None:
    child = subprocess.Popen(["true"])
    child.wait(60)
    assert process.identify(child.pid) is None


def test_a_name_with_spaces_and_brackets_is_read(tmp_path: Path) -> None:
    program = tmp_path / "odd ) name ("
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    known = process.identify(child.pid)
    assert known is not None
    assert known.started > 0
    child.kill()
    child.wait(60)


def test_a_started_command_has_a_session_and_a_log_of_its_own(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getsid(0), os.getcwd(), os.environ['WORD']); sys.exit('an error')"
    (tmp_path / "log").write_text("before\n")
    child, known = process.start(
        [sys.executable, "-u", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "WORD": "a b"},
        log=tmp_path / "log",
    )
    assert child.wait(60) == 1
    assert known.pid == child.pid
    said = (tmp_path / "log").read_text()
    assert said == f"before\n{child.pid} {tmp_path} a b\nan error\n"


def test_a_program_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        process.start([str(tmp_path / "nothing")], cwd=tmp_path, env={}, log=tmp_path / "log")


def test_stopping_ends_three_generations(family: Family) -> None:
    child, known = family("hears", "stays")
    assert len(process.session_members(known.pid)) == 3
    assert process.stop_session(known, grace=10) is True
    assert process.session_members(known.pid) == ()
    assert child.wait(60) == -signal.SIGTERM


def test_stopping_kills_what_does_not_hear(family: Family) -> None:
    child, known = family("deaf", "stays")
    began = time.monotonic()
    assert process.stop_session(known, grace=0.3) is False
    assert 0.3 <= time.monotonic() - began < 30
    assert process.session_members(known.pid) == ()
    assert child.wait(60) == -signal.SIGKILL


def test_orphans_are_stopped_when_their_leader_has_gone(family: Family) -> None:
    child, known = family("hears", "leaves")
    assert child.wait(60) == 3
    assert len(process.session_members(known.pid)) == 2
    assert process.stop_session(known, grace=10) is True
    assert process.session_members(known.pid) == ()


def test_orphans_are_stopped_when_their_leader_was_killed(family: Family) -> None:
    child, known = family("deaf", "stays")
    os.kill(known.pid, signal.SIGKILL)
    until(lambda: process.identify(known.pid) is None)
    assert len(process.session_members(known.pid)) == 2
    assert process.stop_session(known, grace=0) is False
    assert process.session_members(known.pid) == ()
    child.wait(60)


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another boot"}])
def test_a_session_that_is_not_ours_is_left_alone(family: Family, change: dict[str, object]) -> None:
    _, known = family("hears", "stays")
    stranger = dataclasses.replace(known, **change)  # type: ignore[arg-type] # one field of two types
    assert process.stop_session(stranger, grace=0) is True
    assert len(process.session_members(known.pid)) == 3


def test_a_command_is_run_to_its_end() -> None:
    done = process.run([sys.executable, "-c", "import sys; print('out'); sys.exit('bad')"])
    assert done == process.Completed(1, "out\n", "bad\n")


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.run(["sleep", "60"], timeout=0.1)


def test_a_command_begins_only_once_it_is_recorded(tmp_path: Path) -> None:
    known: list[process.ProcessId] = []
    log, made = tmp_path / "log", tmp_path / "made"
    words = (sys.executable, "-c", f"open({str(made)!r}, 'w').close()")

    def record(started: process.ProcessId) -> None:
        assert not made.exists() and process.alive(started)
        known.append(started)

    child = process.start_recorded(words, cwd=tmp_path, env=os.environ, log=log, record=record)
    until(lambda: child.end() == process.End(0))
    assert made.exists() and known == [child.process]


def test_a_command_that_cannot_be_recorded_never_begins(tmp_path: Path) -> None:
    known: list[process.ProcessId] = []
    made = tmp_path / "made"
    words = (sys.executable, "-c", f"open({str(made)!r}, 'w').close()")

    def record(started: process.ProcessId) -> None:
        known.append(started)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        process.start_recorded(words, cwd=tmp_path, env=os.environ, log=tmp_path / "log", record=record)
    until(lambda: not process.alive(known[0]))
    assert not made.exists()


def test_the_age_of_a_process_follows_no_set_clock(family: Family) -> None:
    _, leader = family("tame", "stays")
    assert 0 <= process.age(leader) < 60
    assert process.age(dataclasses.replace(leader, started=0)) == pytest.approx(process.since_boot(), abs=5)
