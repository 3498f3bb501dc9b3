"""The folder of leases: one file for each GPU, locked by the processes that use it.

A lock (flock(2)) belongs to an open file that a process hands to those it starts. The kernel drops it when
the last of them has ended, however it ended, so nothing has to be cleaned up and no lease outlives its work.
What stands in a file only names the holder, and counts for nothing once the lock is gone.

The folder is for all users of the machine, because its GPUs are. Every look at it and every change is made
under one more lock, so that a look never passes for a holder and no GPU is given to two.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ftctl.errors import FtctlError
from ftctl.facts.model import Gpu
from ftctl.leases.model import Holder
from ftctl.record import from_record, to_record

LEASE = ".lease"
Record = TypeVar("Record")


def file_of(folder: Path, gpu: Gpu) -> Path:
    """The file of a GPU: by its UUID, which is the same in every container."""
    return folder / f"{gpu.uuid or f'index-{gpu.index}'}{LEASE}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock under which leases are looked at, taken and queued for; makes the folder.

    Raises FtctlError where the folder cannot be used.
    """
    try:
        _make(folder)
        lock = open_shared(folder / "lock")
    except OSError as error:
        raise FtctlError(
            f"GPU leases cannot be kept in {folder}: {error.strerror}",
            "make it a folder that every user may write to, or name another by FTCTL_LEASES",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(0o1777)  # as for other shared folders: everyone adds, nobody removes another's


def open_shared(path: Path) -> int:
    """An open file, made if it is not there, that every user may lock and write; links are not followed."""
    while True:
        # Another user's file may be opened, but not with O_CREAT (fs.protected_regular, proc(5)).
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        before = os.umask(0)
        try:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        finally:
            os.umask(before)


def try_lock(file: int) -> bool:
    """Lock an open file; false where another holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_record(file: int, value: object) -> None:
    """Say in an open file who holds it, or what its holder waits for."""
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(to_record(value)).encode(), 0)


def read_record(kind: type[Record], file: int) -> Record | None:
    """What an open file says; None where its holder has not said it yet."""
    try:
        return from_record(kind, json.loads(os.pread(file, 65536, 0)))
    except (ValueError, TypeError):
        return None


def holder_of(path: Path) -> Holder | None:
    """Who holds a lease, or None. To be asked under the folder's lock."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if try_lock(file):
            return None
        return read_record(Holder, file) or Holder(
            -1, "a process that has not said its name", 0, "unknown", 0
        )
    finally:
        os.close(file)


def holders(folder: Path) -> list[Holder]:
    """Everyone who holds a GPU now. Makes nothing where no lease was ever taken."""
    if not (folder / "lock").exists():
        return []
    with locked(folder):
        found = [holder_of(path) for path in sorted(folder.glob(f"*{LEASE}"))]
    return sorted((one for one in found if one is not None), key=lambda one: one.index)


def this_process(index: int, what: str, pid: int | None = None) -> Holder:
    """This process, or the one it started, as the holder of a GPU."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        user = str(os.getuid())
    return Holder(index, what, os.getpid() if pid is None else pid, user, time.time())
