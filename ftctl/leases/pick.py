"""Pick the GPUs of a job among those that are free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ftctl.facts.model import MachineFacts
from ftctl.leases.model import Wish
from ftctl.plan.devices import Asked, choose_devices, visible, why_not


def wish_of(asks: Sequence[Asked], machine: MachineFacts) -> Wish:
    """What `asks` come to together: a training and the deployment that follows it share their GPUs.

    Raises errors.Missing where a GPU asked for is not there or not visible.
    """
    named: set[int] = set()
    count = 0
    for asked in asks:
        devices, _ = choose_devices(asked, machine)
        if isinstance(asked, int):
            count = max(count, len(devices))
        else:
            named.update(devices)
    usable = visible(machine)
    return Wish(tuple(index for index in usable if index in named), max(count, len(named)), usable)


def pick(wish: Wish, taken: Iterable[int], busy: Iterable[int]) -> tuple[int, ...] | None:
    """The GPUs to take, in the order in which they are counted; None where too few are free.

    A GPU that was named is taken unless somebody holds it, however `busy` it is.
    """
    held = set(taken)
    if held & set(wish.named):
        return None
    out = {*held, *busy, *wish.named}
    free = [index for index in wish.usable if index not in out]
    more = wish.count - len(wish.named)
    if more > len(free):
        return None
    chosen = {*wish.named, *free[:more]}
    return tuple(index for index in wish.usable if index in chosen)


def in_the_way(wish: Wish, taken: Mapping[int, str], busy: Mapping[int, str]) -> str:
    """Why a wish is not met: each GPU that it could have, and what is with it."""
    if any(index in taken for index in wish.named):
        return why_not({index: taken[index] for index in wish.named if index in taken})
    found = {**busy, **taken}
    return why_not({index: found[index] for index in wish.usable if index in found})
