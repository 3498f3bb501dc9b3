"""Several adapters on one base, coming and going while a real vLLM serves them, by HTTPS."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments import client
from ftctl.process import session_members
from tests.certificates import certificate
from tests.conftest import Cli
from tests.e2e.conftest import START_TIMEOUT, Served
from tests.lora_files import write_lora

pytestmark = pytest.mark.engine

PROMPT = {"prompt": "What is a job?", "max_tokens": 1, "temperature": 0, "logprobs": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Three adapters of the tiny model, and a certificate."""
    place = tmp_path_factory.mktemp("adapters")
    certificate(place / "tls")
    for seed, (name, rank) in enumerate((("one", 8), ("two", 12), ("large", 40))):
        write_lora(place / name, tiny_model, rank=rank, seed=seed)
    return place


@pytest.fixture(scope="module")
def desk(session_ftctl: Cli, tiny_model: Path, vllm_python: Path, folder: Path) -> Iterator[Served]:
    """The tiny model as `desk` with the adapters one and two, at an https address."""
    (folder / "job.yaml").write_text(
        f"name: desk\nmodel: {tiny_model}\ndeploy:\n  adapters: {{one: ./one, two: ./two}}\n"
        f"  tls: {{certificate: tls/cert.pem, key: tls/key.pem, ca: tls/ca.pem}}\n"
    )
    answer = session_ftctl(
        "deploy", folder / "job.yaml", "--engine-python", vllm_python, "--json", timeout=START_TIMEOUT, code=0
    )
    yield Served(session_ftctl, answer.data)
    session_ftctl("stop", "desk", code=0, timeout=60)


def asked(
    served: Served, path: str, body: Any = None, *, key: str | None = None, owner: str | None = None
) -> tuple[int, Any]:
    """The status and the answer of one request over TLS, trusting the deployment's authority alone."""
    trust = ssl.create_default_context(cafile=served.data["ca"])
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {client.OWNER: owner} if owner else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(served.url + path, data, headers)
    try:
        with urllib.request.urlopen(request, context=trust, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def first_token(served: Served, model: str) -> dict[str, float]:
    """The log-probabilities of the likeliest first tokens."""
    status, answer = asked(served, "/v1/completions", {"model": model, **PROMPT}, key=served.key)
    assert status == 200, answer
    return dict(answer["choices"][0]["logprobs"]["top_logprobs"][0])


def names(served: Served) -> set[str]:
    _, answer = asked(served, "/v1/models", key=served.key)
    return {str(model["id"]) for model in answer["data"]}


def test_each_adapter_is_a_model_of_its_own(desk: Served) -> None:
    assert desk.url.startswith("https://127.0.0.1:")
    assert names(desk) == {"desk", "one", "two"}
    answers = [first_token(desk, name) for name in ("desk", "one", "two")]
    assert all(answers[a] != answers[b] for a, b in ((0, 1), (0, 2), (1, 2)))
    (row,) = [row for row in desk.cli("ps", "--json", code=0).data["deployments"] if row["name"] == "desk"]
    assert (row["state"], sorted(row["adapters"]), row["address"]) == ("running", ["one", "two"], desk.url)
    said = desk.cli("chat", "desk", "hello", "--once", "--model", "two", "--max-tokens", "3", code=0).out
    assert said.strip()
    assert (
        "desk has no model three" in desk.cli("chat", "desk", "x", "--once", "--model", "three", code=2).err
    )


def test_adapters_come_and_go_while_it_runs(desk: Served, folder: Path, tiny_model: Path) -> None:
    other = write_lora(folder / "late", tiny_model, rank=16, seed=7)
    pid = desk.data["pid"]
    late = ("--attach", f"late={other}")
    assert desk.cli("deploy", "desk", *late, "--json", code=0).data["adapters"]["late"] == str(other)
    assert names(desk) == {"desk", "one", "two", "late"}
    answer = first_token(desk, "late")
    assert answer != first_token(desk, "desk")
    assert "its adapters are one, two, late" in desk.cli("deploy", "desk", *late, code=0).out  # as it is
    taken = desk.cli("deploy", "desk", "--attach", f"late={folder / 'one'}", code=2).err
    assert "late is attached already" in taken
    desk.cli("deploy", "desk", "--detach-adapter", "late", code=0)
    assert names(desk) == {"desk", "one", "two"}
    assert "has no adapter late" in desk.cli("deploy", "desk", "--detach-adapter", "late", code=2).err
    assert asked(desk, "/v1/completions", {"model": "late", **PROMPT}, key=desk.key)[0] == 404
    desk.cli("deploy", "desk", *late, code=0)
    assert first_token(desk, "late") == answer
    desk.cli("deploy", "desk", "--detach-adapter", "late", code=0)
    assert desk.cli("ps", "--json", code=0).data["deployments"][0]["pid"] == pid  # never started again


def test_what_does_not_fit_is_refused_and_changes_nothing(desk: Served, folder: Path) -> None:
    large = desk.cli("deploy", "desk", "--attach", f"large={folder / 'large'}", code=2).err
    assert "has rank 40, and desk takes ranks up to 16" in large
    assert "cannot be an adapter's name" in desk.cli("deploy", "desk", "--attach", "desk=one", code=2).err
    assert names(desk) == {"desk", "one", "two"}


def test_the_key_of_the_model_does_not_change_the_server(desk: Served, folder: Path) -> None:
    body = {"lora_name": "mine", "lora_path": str(folder / "one")}
    for path, sent in (
        ("/v1/load_lora_adapter", body),
        ("/v1/unload_lora_adapter", {"lora_name": "one"}),
        ("/adapters", {"name": "mine", "src": str(folder / "one")}),
    ):
        assert asked(desk, path, sent)[0] == 401
        assert asked(desk, path, sent, key=desk.key)[0] == 403
        assert asked(desk, path, sent, key=desk.key, owner=desk.key)[0] == 403
    assert names(desk) == {"desk", "one", "two"}
    secrets = [desk.key, (Path(desk.data["key_file"]).parent / "owner").read_text().strip()]
    for pid in session_members(desk.data["pid"]):
        shown = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(secret in shown for secret in secrets)
    assert not any(secret in desk.log for secret in secrets)


def test_who_does_not_trust_the_certificate_is_not_answered(desk: Served) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{desk.url}/health", timeout=60)
    with pytest.raises(OSError):
        urllib.request.urlopen(desk.url.replace("https", "http") + "/health", timeout=60)


def test_openais_client_talks_to_it(desk: Served, vllm_python: Path, folder: Path) -> None:
    shown = desk.cli("deploy", "desk", "--print", "openai", code=0).out
    (folder / "ask.py").write_text(shown)
    done = subprocess.run(
        [vllm_python, folder / "ask.py"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr[-2000:]
    script = desk.cli("deploy", "desk", "--print", "curl", code=0).out
    asked = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["choices"]
