"""The one module that starts and signals processes.

A process is known by its pid *and* its start time, so that a pid that was given out again is never
taken for the process that ftctl started (`proc(5)`: field 22 of /proc/PID/stat).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """A process, told from a later one with the same pid. `started` is in clock ticks since boot."""

    pid: int
    started: int
    boot: str


NOBODY = ProcessId(0, 0, "")  # never alive, and of no session


@dataclass(frozen=True)
class Completed:
    """What a finished command left: its exit code (negative: the signal), standard output and error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class End:
    """How a process ended: its exit code (negative: the signal); None where nobody was there to see it."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None:
            return "ended"
        return f"was killed by signal {-self.code}" if self.code < 0 else f"ended with exit code {self.code}"


@dataclass(frozen=True)
class Child:
    """A process that is waited for: one that this process started, or one that it found."""

    process: ProcessId
    started: subprocess.Popen[bytes] | None = None

    def end(self) -> End | None:
        """How it ended; None while it lives."""
        if self.started is None:
            return None if alive(self.process) else End(None)
        code = self.started.poll()
        return None if code is None else End(code)


def boot_id() -> str:
    return BOOT_ID.read_text().strip()


def since_boot() -> float:
    """Seconds since the machine was started, those it slept included: a clock that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def age(process: ProcessId) -> float:
    """Seconds since a process of this boot was started (proc(5): in clock ticks since boot)."""
    return max(0.0, since_boot() - process.started / os.sysconf("SC_CLK_TCK"))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command name: state, ppid, pgrp, session, …; None if gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process; None if there is none (a zombie counts as none)."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return ProcessId(pid, int(fields[19]), boot_id())


def alive(process: ProcessId) -> bool:
    """Whether that very process still runs; a zombie and another boot's pid do not."""
    return identify(process.pid) == process


def find_command(*last: str) -> ProcessId | None:
    """A living process whose command line ends with these words; None if there is none."""
    tail = tuple(word.encode() for word in last)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if tuple(words[-len(tail) - 1 : -1]) == tail:
                return identify(int(entry))
    return None


def session_members(session: int) -> tuple[int, ...]:
    """The pids of the living processes of a session (the pid of its leader is its id)."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields is not None and fields[0] not in "ZX" and int(fields[3]) == session:
                members.append(int(entry))
    return tuple(members)


def start(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, keep: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], ProcessId]:
    """Start a command in a session of its own, its whole output appended to `log`.

    It inherits the open files `keep`, by their numbers, and no other.

    Raises FileNotFoundError or PermissionError where the program cannot be started.
    """
    return _in_session(argv, subprocess.DEVNULL, cwd, env, log, keep)


def _in_session(
    argv: Sequence[str], stdin: int, cwd: Path, env: Mapping[str, str], log: Path, keep: Sequence[int]
) -> tuple[subprocess.Popen[bytes], ProcessId]:
    with open(log, "ab") as output:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    return child, identify(child.pid) or ProcessId(child.pid, 0, boot_id())


# Turns into the command once it is told to. Who closes the pipe instead was killed before it could record
# the process, and then there is nothing to record. Pid and start time stay the same.
GATE = """import os, sys
if not os.read(0, 1):
    sys.exit(1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def start_recorded(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    record: Callable[[ProcessId], None],
    keep: Sequence[int] = (),
) -> Child:
    """`start` for a command that does not begin before `record` has returned: none runs that nobody knows.

    Where `record` raises, the command is never begun. A program that is not there is an error in the log.
    """
    gate = (sys.executable, "-I", "-S", "-c", GATE, *argv)
    child, process = _in_session(gate, subprocess.PIPE, cwd, env, log, keep)
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError), child.stdin:
            record(process)
            child.stdin.write(b"1")
    except BaseException:
        child.wait()  # it has read the end of the pipe
        raise
    return Child(process, child)


_detached: list[subprocess.Popen[bytes]] = []


def start_detached(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, keep: Sequence[int] = ()
) -> ProcessId:
    """`start` for a process that outlives this one: nobody here waits for it."""
    child, process = start(argv, cwd=cwd, env=env, log=log, keep=keep)
    _detached.append(child)
    return process


def start_guard(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that reads the end of its standard input when this one is
    gone, however it went: no other process has the pipe's other end. It inherits the open files `keep`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(keep),
        )


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run a command to its end and take its output. Raises subprocess.TimeoutExpired (seconds)."""
    done = subprocess.run(
        list(argv),
        env=dict(env) if env is not None else None,
        cwd=cwd,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr)


def signal_process(process: ProcessId, number: int) -> None:
    """Send a signal to one process, if it still lives."""
    if alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def signal_session(leader: ProcessId, number: int) -> None:
    """Send a signal to every process of the session that `leader` began, whoever of them still lives."""
    for pid in own_session(leader):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def stop_session(leader: ProcessId, *, grace: float) -> bool:
    """End a session: SIGTERM, `grace` seconds to finish, then SIGKILL. True if no kill was needed.

    Works when the leader is dead and its children live on; returns only when none is left.
    """
    signal_session(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while own_session(leader):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    else:
        return True
    while own_session(leader):
        signal_session(leader, signal.SIGKILL)
        time.sleep(0.05)
    return False


def own_session(leader: ProcessId) -> tuple[int, ...]:
    """The members of a session, none if its id was given to another process since."""
    if leader.boot != boot_id():
        return ()
    now = identify(leader.pid)
    if now is not None and now != leader:
        return ()
    return session_members(leader.pid)
