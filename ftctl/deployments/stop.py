"""Stop a deployment: the whole session, also where its leader is already gone."""

from __future__ import annotations

import time

from ftctl.deployments.store import Entry, change, forget_key
from ftctl.process import stop_session

GRACE = 10.0  # seconds; vLLM takes 1.5 to 3.3 when idle


def stop(entry: Entry, *, now: bool = False, grace: float = GRACE) -> None:
    """End every process of the deployment; none is left when this returns. The log stays readable.

    It is asked first and has `grace` seconds to end itself; with `now` it is killed at once.
    """
    # Recorded first: who still waits for this server to be ready sees that its end was meant.
    ended = change(entry, ended=time.time())
    stop_session(entry.deployment.process, grace=0.0 if now else grace)
    forget_key(ended)
