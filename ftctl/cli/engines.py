"""`ftctl engines`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftctl.cli.options import Json

if TYPE_CHECKING:
    from ftctl.engines.inventory import Entry

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="llamafactory, flagembedding, vllm, lmdeploy, judge or lm-eval.")
]
MaybeName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One engine; without it, all.")]
Which = Annotated[
    str | None,
    typer.Option("--variant", help="cpu or cuda; without it, cuda where NVIDIA's driver is loaded."),
]

With = Annotated[
    str, typer.Option("--with", metavar="TRACKERS", help="Trackers beside the engine, as tensorboard,mlflow.")
]
OnlyTrackers = Annotated[
    bool, typer.Option("--trackers", help="Only the lock of the trackers; the engine's stays as it is.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Engine environments: list, install, check and remove.")
    group.command("list")(list_engines)
    group.command("install")(install)
    group.command("doctor")(doctor)
    group.command("remove")(remove)
    group.command("path")(path)
    group.command("lock")(lock)
    app.add_typer(group, name="engines")


def list_engines(as_json: Json = False) -> None:
    """List the engines, their locked versions, and which are installed.

    [bold]Examples[/bold]

    ftctl engines list

    ftctl engines list --json
    """
    import dataclasses
    import os

    from ftctl.engines.inventory import entries
    from ftctl.view.output import emit, table

    found = entries(os.environ)
    rows = [
        (
            entry.engine,
            entry.variant,
            entry.locked or "",
            _state(entry),
        )
        for entry in found
    ]
    data = {"engines": [dataclasses.asdict(entry) for entry in found]}
    emit("engines list", data, as_json=as_json, text=table(("engine", "variant", "version", "state"), rows))


def _state(entry: Entry) -> str:
    """Whether an environment is there, by its folder's name: `ftctl engines path` prints the whole path."""
    state = f"installed as {entry.folder.name}" if entry.version else "not installed"
    state += f", {len(entry.layers)} with trackers" if entry.layers else ""
    return f"{state}, {len(entry.outdated)} outdated" if entry.outdated else state


def install(name: Name, variant: Which = None, trackers: With = "", as_json: Json = False) -> None:
    """Install an engine in an environment of its own, from its hash-checked lock.

    With --with also a layer over it that has these trackers, as `train.report_to` asks for them.

    [bold]Examples[/bold]

    ftctl engines install llamafactory

    ftctl engines install vllm --variant cpu

    ftctl engines install llamafactory --with tensorboard,mlflow
    """
    from ftctl.engines.install import ensure
    from ftctl.engines.inventory import default_variant
    from ftctl.engines.table import find
    from ftctl.engines.trackers import trackers_named
    from ftctl.view.installing import installing
    from ftctl.view.output import emit

    engine, chosen, wanted = find(name), variant or default_variant(find(name)), trackers_named(trackers)
    with installing() as (report, watch):
        facts = ensure(name, chosen, install=True, report=report, watch=watch, trackers=wanted)
    data = {"engine": name, "variant": facts.variant, "version": facts.version, "python": facts.python}
    text = f"{engine.title} {facts.version} ({facts.variant}): {facts.python}"
    emit("engines install", data, as_json=as_json, text=text)


def doctor(name: MaybeName = None, as_json: Json = False) -> None:
    """Import every installed engine for real and say what it answers.

    [bold]Examples[/bold]

    ftctl engines doctor

    ftctl engines doctor vllm
    """
    import dataclasses
    import os

    from ftctl.engines.diagnosis import diagnose
    from ftctl.errors import FtctlError, Missing
    from ftctl.view.output import emit, table

    found = diagnose(name, os.environ)
    if not found:
        raise Missing(
            "no engine is installed" if name is None else f"{name} is not installed",
            f"install one with `ftctl engines install {name or 'NAME'}`",
        )
    rows = [
        (
            f"{one.engine} ({one.variant})",
            one.version or "",
            one.torch or "",
            one.python or "",
            f"{one.bytes / 2**30:.2f} GiB",
            one.problem or "healthy",
        )
        for one in found
    ]
    data = {"engines": [dataclasses.asdict(one) for one in found]}
    columns = ("engine", "version", "torch", "python", "size", "state")
    exit_code = FtctlError.exit_code if any(one.problem for one in found) else 0
    emit("engines doctor", data, as_json=as_json, text=table(columns, rows), exit_code=exit_code)
    if exit_code:
        raise typer.Exit(exit_code)


def remove(name: Name, variant: Which = None, as_json: Json = False) -> None:
    """Remove an engine's environments: those of every variant unless one is named.

    [bold]Examples[/bold]

    ftctl engines remove vllm

    ftctl engines remove llamafactory --variant cuda
    """
    import os

    from ftctl.engines.inventory import remove_engine
    from ftctl.engines.table import find
    from ftctl.view.output import emit

    gone = remove_engine(find(name), variant, os.environ)
    text = "\n".join(f"removed {folder}" for folder in gone)
    emit("engines remove", {"removed": gone}, as_json=as_json, text=text)


def path(name: Name, variant: Which = None, trackers: With = "", as_json: Json = False) -> None:
    """Print the path of an engine's interpreter, as ftctl would use it.

    [bold]Examples[/bold]

    ftctl engines path llamafactory

    $(ftctl engines path vllm) -c "import vllm"
    """
    import os

    from ftctl.engines.inventory import default_variant
    from ftctl.engines.locate import locate
    from ftctl.engines.table import find
    from ftctl.engines.trackers import trackers_named
    from ftctl.errors import Missing
    from ftctl.view.output import emit

    engine, chosen, wanted = find(name), variant or default_variant(find(name)), trackers_named(trackers)
    facts = locate(name, chosen, python=None, environ=os.environ, trackers=wanted)
    if not facts.installed:
        more = f" --with {','.join(wanted)}" if wanted else ""
        raise Missing(
            f"{engine.title} ({facts.variant}){more and ' with trackers'} is not installed",
            f"install it with `ftctl engines install {name} --variant {facts.variant}{more}`",
        )
    data = {"engine": name, "variant": facts.variant, "python": facts.python}
    emit("engines path", data, as_json=as_json, text=str(facts.python))


def lock(
    name: Name, variant: Which = None, only_trackers: OnlyTrackers = False, as_json: Json = False
) -> None:
    """Resolve an engine's requirements anew and write its lock files (in a checkout of ftctl).

    The trackers of an engine that trains have a lock of their own, which moves no version of the engine's.

    [bold]Examples[/bold]

    ftctl engines lock llamafactory

    ftctl engines lock vllm --variant cpu
    """
    import os

    from ftctl.engines.compile import compile_lock
    from ftctl.engines.compile_trackers import compile_trackers
    from ftctl.engines.lock import locks_dir, read_recipe
    from ftctl.engines.table import find, variants_of
    from ftctl.view.output import emit

    engine, made, locks = find(name), [], locks_dir()
    for one in variants_of(engine, variant):
        if not only_trackers:
            made.append(compile_lock(engine, one, locks, os.environ))
        if engine.trains:
            made.append(compile_trackers(read_recipe(engine, one, locks), locks, os.environ))
    emit("engines lock", {"locks": made}, as_json=as_json, text="\n".join(f"wrote {one}" for one in made))
