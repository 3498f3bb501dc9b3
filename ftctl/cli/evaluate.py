"""`ftctl evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftctl.cli.options import Json, NoInstall, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DEPLOYMENT|JOB", help="A run, a deployment, a job file or a model's folder."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Other questions than those of the job.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="NAME,NAME", help="Other metrics than those of the job."),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", metavar="NAME,FOLDER/", help="Tasks of lm-evaluation-harness, asked too."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Ask only the first so many.")] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="base|RUN", help="Beside the base model, or another run."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override one key of the evaluate block; repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to keep it; default: in the run."),
    ] = None,
    no_install: NoInstall = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Ask a served model a file of questions, and measure its answers.

    A run is asked through its deployment where that is running, else it is served for as long as it is
    asked. A job file stands for its newest run; a job that only serves, for its model. What is asked and
    measured is said by the evaluate block, and options replace parts of it.

    Ended early or killed, it goes on where it was when it is called again: only what has no answer yet is
    asked. A question that gets no answer counts as the worst; where more than evaluate.max_errors of them get
    none, the exit code is 1. It is 3 where the gate is not met, which is held where all is asked as the job
    asks it.

    [bold]Examples[/bold]

    ftctl evaluate support-bot

    ftctl evaluate job.yaml --limit 50 --set sampling.max_tokens=64

    ftctl evaluate support-bot --data questions.jsonl --metrics exact_match --json

    ftctl evaluate support-bot --compare base
    """
    import json

    from ftctl.errors import GateNotMet, Interrupted
    from ftctl.judge.evaluate_run import summary
    from ftctl.judge.evaluate_subject import evaluate as work
    from ftctl.judge.evaluate_subject import held
    from ftctl.judge.subject import subject_of
    from ftctl.view.evaluated import evaluated
    from ftctl.view.gated import gated
    from ftctl.view.output import emit, say
    from ftctl.view.stages import in_stages

    asked = list(overrides or ())
    if data is not None:
        asked.append(f"data={json.dumps(str(data.expanduser().absolute()))}")
    if metrics is not None:
        asked.append(f"metrics={json.dumps([name.strip() for name in metrics.split(',')])}")
    if tasks is not None:
        asked.append(f"tasks={json.dumps([name.strip() for name in tasks.split(',')])}")
    if compare is not None:
        asked.append(f"compare={json.dumps(compare)}")
    subject = subject_of(target, asked, limit=limit, output=output and output.absolute())
    words = {"tuned": f"asking {subject.name}", "base": "asking the base model"}
    try:
        with in_stages(words) as stages:
            other = work(subject, install=not no_install, wait=wait, tell=_teller(stages), say=say)
    except KeyboardInterrupt:
        raise Interrupted("ended early; the answers so far are kept", "the same command goes on") from None
    found = held(subject)
    told: dict[str, Any] = {
        "target": target,
        "folder": str(subject.place),
        **summary(subject.place, other),
        **({} if found is None else {"verdict": found.record}),
    }
    shown = [evaluated(subject.place, other, compare or "base")]
    shown += [] if found is None else [gated(found)]
    text = "\n".join([*shown, f"  answers and figures: {subject.place}"])
    code = 0 if found is None or found.met else GateNotMet.exit_code
    emit("evaluate", told, as_json=as_json, text=text, exit_code=code)
    raise typer.Exit(code)


def _teller(stages: Callable[[str, int, int], None]) -> Callable[[str, Mapping[str, Any]], None]:
    """Shows how far the questions of a model are."""

    def tell(model: str, said: Mapping[str, Any]) -> None:
        if "done" in said:
            stages(model, said["done"], said["total"])

    return tell
