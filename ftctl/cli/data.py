"""`ftctl data check`, `stats` and `split`; `convert` and `mine` have modules of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ftctl.cli.options import Json

Files = Annotated[
    list[Path], typer.Argument(metavar="JOB|FILE…", help="A job file, or data files.", show_default=False)
]
Model = Annotated[
    Path | None, typer.Option("--model", metavar="DIR", help="Folder of the model whose tokenizer counts.")
]
MaxLength = Annotated[
    int | None, typer.Option("--max-length", min=1, help="Tokens above which a row would be cut.")
]


def register(app: typer.Typer) -> None:
    from ftctl.cli.data_convert import convert
    from ftctl.cli.data_mine import mine

    about = "Look at data files alone: check, measure, split and convert them, and mine negatives."
    group = typer.Typer(no_args_is_help=True, help=about)
    group.command("check")(check)
    group.command("stats")(stats)
    group.command("split")(split)
    group.command("convert")(convert)
    group.command("mine")(mine)
    app.add_typer(group, name="data")


def check(files: Files, as_json: Json = False) -> None:
    """Read data files whole, and name every row that could not be trained on.

    JSON, JSON Lines, CSV, Parquet and text. Rows that repeat or were decoded wrongly are warnings; rows to
    evaluate on that a job trains on too, the same or nearly, are what its data.overlap says. Exit code 0:
    every row is good; 2: some are not.

    [bold]Examples[/bold]

    ftctl data check data/train.jsonl

    ftctl data check job.yaml --json
    """
    from ftctl.data.asked import asked
    from ftctl.data.look import look
    from ftctl.data.shown import check_lines, records
    from ftctl.errors import JobError
    from ftctl.view.output import emit
    from ftctl.view.scanning import scanning
    from ftctl.view.warnings import warn

    with scanning() as watch:
        report = look(asked(files), watch=watch)
    warn(report.warnings)
    if report.problems:
        raise JobError(report.problems)
    emit("data check", records(report), as_json=as_json, text=check_lines(report))


def stats(files: Files, model: Model = None, max_length: MaxLength = None, as_json: Json = False) -> None:
    """Show rows, turns, characters, repeated rows, lengths in tokens and the share that is cut.

    Tokens are counted by the model's own tokenizer, without what its chat template adds; of a file over
    32 MB a random sample of rows is counted, and the table says so.

    [bold]Examples[/bold]

    ftctl data stats job.yaml

    ftctl data stats data/train.jsonl --model models/base --max-length 2048 --json
    """
    from dataclasses import replace

    from ftctl.data.asked import asked
    from ftctl.data.look import look
    from ftctl.data.shown import records, stats_rows
    from ftctl.errors import JobError
    from ftctl.view.output import emit, table
    from ftctl.view.scanning import scanning
    from ftctl.view.warnings import warn

    wanted = asked(files)
    policy = "allow" if wanted.overlap == "allow" else "warn"  # to measure rows is not to judge them
    length = max_length or wanted.max_length
    wanted = replace(wanted, model=model or wanted.model, max_length=length, overlap=policy)
    with scanning() as watch:
        report = look(wanted, watch=watch, lengths=True)
    warn(report.warnings)
    if report.problems:
        raise JobError(report.problems)
    text = table(("file", *[file.path.name for file in report.files]), stats_rows(report))
    emit("data stats", records(report), as_json=as_json, text=text)


def split(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Data files.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="A folder that is not there yet.")
    ] = None,
    ratios: Annotated[str, typer.Option("--ratios", help="Shares of train, eval and test.")] = "80/10/10",
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same parts.")] = 42,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Split each value of a column alike.")
    ] = None,
    asked: Annotated[Path | None, typer.Option("--from", metavar="FILE", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Split files into train, eval and test, each file and each value of a column by the same ratios.

    Rows keep their order. The parts are JSON Lines; the folder appears whole or not at all, and one that
    is there already is left alone.

    [bold]Examples[/bold]

    ftctl data split data/all.jsonl --output data/parts

    ftctl data split a.jsonl b.csv --ratios 90/10 --seed 7 --by source -o parts
    """
    from ftctl.data.split import ratios_of
    from ftctl.data.split import split as write
    from ftctl.errors import UsageError
    from ftctl.view.output import emit

    if asked is not None:
        _part(asked)
        return
    if not files or output is None:
        raise UsageError("FILE or --output is missing", "write `ftctl data split FILE --output DIR`")
    counts = write(files, ratios_of(ratios), seed, output, by=by)
    text = "\n".join(f"{path}: {rows} rows" for path, rows in counts.items())
    parts = [{"file": str(path), "rows": rows} for path, rows in counts.items()]
    emit("data split", {"parts": parts, "seed": seed}, as_json=as_json, text=text)


def _part(file: Path) -> None:
    """A run's step: hold rows out as `file` says, and leave a record and an event of it."""
    import json
    import time

    from ftctl.data.part import lines, read, write
    from ftctl.events import Event
    from ftctl.run.directory import PROGRESS

    record = write(read(file), Path())
    Path("data/split.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    with Path(PROGRESS).open("a", encoding="utf-8") as progress:
        events = [Event("data", time.time(), {"message": line}) for line in lines(record)]
        progress.writelines(f"{event.line()}\n" for event in events)
