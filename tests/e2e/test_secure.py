"""One deployment as a team would open it to others: HTTPS behind the proxy, on every address, with a key.

Its model comes from a stranger: code of its own and pickles lie beside the weights, and none of it runs.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ftctl.deployments import proxy
from ftctl.deployments.ports import free_port
from ftctl.errors import FtctlError
from tests.certificates import certificate
from tests.conftest import Cli, cli_in
from tests.e2e.asking import routes, status
from tests.e2e.conftest import START_TIMEOUT, Served
from tests.lora_files import write_lora

pytestmark = pytest.mark.engine
try:
    proxy.program()
except FtctlError as error:
    pytest.skip(error.message, allow_module_level=True)

KEY = "a-key-that-must-be-seen-nowhere"
CODE = "import pathlib\npathlib.Path({marker!r}).touch()\nclass Mine: pass\n"


@dataclass(frozen=True)
class Stranger:
    """A model whose code and pickles leave `marker` behind when they run."""

    folder: Path
    marker: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mknod, (str(self.marker),))


def own_address() -> str:
    """An address of this machine that others reach; skips where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # nothing is sent: the kernel says where it would go out
        except OSError:
            pytest.skip("this machine has no address but its own")
        found = str(one.getsockname()[0])
    if found.startswith("127."):
        pytest.skip("this machine has no address but its own")
    return found


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Stranger:
    place = tmp_path_factory.mktemp("stranger")
    one = Stranger(place / "m", place / "it-ran")
    shutil.copytree(tiny_model, one.folder)
    for name, change in (
        ("config.json", {"auto_map": {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Mine"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["mine.Mine", "mine.Mine"]}}),
    ):
        file = one.folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    for name in ("mine.py", "conftest.py", "sitecustomize.py", "jinja2.py"):
        (one.folder / name).write_text(CODE.format(marker=str(one.marker)))
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (one.folder / name).write_bytes(pickle.dumps(one))
    return one


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, stranger: Stranger, vllm_python: Path) -> Iterator[Served]:
    """The stranger's model, served as `desk` on every address."""
    cli = cli_in(tmp_path_factory.mktemp("secure"))
    cli = Cli(cli.home, cli.cwd, {"DESK_KEY": KEY})
    certificate(cli.cwd / "tls", f"DNS:localhost,IP:127.0.0.1,IP:{own_address()}")
    (cli.cwd / "job.yaml").write_text(
        f"name: desk\nmodel: {stranger.folder}\ndeploy:\n  proxy: true\n  host: 0.0.0.0\n  adapters: {{}}\n"
        "  api_key: ${env:DESK_KEY}\n  tls: {certificate: tls/cert.pem, key: tls/key.pem, ca: tls/ca.pem}\n"
        f"  engine_python: {vllm_python}\n  native: {{disable_fastapi_docs: false}}\n"
    )
    data = cli("deploy", "job.yaml", "--json", timeout=START_TIMEOUT, code=0).data
    yield Served(cli, data)
    cli("stop", "--all", code=0, timeout=60)


def trusting(desk: Served) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=desk.data["ca"])


def member(desk: Served) -> Path:
    """The folder of the server behind the proxy."""
    return Path(desk.data["key_file"]).parent.parent / "desk.1"


def test_nothing_of_a_strangers_has_run(desk: Served, stranger: Stranger) -> None:
    assert status(desk.url, "GET", "/v1/models", KEY, trust=trusting(desk)) == 200
    assert not stranger.marker.exists()
    pickle.loads((stranger.folder / "training_args.bin").read_bytes())
    assert stranger.marker.exists()  # it would have
    stranger.marker.unlink()


def test_no_route_is_open_behind_the_proxy_on_any_address(desk: Served) -> None:
    trust, url = trusting(desk), desk.url
    for where in (url, f"https://{own_address()}:{urlsplit(url).port}"):
        page = _page(where, trust)
        every = routes((member(desk) / "server.log").read_text(errors="replace"), page)
        every |= {
            ("GET", path) for path in ("/", "/stats", "/haproxy?stats", "/;csv", "/health/", "//health")
        }
        assert len(every) > 35
        for key in (None, "wrong"):
            open_ = {one for one in every if status(where, *one, key, trust=trust) != 401}
            assert open_ == {("GET", "/health")}
    paths = {path for _, path in every if path != "/health"}
    assert {status(url, "GET", path, trust=trust, socket=True) for path in paths} <= {401, 403}


def _page(url: str, trust: ssl.SSLContext) -> dict[str, Any]:
    import urllib.request

    request = urllib.request.Request(f"{url}/openapi.json", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, context=trust, timeout=60) as answer:
        page: dict[str, Any] = json.load(answer)
    return page


def test_only_the_proxy_is_reached_from_another_address(desk: Served) -> None:
    (row,) = desk.cli("ps", "--json", code=0).data["deployments"]
    (replica,) = row["replicas"]
    behind = json.loads((member(desk) / "deployment.json").read_text())["deployment"]["url"]
    assert replica["name"] == "desk.1" and behind.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own_address(), urlsplit(behind).port), timeout=20)


