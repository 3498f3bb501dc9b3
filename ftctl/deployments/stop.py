"""Stop a deployment: the whole session, also where its leader is already gone."""

from __future__ import annotations

import time

from ftctl.deployments.store import Entry, change, forget_key
from ftctl.process import stop_session

GRACE = 10.0  # seconds; vLLM takes 1.5 to 3.3 when idle


def stop(entry: Entry, *, now: bool = False) -> None:
    """End every process of the deployment; none is left when this returns. The log stays readable.

    `now` kills at once instead of asking first.
    """
    # Recorded first: who still waits for this server to be ready sees that its end was meant.
    ended = change(entry, ended=time.time())
    stop_session(entry.deployment.process, grace=0.0 if now else GRACE)
    forget_key(ended)
