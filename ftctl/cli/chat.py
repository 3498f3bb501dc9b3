"""`ftctl chat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftctl.deployments.store import Entry


def register(app: typer.Typer) -> None:
    app.command("chat")(chat)


def chat(
    deployment: Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="A running deployment.")],
    message: Annotated[str | None, typer.Argument(help="What to ask; without it a conversation.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Answer the message and end.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="An adapter of the deployment.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="A system message.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="The longest answer, in tokens.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0.0, max=2.0, help="0 is greedy; unset is the model's own."),
    ] = None,
) -> None:
    """Talk to a deployment; answers stream in as they are made.

    Without a terminal the message, or else the whole standard input, is answered once. On a terminal the
    conversation goes on after the message unless --once is given; Ctrl-D ends it.

    [bold]Examples[/bold]

    ftctl chat support-bot

    ftctl chat support-bot --model french

    ftctl chat support-bot "How do I reset my password?" --once --temperature 0

    echo "Summarise: ..." | ftctl chat support-bot
    """
    import sys

    from ftctl.deployments import store, told
    from ftctl.deployments.conversation import converse, reply
    from ftctl.errors import UsageError

    entry = store.get(deployment)
    if entry.deployment.kind != "generate":
        raise UsageError(
            f"{deployment} serves {'vectors' if entry.deployment.kind == 'embed' else 'scores'}, not answers",
            told.how_to_ask(entry.deployment)[0].partition("ask it")[2].strip(),
        )
    state = store.state(entry)
    if state not in store.SERVING:
        raise store.not_serving(entry, state)
    talk = sys.stdin.isatty() and sys.stdout.isatty() and not once
    if message is None and not talk:
        message = sys.stdin.read().strip()
    if message is not None and not message.strip():
        raise UsageError("there is nothing to ask", f"ftctl chat {deployment} 'your question' --once")
    history = [{"role": "system", "content": system}] if system else []
    asked = _model(entry, model)
    ask = _asker(entry, asked, {"max_tokens": max_tokens, "temperature": temperature})
    if message is not None:
        reply(history, message, ask, sys.stdout)
    if talk:
        converse(history, ask, sys.stdout)


def _model(entry: Entry, asked: str | None) -> str:
    """The model to ask. Raises UsageError where the deployment has none of that name."""
    from ftctl.errors import UsageError

    deployment = entry.deployment
    names = (deployment.model, *(deployment.adapters or ()))
    if asked is not None and asked not in names:
        raise UsageError(f"{deployment.name} has no model {asked}", f"it has {', '.join(names)}")
    return asked or deployment.model


def _asker(entry: Entry, model: str, options: dict[str, Any]) -> Callable[..., Any]:
    """A function from messages to the pieces of an answer."""
    from functools import partial

    from ftctl.deployments import client, store

    given = {name: value for name, value in options.items() if value is not None}
    deployment = entry.deployment
    return partial(client.chat, deployment.url, store.key_of(entry), model, **given)
