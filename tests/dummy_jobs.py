"""A job that the dummy trains, and how its server is asked."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from ftctl.job.load import load
from ftctl.plan.model import Plan
from ftctl.prepare import prepare
from ftctl.run.directory import RunDir
from tests.conftest import DEMO, Answer, Cli


def with_job(cli: Cli) -> Cli:
    (cli.cwd / "rows.jsonl").write_bytes((DEMO / "ftctl-qa.jsonl").read_bytes())
    (cli.cwd / "job.yaml").write_text(
        "name: tested\nmodel: any/model\ndata: {train: rows.jsonl}\n"
        "train: {engine: dummy, method: full, epochs: 1, batch_size: 8}\n"
    )
    return cli


def train(cli: Cli, *settings: str, code: int = 0) -> Answer:
    return cli("train", "job.yaml", *(word for one in settings for word in ("--set", one)), code=code)


def only_run(cli: Cli) -> RunDir:
    (path,) = (cli.cwd / "runs" / "tested").iterdir()
    return RunDir(path)


def state_of(cli: Cli, name: str) -> str:
    rows = {one["name"]: one["state"] for one in cli("ps", "--all", "--json", code=0).data["deployments"]}
    return str(rows[name])


def ask(url: str, path: str, key: str | None, body: Any = None) -> tuple[int, Any, str]:
    """The status, the answer (JSON where it is) and the header that says dummy."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    sent = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, sent, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    kind = answer.headers["Content-Type"]
    return (
        answer.status,
        json.loads(text) if kind == "application/json" else text,
        answer.headers["X-Ftctl-Dummy"],
    )


def planned(cli: Cli, file: str, *settings: str) -> Plan:
    return prepare(load(cli.cwd / file, settings), environ=cli.environment)
