"""A deployment's certificate: tried before anything is started, and trusted by ftctl's own client."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.deployments import client, store
from ftctl.deployments.model import Deployment
from ftctl.deployments.store import Entry
from ftctl.deployments.tls import check_tls
from ftctl.errors import UsageError
from ftctl.process import ProcessId
from tests.certificates import authority, certificate, self_signed
from tests.conftest import Cli
from tests.model_files import write_model


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return certificate(tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate for a name that leads elsewhere, or nowhere."""
    return certificate(tmp_path_factory.mktemp("far"), "DNS:bot.example.invalid")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.2", "localhost"),
    ],
)
def test_the_url_has_a_name_of_the_certificate(signed: dict[str, Path], address: str, host: str) -> None:
    secured = check_tls(signed, address)
    assert secured.host == host
    assert secured.ca == signed["ca"].read_text()


def test_a_certificate_for_a_public_name_is_served_under_it(far: dict[str, Path]) -> None:
    assert check_tls(far, "0.0.0.0").host == "bot.example.invalid"


def test_one_that_nobody_signed_is_trusted_itself(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    assert check_tls(tls, "127.0.0.1").ca == tls["certificate"].read_text()


def test_without_its_authority_the_certificate_itself_is_trusted(signed: dict[str, Path]) -> None:
    alone = {name: signed[name] for name in ("certificate", "key")}
    assert check_tls(alone, "127.0.0.1").host == "127.0.0.1"


def test_what_cannot_work_is_said_before_anything_is_started(
    signed: dict[str, Path], far: dict[str, Path], tmp_path: Path
) -> None:
    def said(**changed: Path) -> str:
        with pytest.raises(UsageError) as caught:
            check_tls({**signed, **changed}, "127.0.0.1")
        assert caught.value.remedy
        return caught.value.message

    assert "/nowhere/key.pem cannot be read" in said(key=Path("/nowhere/key.pem"))
    assert "certificate and key cannot be used" in said(key=far["key"])
    assert "certificate and key cannot be used" in said(certificate=signed["key"])
    assert "clients will not trust the certificate" in said(ca=authority(tmp_path / "another"))
    assert "certificate and key cannot be used" in said(ca=signed["key"])
    old = certificate(tmp_path / "old", days=0)
    with pytest.raises(UsageError, match="expired"):
        check_tls(old, "127.0.0.1")
    other = certificate(tmp_path / "other", "IP:192.0.2.7")
    with pytest.raises(UsageError, match=r"names 192\.0\.2\.7, and not 127\.0\.0\.1"):
        check_tls(other, "127.0.0.1")


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing is written between the tests' lines."""


@pytest.fixture
def far_server(far: dict[str, Path]) -> Iterator[int]:
    """An HTTPS server on this machine with the certificate of a name that leads nowhere; its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(far["certificate"], far["key"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def record(name: str, url: str, ca: Path) -> None:
    folder = store.folder_of(name)
    folder.mkdir(parents=True)
    (folder / store.CA).write_text(ca.read_text())
    deployment = Deployment(
        name, "vllm", name, url, ProcessId(1, 1, ""), 0.0, str(folder), "/m", listens="127.0.0.1"
    )
    store.write(Entry(deployment))


def test_a_deployment_is_found_by_its_certificates_name(
    far: dict[str, Path],
    far_server: int,
    signed: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path))
    url = f"https://bot.example.invalid:{far_server}"
    assert not client.healthy(url), "of one that is no deployment nothing is known"
    record("bot", url, far["ca"])
    assert client.healthy(url)
    assert client.request(url, "/health") == (200, b"{}")
    record("liar", f"https://localhost:{far_server}", far["ca"])
    assert not client.healthy(f"https://localhost:{far_server}"), "the name is not the certificate's"
    (store.folder_of("bot") / store.CA).write_text(signed["ca"].read_text())
    assert not client.healthy(url), "another authority is not trusted"


def test_the_machine_that_serves_looks_at_the_files(ftctl: Cli) -> None:
    write_model(ftctl.cwd / "m")
    tls = certificate(ftctl.cwd / "tls")
    block = "deploy:\n  tls: {certificate: tls/cert.pem, key: tls/key.pem, ca: tls/ca.pem}\n"
    (ftctl.cwd / "job.yaml").write_text("name: bot\nmodel: ./m\n" + block)
    ftctl("validate", "job.yaml", code=0)
    shown = json.dumps(ftctl("render", "job.yaml", "--json", code=0).data)
    assert str(tls["key"]) in shown
    assert tls["key"].read_text().splitlines()[1] not in shown
    tls["key"].unlink()
    ftctl("validate", "job.yaml", code=0)  # on a machine that may not be the one that serves
    said = ftctl("plan", "job.yaml", code=2).err
    assert said.startswith(f"job.yaml:4:3: deploy.tls: {tls['key']} cannot be read")
