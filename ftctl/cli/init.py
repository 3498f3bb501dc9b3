"""`ftctl init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Json


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, or a folder for job.yaml.")] = Path(
        "job.yaml"
    ),
    model: Annotated[str, typer.Option(help="The base model: a Hub id or a folder.")] = "Qwen/Qwen3-0.6B",
    data: Annotated[str, typer.Option(help="The rows to train on.")] = "data/train.jsonl",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented job to start from.

    [bold]Examples[/bold]

    ftctl init

    ftctl init support-bot.yaml --model ./models/base --data data/support.jsonl
    """
    import os
    import shlex

    from ftctl.errors import UsageError
    from ftctl.job.starter import starter
    from ftctl.paths import bundled
    from ftctl.view.output import emit

    file = path / "job.yaml" if path.is_dir() else path
    if file.exists() and not force:
        raise UsageError(f"{file} is already there", "name another file, or write over it with --force")
    schema = bundled("schemas") / "job.schema.json"
    folder = file.parent.absolute()
    if schema.parent.parent in (folder, *folder.parents):
        # Inside a checkout a relative path stays true when the checkout moves.
        shown = os.path.relpath(schema, folder)
    else:
        shown = str(schema)
    text = starter(file=str(file), stem=file.absolute().stem, model=model, data=data, schema=shown)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "name another place") from None
    typed = shlex.quote(str(file))
    message = f"wrote {file}\n  check it with: ftctl validate {typed}\n  run it with:   ftctl train {typed}"
    if not (folder / Path(data).expanduser()).exists():
        message += (
            f"\n  your rows go into {data}, one JSON object a line: messages, or instruction and output"
        )
    emit("init", {"file": str(file), "model": model, "data": data}, as_json=as_json, text=message)
