"""`ftctl schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from ftctl.cli.options import Json, NoInstall

Name = Annotated[str, typer.Argument(metavar="ENGINE", help="llamafactory, flagembedding, vllm or lmdeploy.")]
MaybeName = Annotated[
    str | None, typer.Argument(metavar="[ENGINE]", help="An engine, or job: the job file's own keys.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Every key of the job file and of the engines, explained.")
    # A key may be written as the flag that it is: `ftctl schema show vllm --max-model-len`.
    group.command("show", context_settings={"ignore_unknown_options": True})(show)
    group.command("path")(path)
    group.command("sync")(sync)
    app.add_typer(group, name="schema")


def show(
    engine: MaybeName = None,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="One key; without it, all.")] = None,
    as_json: Json = False,
) -> None:
    """Explain a key: its type, default, choices and meaning. Without a key, list them.

    [bold]Examples[/bold]

    ftctl schema show

    ftctl schema show llamafactory neftune_noise_alpha

    ftctl schema show vllm --max-model-len

    ftctl schema show train.learning_rate
    """
    import json

    from ftctl.engine_schema import show as words
    from ftctl.engine_schema.files import JOB, schema_path
    from ftctl.engine_schema.table import DESCRIBED
    from ftctl.job.load import job_schema
    from ftctl.job.suggest import nearest
    from ftctl.view.output import emit, table

    if engine is None:
        schemas = {name: json.loads(schema_path(name).read_bytes()) for name in (JOB, *DESCRIBED)}
        listed = [(name, one["title"], DESCRIBED[name].kind if name in DESCRIBED else "every job")
                  for name, one in schemas.items()]  # fmt: skip
        data = {"schemas": [{"name": name, "title": title, "kind": kind} for name, title, kind in listed]}
        emit("schema show", data, as_json=as_json, text=table(("name", "of", "for"), listed))
        return
    if key is None and engine not in (JOB, *DESCRIBED) and not nearest(engine, (JOB, *DESCRIBED)):
        engine, key = JOB, engine  # a key of the job, by itself
    schema = job_schema() if engine == JOB else json.loads(schema_path(engine).read_bytes())
    keys = words.job_keys(schema) if engine == JOB else schema["properties"]
    if key is None:
        rows = [(name, words.kind(one), words.default(one), words.first_sentence(one))
                for name, one in sorted(keys.items())]  # fmt: skip
        text = table(("key", "takes", "default", "meaning"), rows)
        emit("schema show", {"schema": engine, "keys": keys}, as_json=as_json, text=text)
        return
    if engine == JOB:
        name, found = words.find_key(schema, key)
    else:
        name, found = words.find_argument(engine, schema, job_schema(), key)
    emit("schema show", {"schema": engine, "key": name, **found}, as_json=as_json,
         text=words.explained(name, found))  # fmt: skip


def path(engine: MaybeName = None, as_json: Json = False) -> None:
    """Print where a schema's file is, for an editor: the job file's, or an engine's.

    [bold]Examples[/bold]

    ftctl schema path

    ftctl schema path vllm
    """
    from ftctl.engine_schema.files import JOB, schema_path
    from ftctl.view.output import emit

    file = schema_path(engine or JOB)
    emit("schema path", {"schema": engine or JOB, "path": file}, as_json=as_json, text=str(file))


def sync(
    engine: Name,
    variant: Annotated[
        str | None, typer.Option("--variant", help="cpu or cuda; without it, the first that the engine has.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 where the file would change.")
    ] = False,
    no_install: NoInstall = False,
    as_json: Json = False,
) -> None:
    """Read an engine's own argument definitions, in its environment, and write its schema.

    [bold]Examples[/bold]

    ftctl schema sync llamafactory

    ftctl schema sync vllm --variant cpu --check
    """
    import os

    from ftctl.engine_schema.build import text
    from ftctl.engine_schema.files import schema_path
    from ftctl.engine_schema.sync import read_schema
    from ftctl.engines.table import find
    from ftctl.errors import FtctlError
    from ftctl.view.installing import ready_engine
    from ftctl.view.output import emit

    # Which variant is read must not depend on the machine: the files are part of the project.
    chosen = variant or find(engine).variants[0].name
    file = schema_path(engine)
    made = read_schema(ready_engine(engine, chosen, install=not no_install), chosen, os.environ)
    changed = not file.is_file() or file.read_text(encoding="utf-8") != text(made)
    if check and changed:
        raise FtctlError(f"{file} is not what {made['title']} says", f"run `ftctl schema sync {engine}`")
    if changed:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(made), encoding="utf-8")
    count = len(made["properties"])
    said = f"{file}: {made['title']}, {count} arguments, {'written' if changed else 'unchanged'}"
    data = {"engine": engine, "variant": chosen, "path": file, "arguments": count, "changed": changed}
    emit("schema sync", data, as_json=as_json, text=said)
