"""Which servers stand behind which proxy, as it is recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from ftctl.deployments.model import Deployment
from ftctl.deployments.store import Entry, amend, find
from ftctl.paths import deployments_dir


def taken_over(entry: Entry, members: Sequence[str], like: Deployment, retiring: Sequence[str]) -> Entry:
    """The entry of a proxy with other servers behind it, which are what `like` is, recorded."""

    def how(now: Entry) -> Entry:
        same = ("name", "url", "process", "created", "folder", "listens", "binds", "behind")
        kept = {field: getattr(now.deployment, field) for field in same}
        return replace(
            now, deployment=replace(like, **kept, members=tuple(members), retiring=tuple(retiring))
        )

    return amend(entry, how)


def retired(entry: Entry, member: str) -> Entry:
    """The entry of a proxy without a server that has left, recorded."""
    return amend(
        entry,
        lambda now: replace(
            now,
            deployment=replace(
                now.deployment, retiring=tuple(name for name in now.deployment.retiring if name != member)
            ),
        ),
    )


def front_of(entry: Entry) -> Entry | None:
    """The proxy that a server stands behind; None where it does not, or its proxy does not know it."""
    front = None if entry.deployment.behind is None else find(entry.deployment.behind)
    if front is None or entry.name not in (*front.deployment.members, *front.deployment.retiring):
        return None
    return front


def behind(front: str) -> tuple[Entry, ...]:
    """Every server that is recorded as behind the proxy of that name, live or not, in its order."""
    numbered = re.compile(rf"{re.escape(front)}\.(\d+)")
    try:
        found = [
            (int(match[1]), match[0])
            for match in map(numbered.fullmatch, os.listdir(deployments_dir()))
            if match
        ]
    except FileNotFoundError:
        return ()
    entries = [find(name) for _, name in sorted(found)]
    return tuple(entry for entry in entries if entry is not None and entry.deployment.behind == front)
