"""Give a deployment whose keeper was killed, and the one that stood by too, another keeper."""

from __future__ import annotations

from ftctl.deployments.kept import is_kept, kept_of
from ftctl.deployments.store import Entry
from ftctl.keep.stand_by import start_keeper
from ftctl.process import boot_id


def keep_again(entry: Entry) -> bool:
    """Start a keeper for a deployment that ought to have one and has none; true where one was started.

    It takes a living server over, and ends or starts again a dead one, as the deployment's policy says. One
    that was stopped or given up, was never ready, or is of another boot is left alone.
    """
    kept = kept_of(entry.folder)
    if entry.ended is not None or entry.ready is None or kept is None or kept.state == "ended":
        return False
    if kept.keeper.boot != boot_id() or is_kept(entry.folder):
        return False
    start_keeper(entry.name)
    return True
