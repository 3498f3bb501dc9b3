"""The table of verbs, in the order in which `--help` lists them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import typer

# Each verb is the module of its name; what `ftctl import` does cannot be called `import` in Python.
VERBS = (
    "init",
    "validate",
    "plan",
    "render",
    "train",
    "resume",
    "watch",
    "runs",
    "compare",
    "rerun",
    "rm",
    "deploy",
    "ps",
    "logs",
    "stop",
    "chat",
    "evaluate",
    "export",
    "report",
    "plot",
    "data",
    "import",
    "schema",
    "engines",
    "doctor",
    "version",
)
MODULES = {"import": "import_"}


def build(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command line with these verbs. One that is asked for by its name needs no other beside it."""
    app = typer.Typer(
        name="ftctl",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    for verb in verbs:
        import_module(f"ftctl.cli.{MODULES.get(verb, verb)}").register(app)
    return app


def root() -> None:
    """One YAML job file to a fine-tuned, checked, served and judged model."""
