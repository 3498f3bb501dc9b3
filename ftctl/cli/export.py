"""`ftctl export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run's result as other tools take it, with a model card.

    merged: whole weights with tokenizer, chat template and configuration; an adapter that was not merged is
    merged for it. adapter: the LoRA adapter alone. ollama: whole weights and a Modelfile whose template gives
    the tokens of the training, which is checked. Every file is held against the hash that the run recorded,
    and the folder is there whole or not at all.

    [bold]Examples[/bold]

    ftctl export support-bot models/support-bot

    ftctl export support-bot --to merged --shard-size 2GB

    ftctl export 20260101-120000-abcd models/adapter --to adapter

    ftctl export support-bot --to ollama
    """
    from ftctl.export.source import source_of
    from ftctl.view.output import emit

    source = source_of(run)
    form, place = _meant(to, destination, source.name)
    asked = _asked(form, shard_size, force)
    made = _written(source, place, asked)
    emit("export", _data(source, made, place), as_json=as_json, text=_text(made, place))


def _meant(to: str, destination: str | None, name: str) -> tuple[str, Path]:
    """The form and the folder. Raises UsageError where two folders are named."""
    from pathlib import Path

    from ftctl.errors import UsageError
    from ftctl.export.card import FORMS

    if to in FORMS:
        return to, Path(destination or f"{name}-{to}").expanduser()
    if destination is not None or ("/" not in to and not Path(to).is_dir() and _like(to, FORMS)):
        remedy = f"--to is one of {', '.join(FORMS)}, or a folder, such as ./{to}"
        raise UsageError(f"{to} is no form of an export", remedy)
    return "merged", Path(to).expanduser()


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
    from ftctl.view.copying import Copying
    from ftctl.view.output import say

    with Copying() as copying:
        return export(source, place, asked, Watched(copying, say, copying.expect))


def _data(source: Source, made: Exported, place: Path) -> dict[str, object]:
    """What was made, for programs."""
    return {
        "run": source.run.path.name,
        "form": made.form,
        "path": str(place.absolute()),
        "files": made.files,
        "notes": list(made.notes),
    }


def _text(made: Exported, place: Path) -> str:
    """What was made, for people."""
    from ftctl.view.progress import size

    total = size(sum((place / name).stat().st_size for name in made.files))
    return "\n".join([f"exported to {place}: {made.form}, {len(made.files)} files, {total}", *made.notes])
