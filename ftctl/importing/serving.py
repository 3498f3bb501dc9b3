"""What a server's command line becomes, whichever server it starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ftctl.errors import JobError
from ftctl.importing.draft import SECRET, Draft
from ftctl.importing.flags import Arguments, value_of
from ftctl.importing.places import folder, seen
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source
from ftctl.importing.write import Reference
from ftctl.job.rules import LOOPBACK

KEY = "FTCTL_API_KEY"
_AROUND = frozenset(("docker", "podman", "nerdctl", "kubectl", "srun", "apptainer", "singularity"))


def only(
    source: Source, reads: Callable[[Command], Arguments | None], what: str
) -> tuple[Command, Arguments]:
    """The one command of the file that starts the server. Raises JobError where there is none or several."""
    found = [(command, reads(command)) for command in source.commands]
    fitting = [(command, arguments) for command, arguments in found if arguments is not None]
    if not fitting:
        raise JobError([source.refuse("", f"there is no {what} command in it")])
    if len(fitting) > 1:
        lines = ", ".join(str(command.line) for command, _ in fitting)
        message = f"{what} stands in it {len(fitting)} times (lines {lines})"
        raise JobError([source.refuse("", message, "leave one in the file: a job serves one model")])
    return fitting[0]


def start(
    draft: Draft, source: Source, path: Any, arguments: dict[str, Any], around: Around, engine: str
) -> dict[str, Any]:
    """Write name, model and engine; the arguments that are left to be mapped."""
    if not isinstance(path, str) or not path:
        raise JobError([source.refuse("", "the command names no model", "write it after serve")])
    draft.set("name", around.stem)
    draft.set("model.path", folder(path, around))
    draft.set("deploy.engine", engine)
    return arguments


def fields(draft: Draft, arguments: dict[str, Any], table: Mapping[str, str]) -> None:
    """Take out the arguments that the job has keys for; what the schema refuses stays."""
    for argument, key in table.items():
        if argument in arguments and draft.put(key, arguments[argument], argument):
            del arguments[argument]


def served_name(draft: Draft, given: Any, argument: str) -> None:
    """The first of the names that the server answers to."""
    several = given if isinstance(given, list) else [] if given is None else [given]
    if several and not draft.put("deploy.name", str(several[0]), argument):
        why = "a name here has letters, digits, dots, hyphens and underscores; set deploy.name"
        draft.drop(argument, several[0], why)
    if len(several) > 1:
        draft.drop(argument, several[1:], "a deployment has one name")


def adapters(draft: Draft, given: Any, around: Around, argument: str) -> None:
    """LoRA adapters as name=path, a path, or vLLM's JSON with name and path; a path is named by its end."""
    named: dict[str, str] = {}
    for one in given if isinstance(given, list) else [given]:
        value = value_of(one) if isinstance(one, str) and one.startswith("{") else one
        if isinstance(value, Mapping):
            named[str(value.get("name"))] = str(value.get("path"))
        else:
            name, equals, path = str(value).partition("=")
            named[name if equals else _last(name)] = path if equals else name
    draft.set("deploy.adapters", {name: folder(path, around) for name, path in named.items()}, argument)
    draft.check("deploy.adapters: an adapter must have been trained on the model that is served")


def tls(draft: Draft, arguments: dict[str, Any], around: Around, *names: str) -> None:
    """The certificate, its key and its authority, by the engine's names of the three."""
    for key, argument in zip(("certificate", "key", "ca"), names, strict=True):
        if argument in arguments:
            draft.set(f"deploy.tls.{key}", seen(str(arguments.pop(argument)), around), argument)


def _last(path: str) -> str:
    """A path's last part as a name."""
    return re.sub(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+", "-", path.rstrip("/").rpartition("/")[2]).strip("-")


def key(draft: Draft, arguments: dict[str, Any], argument: str, command: Command, variable: str) -> None:
    """The key that clients send, as a reference: a literal one is not copied."""
    given = arguments.pop(argument, None)
    host = draft.get("deploy.host")
    open_address = isinstance(host, str) and not LOOPBACK.fullmatch(host)
    if given is None and variable not in command.env and not open_address:
        return
    if not (given is None and variable in command.env):
        variable = KEY
    if given is not None:
        draft.drop(argument, "…", f"a key stays out of files: set {variable} in the environment")
    draft.set("deploy.api_key", Reference(f"${{env:{variable}}}"), argument if given is not None else "")
    draft.check(f"deploy.api_key: set {variable} in the environment of whoever starts the server")


def rest(draft: Draft, arguments: Mapping[str, Any], not_here: Mapping[str, str]) -> None:
    """What is left goes under native, or is named with the reason why it cannot."""
    for argument, value in arguments.items():
        if argument in not_here:
            draft.drop(argument, value, not_here[argument])
        else:
            draft.native("deploy", argument, value)


def around(draft: Draft, source: Source, command: Command, loose: Sequence[str]) -> None:
    """The command's environment, its loose words, and what only a shell could have filled in."""
    if draft.get("deploy.host") is None:
        draft.drop(
            "host", None, "the original listens on every address, ftctl on 127.0.0.1 unless deploy.host says"
        )
    if draft.get("deploy.port") is None:
        draft.drop("port", None, "ftctl takes a free port; set deploy.port for a fixed one")
    environment(draft, command, "deploy.gpus")
    if command.words[0].rpartition("/")[2] in _AROUND:
        draft.drop(command.words[0], None, "ports, volumes and variables of its own: ftctl starts the server")
    for word in loose:
        draft.drop(word, None, "a word that belongs to no argument")
    others(draft, source, command)


def environment(draft: Draft, command: Command, gpus: str) -> None:
    """Variables that the command ran with: the GPUs are the job's, the rest is named."""
    for name, text in command.env.items():
        devices = text.split(",")
        if name == "CUDA_VISIBLE_DEVICES" and all(device.strip().isdigit() for device in devices):
            draft.set(gpus, [int(device) for device in devices], name)
        elif name not in ("VLLM_API_KEY", "LMDEPLOY_API_KEY"):
            shown = "…" if SECRET.search(name) else text
            draft.drop(name, shown, "an environment variable: set it where ftctl runs, if it is needed")


def others(draft: Draft, source: Source, command: Command) -> None:
    """Words that a shell would have filled in."""
    for word in _once(command.unresolved):
        draft.check(f"{word} is filled in by a shell: write its value where it stands in the job")


def _once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
