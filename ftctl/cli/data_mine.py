"""`ftctl data mine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ftctl.cli.options import Json, NoInstall


def mine(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Queries with positives.", show_default=False)],
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="An embedder: a folder, a run, or a Hub id.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Default: FILE with the ending .mined.jsonl."),
    ] = None,
    negatives: Annotated[int, typer.Option("--negatives", min=1, help="How many to add to each row.")] = 7,
    ranks: Annotated[
        str, typer.Option("--range", metavar="FROM:TO", help="Ranks to take them from, such as 10:100.")
    ] = "0:",
    margin: Annotated[
        float | None, typer.Option("--margin", help="Cosine by which a negative is below the positive.")
    ] = None,
    relative_margin: Annotated[
        float, typer.Option("--relative-margin", min=0, help="The same as a share of the positive's score.")
    ] = 0.05,
    max_score: Annotated[
        float | None, typer.Option("--max-score", help="Highest cosine of a negative to the query.")
    ] = None,
    min_score: Annotated[float | None, typer.Option("--min-score", help="Lowest cosine of one.")] = None,
    sampling: Annotated[
        Literal["top", "random"], typer.Option("--sampling", help="The hardest, or some at random.")
    ] = "top",
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", metavar="FILE", help="Passages to search; default: those of FILE."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop the negatives that rows have.")] = False,
    query_instruction: Annotated[
        str | None,
        typer.Option("--query-instruction", help="Put before queries; default: as the model says."),
    ] = None,
    pooling: Annotated[
        Literal["cls", "mean", "last_token"] | None,
        typer.Option("--pooling", help="For a folder without modules.json.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same negatives.")] = 42,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Texts embedded at once.")] = 32,
    no_install: NoInstall = False,
    as_json: Json = False,
) -> None:
    """Find hard negatives for each query with an embedder, and write the rows with them.

    Nearest passages that are no positive of the query, by sentence-transformers' own mining. FILE is
    query/pos/neg, triplets or labelled pairs. Existing negatives stay in front. A row that ends with no
    negative at all is left out and counted. OUT appears whole or not at all.

    [bold]Examples[/bold]

    ftctl data mine train.jsonl --model models/minilm --out mined.jsonl

    ftctl data mine pairs.csv --model my-run --range 10:100 --sampling random --corpus passages.txt
    """
    from ftctl.data.embedder import embedder_of, python_of_environment
    from ftctl.data.mine import Mining, range_of
    from ftctl.data.mine import mine as work
    from ftctl.job.model import Dataset
    from ftctl.record import to_record
    from ftctl.view.output import emit
    from ftctl.view.scanning import scanning
    from ftctl.view.stages import MINING, in_stages

    low, high = range_of(ranks)
    mining = Mining(
        negatives, low, high, max_score, min_score, margin, relative_margin or None, sampling, seed,
        batch_size, query_instruction, pooling, replace,
    )  # fmt: skip
    to = out or file.with_suffix(".mined.jsonl")
    embedder = embedder_of(model, pooling=pooling, python=python_of_environment(install=not no_install))
    with scanning() as watch, in_stages(MINING) as tell:
        found = work(Dataset(file), embedder, mining, to, corpus=corpus, watch=watch, tell=tell)
    said = [f"{to}: {found.rows} rows, {found.mined} negatives added"]
    if found.short:
        said.append(f"  {found.short} rows got fewer than {negatives}: widen --range or lower the margin")
    if found.without:
        said.append(f"  {found.without} rows without any negative left out")
    data = {"out": str(to), "model": embedder.path, **to_record(mining), **to_record(found)}
    emit("data mine", data, as_json=as_json, text="\n".join(said))
