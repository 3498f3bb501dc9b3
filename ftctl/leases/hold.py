"""Hold a lease and hand it on: its open files go to the processes that use the GPUs.

Whoever inherits them holds the lease. What a process holds is read from its own open files, so that a node
needs no word from the one that started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftctl.leases.folder import LEASE, read_record, this_process, write_record
from ftctl.leases.model import Holder
from ftctl.paths import leases_dir


@dataclass(frozen=True)
class Lease:
    """GPUs that are held as long as any process has `files` open: give them to every process that uses a GPU.

    `files` are the folder's own, then one for each GPU. A lease of nothing has none.
    """

    gpus: tuple[int, ...] = ()
    files: tuple[int, ...] = ()

    def name(self, what: str, pid: int | None = None) -> None:
        """Say for all to see who holds it: this process, or that of `pid`."""
        for index, file in zip(self.gpus, self.files[1:], strict=True):
            write_record(file, this_process(index, what, pid))

    def hand_over(self, what: str, pid: int) -> None:
        """Leave it to the process of `pid`, which was given its files."""
        self.name(what, pid)
        self.close()

    def close(self) -> None:
        """Hold it no longer in this process."""
        for file in self.files:
            os.close(file)

    def part(self, gpus: Iterable[int]) -> Lease:
        """The lease of these GPUs alone, to be given to a process; what is held here stays held."""
        kept = set(gpus)
        pairs = [pair for pair in zip(self.gpus, self.files[1:], strict=True) if pair[0] in kept]
        own = self.files[:1] if pairs else ()
        return Lease(tuple(index for index, _ in pairs), (*own, *(file for _, file in pairs)))

    def only(self, gpus: Iterable[int]) -> Lease:
        """What is left of the lease when only these GPUs are needed; the others are free at once."""
        kept = set(gpus)
        left = {}
        for index, file in zip(self.gpus, self.files[1:], strict=True):
            if index in kept:
                left[index] = file
            else:
                os.close(file)
        if self.files and not left:
            os.close(self.files[0])
            return Lease()
        return Lease(tuple(left), (*self.files[:1], *left.values()))


NOTHING = Lease()


def open_folder(folder: Path) -> int:
    """The folder, open and locked for sharing: systemd-tmpfiles(8) cleans no folder that is locked."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def held_here(folder: Path | None = None) -> Lease:
    """The lease that this process took or was given."""
    place = str((folder or leases_dir()).resolve())
    own = None
    files: dict[int, int] = {}
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of this very listing
            target = str(Path("/proc/self/fd", entry).readlink()).removesuffix(" (deleted)")
            if target == place:
                own = int(entry)
            elif target.endswith(LEASE) and str(Path(target).parent) == place:
                holder = read_record(Holder, int(entry))
                if holder is not None:
                    files[holder.index] = int(entry)
    if own is None or not files:
        return Lease()
    return Lease(tuple(sorted(files)), (own, *(files[index] for index in sorted(files))))
