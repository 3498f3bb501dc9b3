"""Take GPUs for a job, or wait for them in the order in which jobs came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ftctl.errors import Interrupted, Missing
from ftctl.facts.model import Gpu
from ftctl.facts.nvml import gpu_loads
from ftctl.leases.folder import file_of, locked, open_shared, this_process, try_lock, write_record
from ftctl.leases.hold import Lease, open_folder
from ftctl.leases.look import Loads, busy, taken
from ftctl.leases.model import Wish
from ftctl.leases.pick import in_the_way, pick
from ftctl.leases.queue import Ticket, draw

PAUSE = 0.5  # seconds between two looks of one who waits


@dataclass(frozen=True)
class Asking:
    """Who asks for which GPUs, and the folder of leases. `say` is told what is waited for."""

    wish: Wish
    gpus: tuple[Gpu, ...]
    what: str
    folder: Path
    loads: Loads = gpu_loads
    say: Callable[[str], None] = field(default=lambda _: None)
    pause: float = PAUSE

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names of the files of the GPUs that it may end up with."""
        could = self.wish.could_take
        return tuple(file_of(self.folder, gpu).name for gpu in self.gpus if gpu.index in could)


def take(asking: Asking, *, wait: bool = False) -> Lease:
    """Take the GPUs that are wished for, all at once; with `wait` once they are free and it is our turn.

    Raises Missing where they are not free and `wait` is false, naming what each is occupied with.
    """
    if not asking.wish.count:
        return Lease()
    found = _try(asking, None)
    if isinstance(found, Lease):
        return found
    if not wait:
        raise Missing(
            f"{asking.wish} cannot be taken: {found.told(asking.wish)}",
            "--wait queues for it, ftctl stop ends a run or a deployment, resources.gpus may ask for others",
        )
    with _queued(asking) as ticket:
        return _wait(asking, ticket)


def _wait(asking: Asking, ticket: Ticket) -> Lease:
    told = ""
    while True:
        found = _try(asking, ticket)
        if isinstance(found, Lease):
            return found
        steady = in_the_way(asking.wish, found.taken, dict.fromkeys(found.busy, "is busy"))
        if steady != told:  # how busy a GPU is changes all the time, and is no news
            asking.say(f"waiting for {asking.wish}: {found.told(asking.wish)}")
            told = steady
        time.sleep(asking.pause)


@contextmanager
def _queued(asking: Asking) -> Iterator[Ticket]:
    with locked(asking.folder):
        ticket = draw(asking.folder, asking.what, asking.wanted)
    try:
        yield ticket
    except KeyboardInterrupt:
        raise Interrupted(f"no longer waiting for {asking.wish}; nothing was started") from None
    finally:
        ticket.give_back()


@dataclass(frozen=True)
class Short:
    """Too few GPUs are free: what is with each of the others, by index."""

    taken: Mapping[int, str]
    busy: Mapping[int, str]

    def told(self, wish: Wish) -> str:
        return in_the_way(wish, self.taken, self.busy)


def _try(asking: Asking, ticket: Ticket | None) -> Lease | Short:
    """The lease, or why it cannot be had now."""
    loads, trouble = asking.loads()  # before the lock: the library takes its time
    in_use = busy(loads)
    with locked(asking.folder):
        away = taken(asking.folder, asking.gpus, ticket)
        chosen = pick(asking.wish, away, in_use)
        if chosen is None:
            return Short(away, in_use)
        lease = _take(asking, chosen)
    _tell(asking, chosen, in_use, trouble)
    return lease


def _tell(asking: Asking, chosen: tuple[int, ...], in_use: Mapping[int, str], trouble: str | None) -> None:
    for index in chosen:
        if index in in_use:
            asking.say(
                f"GPU {index} {in_use[index]} by a program that holds no lease; it was asked for by name"
            )
    if trouble:
        asking.say(f"how busy the GPUs are is not known: {trouble}")


def _take(asking: Asking, chosen: tuple[int, ...]) -> Lease:
    by_index = {gpu.index: gpu for gpu in asking.gpus}
    files = [open_folder(asking.folder)]
    for index in chosen:
        file = open_shared(file_of(asking.folder, by_index[index]))
        if not try_lock(file):
            raise RuntimeError(f"GPU {index} was free and is not, under the lock")
        write_record(file, this_process(index, asking.what))
        files.append(file)
    return Lease(chosen, tuple(files))
