"""Every command's help is there, its examples parse, and docs/commands.md is current."""

from __future__ import annotations

import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import ROOT, Cli
from tests.docs.commands import Command, page, tree

COMMANDS = tree()
EXAMPLES = [(command, example) for command in COMMANDS for example in command.examples
            if example.startswith("ftctl ")]  # fmt: skip


def test_the_help_of_every_command_is_shown(ftctl: Cli) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda command: ftctl(*command.words[1:], "--help"), COMMANDS))
    for command, answer in zip(COMMANDS, answers, strict=True):
        assert answer.code == 0, answer.err
        assert answer.err == ""
        assert " ".join(("Usage:", *command.words)) in answer.out
        assert re.sub(r"\W", "", command.paragraphs[0][:40]) in re.sub(r"\W", "", answer.out)


@pytest.mark.parametrize("command", COMMANDS[1:], ids=lambda command: " ".join(command.words))
def test_every_command_says_what_it_does_and_gives_examples(command: Command) -> None:
    assert command.paragraphs
    if not command.is_group:
        assert command.examples
        assert all(" ".join(command.words) in example for example in command.examples)


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES])
def test_an_example_parses(example: str) -> None:
    words = shlex.split(example, comments=True)
    known: Any = COMMANDS[0].known
    context = known.make_context(words[0], words[1:])
    while hasattr(known, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest and known.invoke_without_command:
            break
        name, known, rest = known.resolve_command(context, rest)
        context = known.make_context(name, rest, parent=context)


def test_the_page_of_commands_is_current() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == page(), "write it again: make docs"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_be_completed(ftctl: Cli, shell: str) -> None:
    script = ftctl(env={"_FTCTL_COMPLETE": f"source_{shell}"})
    assert script.code == 0, script.err
    assert "_FTCTL_COMPLETE=complete_" in script.out
    answer = ftctl(env=completing(shell))
    assert answer.code == 0, answer.err
    assert "version" in answer.out


def completing(shell: str) -> dict[str, str]:
    """The environment in which the shell asks what may follow `ftctl ver`."""
    asked = {"bash": {"COMP_WORDS": "ftctl ver", "COMP_CWORD": "1"}}
    return {
        "_FTCTL_COMPLETE": f"complete_{shell}",
        **asked.get(shell, {"_TYPER_COMPLETE_ARGS": "ftctl ver", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    }


def test_an_unknown_command_is_a_usage_error(ftctl: Cli) -> None:
    answer = ftctl("trian")
    assert answer.code == 2
    assert answer.out == ""
    assert "trian" in answer.err
