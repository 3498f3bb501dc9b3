"""`ftctl import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from ftctl.importing.imported import Imported


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The config or script to import.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="JOB",
            help="The job file to write; - prints it (default: NAME.job.yaml).",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="KIND",
            help="llamafactory, flagembedding, lazyllm, alpaca-lora, collie, vllm or lmdeploy "
            "(default: by what is in the file).",
        ),
    ] = None,
    dataset_info: Annotated[
        Path | None,
        typer.Option("--dataset-info", metavar="FILE", help="LLaMA-Factory's dataset_info.json."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", metavar="N", min=0, help="How many GPUs the original trained on.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write the job that another tool's config or command line amounts to.

    LLaMA-Factory's YAML and JSON, FlagEmbedding's commands, LazyLLM's finetune_method dictionaries, the
    arguments of alpaca-lora and Collie, and vllm serve and lmdeploy serve api_server command lines. Every
    argument becomes a key of the job or goes under native; what does not, or is rendered otherwise, is
    named with the reason, here and in the job's comments. Nothing of the original is run.

    [bold]Examples[/bold]

    ftctl import llama3_lora_sft.yaml

    ftctl import train.yaml --output support-bot.yaml --dataset-info data/dataset_info.json --gpus 4

    ftctl import serve.sh --from vllm --output -
    """
    from ftctl.errors import UsageError
    from ftctl.importing.files import around_of, source_of
    from ftctl.importing.imported import convert
    from ftctl.view.output import emit

    printed = output is not None and str(output) == "-"
    job = Path(f"{file.stem}.job.yaml") if output is None or printed else output
    source = source_of(file)
    if job.exists() and not printed and (not force or job.resolve() == file.resolve()):
        raise UsageError(f"{job} is already there", "name another file, or write over it with --force")
    made = convert(
        source,
        around_of(file, job, source, info=dataset_info, gpus=gpus, cwd=Path.cwd()),
        kind=kind,
        file=str(job),
        folder=job.absolute().parent,
    )
    if not printed:
        try:
            job.parent.mkdir(parents=True, exist_ok=True)
            job.write_text(made.text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{job} cannot be written: {error.strerror}", "name another place") from None
    emit(
        "import",
        _data(made, None if printed else job),
        as_json=as_json,
        text=made.text.rstrip("\n") if printed else _text(made, file, job),
    )


def _data(made: Imported, job: Path | None) -> dict[str, object]:
    """What was made, for programs."""
    from ftctl.record import to_record

    return {
        "file": None if job is None else str(job),
        "from": made.kind,
        "title": made.title,
        "job": made.text,
        "checks": list(made.checks),
        "changes": [to_record(change) for change in made.changes],
        "differences": None if made.differences is None else [to_record(d) for d in made.differences],
        "problems": [to_record(fault) for fault in made.problems],
    }


def _text(made: Imported, file: Path, job: Path) -> str:
    """What was made, for people."""
    import shlex

    from ftctl.importing.write import told

    lines = [f"wrote {job} from {file}, {made.title}"]
    if made.checks:
        lines += ["to check:", *(f"  - {check}" for check in made.checks)]
    if made.changes:
        said = dict.fromkeys(told(change) for change in made.changes)
        lines += ["not carried over, or not as it was:", *(f"  - {change}" for change in said)]
    if made.differences is not None:
        unknown = [found.key for found in made.differences if not found.why]
        known = len(made.differences) - len(unknown)
        lines.append(f"rendered again: {known} keys differ from the original, each named above")
        lines += [f"  - {key} differs without a reason that ftctl knows" for key in unknown]
    if made.problems:
        lines.append(f"this version of ftctl does not run the job yet: {made.problems[0].message}")
    lines.append(f"check it with: ftctl validate {shlex.quote(str(job))}")
    return "\n".join(lines)
