"""`ftctl data convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Json


def convert(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file to convert.", show_default=False)
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="OUT", help="Where the rows go.")] = None,
    held_out: Annotated[
        float, typer.Option("--eval", min=0, help="Share of the queries to hold out; a count from 1 on.")
    ] = 0.0,
    held_out_to: Annotated[
        Path | None, typer.Option("--eval-to", metavar="OUT", help="Where held out queries go.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="retrieval, triplet, pair; auto looks at the first row.")
    ] = "auto",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=COLUMN", help="What the file calls query, positive, label, …"),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Label of a pair from which on it is a positive.")
    ] = None,
    negatives: Annotated[
        int, typer.Option("--negatives", min=1, help="How many to draw for a query that has none.")
    ] = 7,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")] = 42,
    conversion: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A run's conversion, as its step writes it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write triplets and labelled pairs (CSV, Parquet, JSON Lines) as query, pos and neg, grouped by query.

    A query without negatives gets positives of other queries, drawn at random; `ftctl data mine` finds
    harder ones. Queries without a positive are left out. OUT appears whole or not at all.

    [bold]Examples[/bold]

    ftctl data convert pairs.csv --to train.jsonl --column passage=answer --threshold 0.7

    ftctl data convert triplets.parquet --to train.jsonl --eval 0.2 --eval-to eval.jsonl
    """
    import json
    import time

    from ftctl.data import conversion as told
    from ftctl.data.asked import dataset_of
    from ftctl.data.convert import How, Source
    from ftctl.data.convert import convert as write
    from ftctl.errors import UsageError
    from ftctl.events import Event
    from ftctl.run.directory import PROGRESS
    from ftctl.view.output import emit
    from ftctl.view.scanning import scanning

    if conversion is not None:
        sources, how = told.read(conversion)
    elif file is None or to is None:
        raise UsageError("FILE or --to is missing", "write `ftctl data convert FILE --to OUT`")
    elif bool(held_out) != (held_out_to is not None):
        raise UsageError("--eval and --eval-to belong together", "give both, or none")
    else:
        sources = (Source(dataset_of(file, form, column or (), threshold), to, held_out_to),)
        how = How(held_out, seed, negatives, prompts=True)
    with scanning() as watch:
        written = write(sources, how, watch)
    record, lines = told.record(sources, how, written), told.lines(sources, how, written)
    if conversion is not None:
        Path("data/converted.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        with Path(PROGRESS).open("a", encoding="utf-8") as progress:
            events = [Event("data", time.time(), {"message": line.strip()}) for line in lines.splitlines()]
            progress.writelines(f"{event.line()}\n" for event in events)
    emit("data convert", record, as_json=as_json, text=lines)
