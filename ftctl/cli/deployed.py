"""What `ftctl deploy` does with a deployment that is there: --print, --attach and --detach-adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def useless(option: str, others: Mapping[str, object]) -> None:
    """Raises UsageError where an option of those that start a server is given beside `option`."""
    from ftctl.errors import UsageError

    given = [name for name, value in others.items() if value not in (None, False, [])]
    if given:
        listed = " and ".join(given)
        raise UsageError(f"{option} starts nothing, and {listed} would do nothing", f"leave {listed} away")


def change(name: str, attached: Sequence[str], detached: Sequence[str], *, as_json: bool) -> None:
    """Take adapters from a running deployment and give it others, in this order."""
    from ftctl.deployments import store
    from ftctl.deployments.attach import attach, detach, pair
    from ftctl.view.output import emit

    pairs = [pair(text) for text in attached]
    entry = store.get(name)
    for adapter in detached:
        entry = detach(entry, adapter)
    for adapter, text in pairs:
        entry = attach(entry, adapter, text)
    adapters = dict(entry.deployment.adapters or {})
    told = f"{name}: its adapters are {', '.join(adapters) or 'none'}"
    emit("deploy", {"name": name, "adapters": adapters}, as_json=as_json, text=told)


def show(name: str, form: str, *, as_json: bool) -> None:
    """Print how the deployment of that name is asked; nothing is started."""
    from ftctl.deployments import store
    from ftctl.deployments.snippets import snippet
    from ftctl.view.output import emit, say

    entry = store.get(name)
    store.key_of(entry)
    state = store.state(entry)
    if state not in store.SERVING:
        say(f"{name} is {state}, and answers only once it runs: ftctl ps shows it")
    text = snippet(form, entry.deployment, str(entry.folder / store.KEY))
    emit("deploy", {"name": name, "form": form, "snippet": text}, as_json=as_json, text=text)
