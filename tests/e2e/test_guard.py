"""The key is needed on every route of a real vLLM server but /health."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ftctl.deployments import client
from ftctl.process import session_members
from tests.e2e.asking import routes, status
from tests.e2e.conftest import Served

pytestmark = pytest.mark.engine

# Beside what the server lists: paths that it does not have, or writes differently.
MORE = [
    ("GET", "/"),
    ("GET", "/no-such-route"),
    ("GET", "/health/"),
    ("GET", "//health"),
    ("POST", "/health"),
    ("OPTIONS", "/v1/models"),
    ("GET", "/v1/../metrics"),
    ("GET", "/health/../metrics"),
    ("GET", "/%6detrics"),
    ("GET", "/metrics?path=/health"),
]


def test_no_route_but_health_answers_without_the_key(served: Served) -> None:
    _, page = client.request(served.url, "/openapi.json", key=served.key)
    found = routes(served.log, json.loads(page))
    every = sorted({*found, *MORE})
    paths = {path for _, path in every}
    assert {"/invocations", "/tokenize", "/detokenize", "/metrics", "/v1/chat/completions", "/docs"} <= paths
    assert len(every) > 35
    open_ = [(method, path) for method, path in every if status(served.url, method, path) != 401]
    assert open_ == [("GET", "/health")]
    wrong = [(method, path) for method, path in every if status(served.url, method, path, "wrong") != 401]
    assert wrong == [("GET", "/health")]
    told = len(re.findall(r"Route: \S+, (?:Methods|Endpoint): ", served.log))
    assert told == served.log.count("Route: ") > 20  # none is left out
    # A refused handshake is a 403; where there is no library of web sockets it is an ordinary request.
    asked = {*paths - {"/health"}, "/v1/realtime"}
    assert {status(served.url, "GET", path, socket=True) for path in asked} <= {401, 403}


def test_the_key_opens_them(served: Served) -> None:
    for path in ("/v1/models", "/metrics", "/version", "/docs"):
        assert status(served.url, "GET", path, served.key) == 200
    assert status(served.url, "POST", "/tokenize", served.key) == 400
    assert status(served.url, "GET", "/no-such-route", served.key) == 404


def test_a_refusal_has_openais_form(served: Served) -> None:
    code, answer = client.request(served.url, "/v1/models")
    assert code == 401
    assert json.loads(answer)["error"]["code"] == "invalid_api_key"


def test_the_key_is_seen_nowhere(served: Served) -> None:
    assert served.key not in served.log
    for pid in session_members(served.data["pid"]):
        assert served.key not in Path(f"/proc/{pid}/cmdline").read_text()


def test_every_port_of_the_server_is_on_loopback(served: Served) -> None:
    inodes = set()
    for pid in session_members(served.data["pid"]):
        links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
        inodes |= {link[8:-1] for link in links if link.startswith("socket:")}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
    ]
    listening = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]
    assert listening
    assert set(listening) == {"0100007F"}
