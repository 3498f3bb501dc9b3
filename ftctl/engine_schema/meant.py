"""Did you mean: the engine's own argument, or the job's key for it, behind a name that the engine lacks."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.engine_schema.arguments import FLAGS
from ftctl.job.native import OWNED, SAME
from ftctl.job.shape import Schema, levels
from ftctl.job.suggest import ALSO, nearest


def meant(key: str, block: str, names: str, title: str, arguments: Mapping[str, Schema], job: Schema) -> str:
    """What to write in place of `key` in the native block of `block`; "" where nothing is near.

    `names` is the table of `job.native` for the engine, `title` the engine's, `arguments` are its own,
    `job` is the job's schema.
    """
    name = key.lstrip("-").replace("-", "_")
    if name in arguments:
        return f"write {name}"
    if name.startswith("no_") and name[3:] in arguments:
        return f"write {name[3:]}: false"
    if flagged := short(key, arguments):
        return _said(flagged, names)
    if own := _own(name, block, job):
        theirs = _engines_name(own, names, arguments)
        return f"did you mean {own}?" + (f" {title.partition(' ')[0]} calls it {theirs}" if theirs else "")
    found = nearest(name, arguments, 0.7)
    return _said(found, names) if found else ""


def _said(argument: str, names: str) -> str:
    """An argument of the engine as a suggestion, with the job's own key where it has one."""
    if (own := OWNED[names].get(argument)) is not None:
        return f"set {own}, which sets {argument}" if own else f"remove it: ftctl sets {argument} itself"
    keys = SAME[names].get(argument)
    return f"did you mean {argument}?" + (f" {keys[0]} sets it" if keys else "")


def short(key: str, arguments: Mapping[str, Schema]) -> str:
    """The argument with a short flag: `tp` of `-tp`."""
    flag = f"-{key.lstrip('-')}"
    return next((name for name, argument in arguments.items() if flag in argument.get(FLAGS, ())), "")


def _own(name: str, block: str, job: Schema) -> str:
    """The dotted key of the job that is called `name`, here or by other tools; of this block first."""
    found = [
        ".".join((*level, key))
        for level, keys in levels(job)
        for key, schema in keys.items()
        if key != "native" and name in (key, *schema.get(ALSO, ()))
    ]
    here = [key for key in found if key.startswith(f"{block}.")]
    return next(iter(here or [key for key in found if not key.startswith(("train.", "deploy."))]), "")


def _engines_name(own: str, names: str, arguments: Mapping[str, Schema]) -> str:
    """The engine's name for one of the job's keys; "" where it has none, or several that share its work."""
    found = [argument for argument, keys in SAME[names].items() if own in keys and argument in arguments]
    return found[0] if len(found) == 1 else ""
