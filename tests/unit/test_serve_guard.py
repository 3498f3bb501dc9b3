"""The guard in front of vLLM: driven as an ASGI server drives it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import ftctl

SOURCE = Path(ftctl.__file__).parent / "inside" / "vllm_guard.py"
KEY, OWNER = "s3cret-key", "0wner"


def guard_class() -> Any:
    """The class from its file, as the engine imports it: not as a part of ftctl."""
    spec = importlib.util.spec_from_file_location("vllm_guard", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Guard


def ask(scope: dict[str, Any], key: str | None = KEY, owner: str = OWNER) -> list[dict[str, Any]]:
    """What a server would send for one request."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "reached"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard_class()(app, key=key, owner=owner)(scope, receive, send))
    return sent


def http(path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": list(headers)}


def bearer(key: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {key}".encode())


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1/models", "/invocations", "/metrics", "/health/", "//health", "/healthz", "/v1/embeddings",
        "/v2/embed", "/pooling", "/classify", "/score", "/v1/score", "/rerank", "/v1/rerank", "/v2/rerank",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nothing_but_health_is_open(path: str, method: str) -> None:
    start, body = ask(http(path, method=method))
    assert start["status"] == 401
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert json.loads(body["body"])["error"]["code"] == "invalid_api_key"


def test_health_is_open_to_look_at_only() -> None:
    assert ask(http("/health")) == [{"type": "reached"}]
    assert ask(http("/health", method="POST"))[0]["status"] == 401


def test_the_key_opens_every_route() -> None:
    assert ask(http("/invocations", bearer(KEY), method="POST")) == [{"type": "reached"}]
    assert ask(http("/x", (b"Authorization", b"bearer " + KEY.encode()))) == [{"type": "reached"}]


@pytest.mark.parametrize(
    "headers",
    [
        (bearer("wrong"),),
        (bearer(KEY + "x"),),
        (bearer(KEY[:-1]),),
        (bearer(""),),
        ((b"authorization", KEY.encode()),),
        ((b"authorization", b"Basic " + KEY.encode()),),
        ((b"authorization", b"Bearer \xff\xfe"),),
        ((b"x-api-key", KEY.encode()),),
        (bearer("wrong"), bearer(KEY)),
    ],
)
def test_a_wrong_key_opens_nothing(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert ask(http("/v1/models", *headers))[0]["status"] == 401


def test_a_websocket_needs_the_key_too() -> None:
    closed = ask({"type": "websocket", "path": "/v1/realtime", "headers": []})
    assert closed[0]["type"] == "websocket.close"
    assert closed[0]["code"] == 1008
    opened = ask({"type": "websocket", "path": "/v1/realtime", "headers": [bearer(KEY)]})
    assert opened == [{"type": "reached"}]
    assert ask({"type": "websocket", "path": "/health", "headers": []})[0]["type"] == "websocket.close"


def test_a_server_without_a_key_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FTCTL_DEPLOYMENT_KEY", raising=False)
    assert ask(http("/v1/models", bearer("")), key=None)[0]["status"] == 401
    monkeypatch.setenv("FTCTL_DEPLOYMENT_KEY", KEY)
    assert ask(http("/v1/models", bearer(KEY)), key=None) == [{"type": "reached"}]


def test_start_up_passes() -> None:
    assert ask({"type": "lifespan"}) == [{"type": "reached"}]


def test_it_needs_the_standard_library_only() -> None:
    import ast
    import sys

    tree = ast.parse(SOURCE.read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names


ADAPTER_ROUTES = [
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/adapters",
    "/adapters/a",
    "/api/v1/LOAD_lora_Adapter",
]


@pytest.mark.parametrize("path", ADAPTER_ROUTES)
def test_adapters_are_the_owners(path: str) -> None:
    owner = (b"x-ftctl-owner", OWNER.encode())
    for headers in ((), (owner,), (bearer("wrong"), owner)):
        assert ask(http(path, *headers, method="POST"))[0]["status"] == 401
    for more in ((), ((b"x-ftctl-owner", KEY.encode()),), ((b"x-ftctl-owner", b""),), (owner, owner)):
        assert ask(http(path, bearer(KEY), *more, method="POST"))[0]["status"] == 403
    assert ask(http(path, bearer(KEY), owner, method="POST")) == [{"type": "reached"}]


def test_without_the_owners_secret_nobody_is_the_owner() -> None:
    for given in (b"", b"None"):
        scope = http("/v1/load_lora_adapter", bearer(KEY), (b"x-ftctl-owner", given), method="POST")
        assert ask(scope, owner="")[0]["status"] == 403


def test_the_owners_secret_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert guard_class()(None, key=KEY).owner == b""
    (tmp_path / "owner").write_text("mine\n")
    assert guard_class()(None, key=KEY).owner == b"mine"
