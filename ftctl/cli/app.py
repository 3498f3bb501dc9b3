"""The table of verbs."""

from __future__ import annotations

import typer

from ftctl.cli import (
    chat,
    deploy,
    doctor,
    engines,
    init,
    logs,
    plan,
    ps,
    render,
    runs,
    schema,
    stop,
    train,
    validate,
    version,
)

app = typer.Typer(
    name="ftctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """One YAML job file to a fine-tuned, checked, served and judged model."""


for verb in (
    init,
    validate,
    plan,
    render,
    train,
    runs,
    deploy,
    ps,
    logs,
    stop,
    chat,
    engines,
    schema,
    doctor,
    version,
):
    verb.register(app)
