"""`ftctl deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json, NoInstall, Wait

if TYPE_CHECKING:
    from collections.abc import Mapping


def register(app: typer.Typer) -> None:
    app.command("deploy")(deploy)


def deploy(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL_DIR|JOB",
            help="A run, a model or adapter folder, or a job file; with --attach, --detach-adapter and "
            "--print a deployment.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="The deployment's name, and the model's.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: a free one.")] = None,
    engine_python: Annotated[
        Path | None, typer.Option("--engine-python", metavar="PYTHON", help="An interpreter with vLLM.")
    ] = None,
    restart: Annotated[
        str | None,
        typer.Option("--restart", metavar="never|on-failure|always", help="Default: on-failure."),
    ] = None,
    replaced: Annotated[
        str | None,
        typer.Option("--replace", metavar="NAME", help="Take over the address of a running deployment."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the deploy block; repeatable."),
    ] = None,
    attached: Annotated[
        list[str] | None,
        typer.Option("--attach", metavar="NAME=RUN", help="Give a running server an adapter; repeatable."),
    ] = None,
    detached: Annotated[
        list[str] | None,
        typer.Option("--detach-adapter", metavar="NAME", help="Take an adapter from a running server."),
    ] = None,
    shown: Annotated[
        str | None,
        typer.Option(
            "--print", metavar="FORM", help="Show how to ask it: curl, python, openai or open-webui."
        ),
    ] = None,
    no_install: NoInstall = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Serve a trained model: an OpenAI-compatible server on this machine, with a key.

    Returns when the server answers; it goes on running until ftctl stop. A keeper watches it and starts it
    again when it ends or hangs; with --restart always it also comes back after a reboot. An embedder
    answers on /v1/embeddings and a reranker on /rerank and /score. What was trained is compared with the
    server: a language model by the tokens of conversations, the others by their answers. One that differs is
    stopped, unless deploy.parity is warn.

    With --print nothing is started: TARGET is a deployment, and what is printed asks it.

    With --attach and --detach-adapter nothing is started either: TARGET is a deployment with room for
    adapters (deploy.adapters), and each adapter becomes a model of its own in the running server's API.

    With --replace TARGET takes over the address and the key of a deployment that has deploy.proxy or several
    deploy.replicas: its servers start beside the old ones, are checked, and must answer the prompts of
    deploy.canary; then they are asked instead, and the old ones finish what they have in hand and end. No
    request is lost, and where anything fails the old ones serve on. So they do where the gate of the run's
    job (evaluate.gate) is not met, which ends with exit code 3: the verdict is the one that the run has
    recorded, or is made anew by asking the new server.

    [bold]Examples[/bold]

    ftctl deploy support-bot

    ftctl deploy runs/support-bot/20260101-120000-abcd --port 8000

    ftctl deploy ./my-model --name mine --set max_length=2048

    ftctl deploy support-bot --restart always

    ftctl deploy job.yaml --json

    ftctl deploy runs/support-bot/20260202-120000-beef --replace support-bot

    ftctl deploy support-bot --print curl

    ftctl deploy support-bot --attach french=runs/french/20260101-120000-abcd
    """
    import os
    from dataclasses import replace

    from ftctl.cli.deployed import change, show, useless
    from ftctl.deployments import told
    from ftctl.deployments.behind import serve
    from ftctl.deployments.checks import check_deploy, chosen_port
    from ftctl.deployments.made_sure import made_sure
    from ftctl.deployments.replace import check_replaceable, replace_servers
    from ftctl.deployments.target import target_of
    from ftctl.job.model import Deploy
    from ftctl.judge.at_switch import gate_of
    from ftctl.view.output import emit

    starting = {
        "--name": name,
        "--port": port,
        "--engine-python": engine_python,
        "--restart": restart,
        "--replace": replaced,
        "--set": overrides,
        "--no-install": no_install,
        "--wait": wait,
    }
    if shown is not None:
        useless("--print", {**starting, "--attach": attached, "--detach-adapter": detached})
        show(target, shown, as_json=as_json)
        return
    if attached or detached:
        useless("--attach" if attached else "--detach-adapter", starting)
        change(target, attached or (), detached or (), as_json=as_json)
        return
    if replaced is not None:
        _check_unplaced(replaced, name, port)
        check_replaceable(replaced)
        name = replaced
    if port is not None:
        chosen_port(Deploy(port=port))
    asked = (*(overrides or ()), *([f"restart={restart}"] if restart else ()))
    found = target_of(target, asked)
    block = replace(
        found.deploy,
        name=name or found.name,
        port=port if port is not None else found.deploy.port,
        engine_python=engine_python or found.deploy.engine_python,
    )
    found = replace(found, deploy=block, name=name or found.name)
    say = _silent if as_json else _tell
    if replaced is None:
        check_deploy(block, found.name, os.environ)
        facts = made_sure(found, install=not no_install, wait=wait)
        deployment = serve(**facts, emit=say)
    else:
        gate = gate_of(found, replaced)
        facts = made_sure(found, install=not no_install, wait=wait)
        leases = [facts.pop("lease")]
        lend = facts.pop("lend")
        facts["lend"] = lambda member: leases.pop() if leases else lend(member)
        deployment = replace_servers(**facts, emit=say, gate=gate)
    data = {
        "name": deployment.name,
        "url": deployment.url,
        "model": deployment.model,
        "engine": deployment.engine,
        "key_file": f"{deployment.folder}/key",
        "log": f"{deployment.folder}/server.log",
        "pid": deployment.process.pid,
        **told.how_asked(deployment),
    }
    emit("deploy", data, as_json=as_json, text="" if as_json else told.describe(deployment.name))


def _check_unplaced(replaced: str, name: str | None, port: int | None) -> None:
    """Raises UsageError where another place is asked for than that of the deployment that is replaced."""
    from ftctl.errors import UsageError

    if port is not None or name not in (None, replaced):
        raise UsageError(f"{replaced} keeps its name and its port", "leave --name and --port away")


def _tell(kind: str, data: Mapping[str, object]) -> None:
    from ftctl.view.output import say

    say(f"{data['name']}: {data['detail']} ({data['elapsed']} s)")


def _silent(kind: str, data: Mapping[str, object]) -> None:
    """With --json only the result is printed."""