def test_openais_client_talks_to_it_by_https(desk: Served, vllm_python: Path) -> None:
    shown = desk.cli("deploy", "desk", "--print", "openai", code=0).out
    assert KEY not in shown
    asked = [str(vllm_python), "-"]
    done = subprocess.run(asked, input=shown, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr[-2000:]
    wrong = shown.replace("api_key=", "api_key='wrong' or ")
    done = subprocess.run(asked, input=wrong, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0 and "AuthenticationError" in done.stderr


def test_a_request_brings_no_template_of_its_own(desk: Served) -> None:
    """A template is a program: one of a client's could keep the server from answering others."""
    loop = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    code, answer = _asked(desk, "/tokenize", {"chat_template": loop})
    assert (code, "chat template" in answer.lower()) == (400, True), answer


def _asked(desk: Served, path: str, more: dict[str, Any]) -> tuple[int, str]:
    import urllib.error
    import urllib.request

    body = {"model": "desk", "messages": [{"role": "user", "content": "Hi"}], **more}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(desk.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, context=trusting(desk), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_key_is_seen_nowhere(desk: Served, stranger: Stranger, tmp_path: Path) -> None:
    """After much has been done with it, and much of that has failed."""
    cli, trust = desk.cli, trusting(desk)
    large = write_lora(tmp_path / "large", stranger.folder, rank=512)
    none = tmp_path / "empty.txt"
    none.touch()
    said = [
        cli("chat", "desk", "hello", "--once", "--max-tokens", "2", code=0),
        cli("chat", "desk", "hello", "--once", "--model", "other", "--json"),
        cli("deploy", "desk", "--attach", f"large={large}", code=2),
        cli("deploy", "desk", "--attach", f"none={none}", "--json", code=2),
        cli("deploy", "job.yaml", "--replace", "desk", "--set", f"canary={none}", code=2),
        cli(
            "deploy", "job.yaml", "--name", "other", "--port", str(urlsplit(desk.url).port), "--json", code=4
        ),
        cli("deploy", "job.yaml", "--name", "open", "--set", "api_key=", code=2),
        *(cli("deploy", "desk", "--print", form, code=0) for form in ("curl", "python", "open-webui")),
        *(
            cli(*words, code=0)
            for words in (("ps", "--all", "--json"), ("ps",), ("logs", "desk", "-n", "9999"))
        ),
    ]
    assert status(desk.url, "GET", f"/v1/{'x' * 20}", "wrong", trust=trust) == 401
    folder = Path(desk.data["key_file"]).parent
    secrets = {KEY, (folder / "owner").read_text().strip(), (member(desk) / "owner").read_text().strip()}
    assert len(secrets) == 3
    assert [answer for answer in said for secret in secrets if secret in answer.out + answer.err] == []
    commands = [_read(entry) for entry in Path("/proc").glob("[0-9]*/cmdline")]
    assert len(commands) > 3
    assert [words for words in commands for secret in secrets if secret in words] == []
    private = (cli.cwd / "tls" / "key.pem").read_text().splitlines()[1]
    holding, files = _holding(cli, {*secrets, private})
    assert files > 15
    assert {path.name for path in holding} == {"key", "owner", "proxy.pem", "key.pem"}
    own = [path for path in holding if path.name != "key.pem"]  # that is the user's own
    assert {stat.S_IMODE(path.stat().st_mode) for path in own} == {0o600}
    assert stat.S_IMODE((folder / "haproxy.cfg").stat().st_mode) == 0o600
    cli("stop", "desk", code=0, timeout=60)
    assert {path.name for path in _holding(cli, {*secrets, private})[0]} == {"key.pem"}


def _holding(cli: Cli, secrets: set[str]) -> tuple[set[Path], int]:
    """The files under a home and its working directory that hold one of `secrets`, and how many there are."""
    every = [path for place in (cli.home, cli.cwd) for path in place.rglob("*") if path.is_file()]
    texts = {path: path.read_text(errors="replace") for path in every}
    return {path for path, text in texts.items() if any(secret in text for secret in secrets)}, len(every)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it has ended


def test_on_every_address_a_key_must_be_named(ftctl: Cli, stranger: Stranger) -> None:
    port = free_port("127.0.0.1", ())
    for host in ("0.0.0.0", "::", own_address()):
        answer = ftctl("deploy", stranger.folder, "--set", f"host={host}", "--port", str(port), code=2)
        assert "reachable from other machines, and there is no api_key" in answer.err
    assert ftctl("ps", "--all", "--json", code=0).data["deployments"] == []
