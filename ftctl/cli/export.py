"""`ftctl export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ftctl.export.hub import Upload
    from ftctl.export.make import Asked, Exported
    from ftctl.export.source import Source


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run: its folder, its id, or its job's name.")],
    destination: Annotated[
        str | None,
        typer.Argument(metavar="[DIR|REPO]", help="The folder to write, or for hub the repository's id."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            "--as",
            metavar="WHAT",
            help="merged, adapter, ollama, gguf or hub; or a folder, for merged weights there.",
        ),
    ] = "merged",
    shard_size: Annotated[
        str | None,
        typer.Option(
            "--shard-size", metavar="SIZE", help="The most that a weights file holds, such as 5GB or 512MiB."
        ),
    ] = None,
    gguf_type: Annotated[
        str,
        typer.Option(
            "--gguf-type", metavar="TYPE", help="With gguf: auto (the weights' own), f32, f16, bf16 or q8_0."
        ),
    ] = "auto",
    adapter: Annotated[
        bool, typer.Option("--adapter", help="With hub: upload the LoRA adapter, not whole weights.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="With hub: into a public repository (default: a private one).")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="REFERENCE",
            help="With hub: the token, such as ${env:MY_TOKEN} (default: HF_TOKEN, a saved login).",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Refuse what needs a network.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run's result as other tools take it, with a model card.

    merged: whole weights with tokenizer, chat template and configuration; an adapter that was not merged is
    merged for it. adapter: the LoRA adapter alone. ollama: whole weights and a Modelfile whose template gives
    the tokens of the training, which is checked. gguf: one file for llama.cpp, by a package of its converter,
    held against the weights. hub: uploaded to a model repository of the Hub. Every file is held against the
    hash that the run recorded, and a folder is there whole or not at all.

    [bold]Examples[/bold]

    ftctl export support-bot models/support-bot

    ftctl export support-bot --to merged --shard-size 2GB

    ftctl export 20260101-120000-abcd models/adapter --to adapter

    ftctl export support-bot --to ollama

    ftctl export support-bot --to gguf --gguf-type q8_0

    ftctl export support-bot my-team/support-bot --to hub --token '${env:TEAM_TOKEN}'
    """
    from dataclasses import replace
    from pathlib import Path

    from ftctl.errors import UsageError
    from ftctl.export.hub import Upload
    from ftctl.export.source import source_of
    from ftctl.view.output import emit

    source = source_of(run)
    form, place = _meant(to, destination, source.name)
    asked = _asked(form, shard_size, force)
    if form == "hub":
        asked = replace(asked, form="adapter" if adapter else "merged", leaves=True)
        _uploaded(source, Upload(place, public, token), asked, offline=offline, as_json=as_json)
        return
    if form == "gguf":
        asked = replace(asked, gguf_type=_known_type(gguf_type))
    if adapter or public or token is not None:
        raise UsageError("--adapter, --public and --token are for --to hub", "add it, or leave them out")
    made = _written(source, Path(place).expanduser(), asked)
    emit("export", _data(source, made, place), as_json=as_json, text=_text(made, place))


def _meant(to: str, destination: str | None, name: str) -> tuple[str, str]:
    """The form, and the folder or repository. Raises UsageError where one is not clear."""
    from pathlib import Path

    from ftctl.errors import UsageError
    from ftctl.export.card import FORMS

    if to == "hub" and destination is None:
        raise UsageError("the repository is not named", f"ftctl export {name} OWNER/NAME --to hub")
    if to in FORMS or to == "hub":
        return to, destination or f"{name}-{to}"
    known = (*FORMS, "hub")
    if destination is not None or ("/" not in to and not Path(to).is_dir() and _like(to, known)):
        remedy = f"--to is one of {', '.join(known)}, or a folder, such as ./{to}"
        raise UsageError(f"{to} is no form of an export", remedy)
    return "merged", to


def _known_type(kind: str) -> str:
    """A type of weights in a GGUF file. Raises UsageError for another."""
    from ftctl.errors import UsageError
    from ftctl.export.for_gguf import TYPES

    if kind not in TYPES:
        raise UsageError(f"--gguf-type: {kind} is not one that is made here", f"one of {', '.join(TYPES)}")
    return kind


def _like(word: str, known: Iterable[str]) -> bool:
    """Whether a word is likely to be meant for a known one."""
    from difflib import get_close_matches

    return bool(get_close_matches(word, known, n=1, cutoff=0.7))


def _asked(form: str, shard_size: str | None, force: bool) -> Asked:
    """What the options ask for. Raises UsageError for a size that is none."""
    from ftctl.errors import UsageError
    from ftctl.export.make import Asked
    from ftctl.job.normalise import size_of

    if shard_size is None:
        return Asked(form, force=force)
    try:
        limit = size_of(shard_size)
    except ValueError:
        limit = 0
    if limit <= 0:
        raise UsageError(f"--shard-size: {shard_size} is no size", "write 5GB or 512MiB, for example")
    return Asked(form, limit, force)


def _written(source: Source, place: Path, asked: Asked) -> Exported:
    from ftctl.export.make import Watched, export
    from ftctl.view.copying import copying
    from ftctl.view.output import say

    with copying() as copied:
        return export(source, place, asked, Watched(copied, say, copied.expect))


def _uploaded(source: Source, upload: Upload, asked: Asked, *, offline: bool, as_json: bool) -> None:
    from ftctl.export.hub import export_to_hub
    from ftctl.export.make import Watched
    from ftctl.view.copying import copying
    from ftctl.view.output import emit, say

    with copying() as copied:
        watched = Watched(copied, say, copied.expect)
        done = export_to_hub(source, upload, asked, watched, offline=offline)
    data = {
        **_data(source, done.made, None),
        "url": done.url,
        "commit": done.commit,
        "private": not upload.public,
    }
    text = f"uploaded to {done.url}: {done.made.form}, {len(done.made.files)} files, commit {done.commit}"
    emit("export", data, as_json=as_json, text=text)


def _data(source: Source, made: Exported, place: str | None) -> dict[str, object]:
    """What was made, for programs."""
    from pathlib import Path

    return {
        "run": source.run.path.name,
        "form": made.form,
        "path": None if place is None else str(Path(place).expanduser().absolute()),
        "files": made.files,
        "notes": list(made.notes),
    }


def _text(made: Exported, place: str) -> str:
    """What was made, for people."""
    from pathlib import Path

    from ftctl.view.progress import size

    total = size(sum((Path(place).expanduser() / name).stat().st_size for name in made.files))
    return "\n".join([f"exported to {place}: {made.form}, {len(made.files)} files, {total}", *made.notes])
