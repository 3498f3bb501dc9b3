"""The batch: global = micro batch × accumulation × devices, exactly, or the nearest that fit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Rows per device and step (`micro`), steps gathered (`accumulation`), and rows per update (`size`)."""

    micro: int
    accumulation: int
    size: int


@dataclass(frozen=True)
class NoFit:
    """No whole accumulation gives the size asked for; `nearest` are the sizes around it that work."""

    micro: int
    nearest: tuple[int, ...]


def split(size: int, world: int, micro: int | None, largest: int) -> Batch | NoFit:
    """Split a global batch over `world` devices. Without `micro`, the largest divisor up to `largest`."""
    unit = (micro or 1) * world
    if size % unit:
        below, above = size // unit * unit, (size // unit + 1) * unit
        return NoFit(micro or 1, tuple(fit for fit in (below, above) if fit))
    per_device = size // world
    chosen = micro or max(
        divisor for divisor in range(1, min(largest, per_device) + 1) if per_device % divisor == 0
    )
    return Batch(chosen, per_device // chosen, size)
