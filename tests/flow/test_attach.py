"""Adapters that come to a running server and leave it, in front of a stand-in server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import client, store
from ftctl.deployments.attach import attach, bring_back, detach, pair
from ftctl.deployments.start import start
from ftctl.deployments.stop import stop
from ftctl.deployments.store import Entry
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from tests.lora_files import write_lora
from tests.unit.test_adapters import a_model

STANDIN = Path(__file__).parent.parent / "standin" / "server.py"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model to adapt, and a home of the test's own; what it serves is stopped."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    yield a_model(tmp_path / "base")
    for entry in store.entries():
        stop(entry, now=True)


def serve(base: Path, adapters: dict[str, str] | None) -> Entry:
    deployment = start(
        Artifact("model", base),
        Deploy(adapters=adapters, native={"stand-in": "quick"}),
        name="desk",
        engine=EngineFacts("vllm", "cpu", STANDIN, installed=True),
        machine=MachineFacts((), None, 2, 2**34, 2**34),
        model_facts=ModelFacts(str(base), local=True, max_positions=64, weight_bytes=1),
        run=None,
        emit=lambda kind, data: None,
    )
    return store.get(deployment.name)


def offered(entry: Entry) -> tuple[str, ...]:
    return client.models(entry.deployment.url, store.key_of(entry))


def test_what_the_job_names_is_there_when_the_server_is_ready(base: Path, tmp_path: Path) -> None:
    one, two = write_lora(tmp_path / "one", base), write_lora(tmp_path / "two", base, rank=12)
    entry = serve(base, {"one": str(one), "two": str(two)})
    assert offered(entry) == ("desk", "one", "two")
    assert entry.deployment.adapters == {"one": str(one), "two": str(two)}
    assert (entry.deployment.base, entry.deployment.lora_rank) == (str(base), 16)
    for name in (store.KEY, store.OWNER):
        assert (entry.folder / name).stat().st_mode & 0o777 == 0o600
    stop(entry)
    assert not (entry.folder / store.OWNER).exists()


def test_an_adapter_comes_and_goes_and_is_recorded(base: Path, tmp_path: Path) -> None:
    late = write_lora(tmp_path / "late", base)
    entry = attach(serve(base, {}), "late", str(late))
    assert offered(entry) == ("desk", "late")
    assert store.get("desk").deployment.adapters == {"late": str(late)}
    assert attach(entry, "late", str(late)) == entry, "once is enough"
    with pytest.raises(UsageError, match="late is attached already"):
        attach(entry, "late", str(write_lora(tmp_path / "other", base)))
    entry = detach(entry, "late")
    assert offered(entry) == ("desk",)
    assert store.get("desk").deployment.adapters == {}
    events = (entry.folder / store.EVENTS).read_text().splitlines()
    assert [json.loads(line)["detail"] for line in events[-2:]] == [
        f"late attached from {late}", "late detached",
    ]  # fmt: skip


def test_a_server_that_was_started_again_gets_its_adapters_back(base: Path, tmp_path: Path) -> None:
    entry = serve(base, {"one": str(write_lora(tmp_path / "one", base))})
    entry = attach(entry, "late", str(write_lora(tmp_path / "late", base)))
    owner = {client.OWNER: store.owner_secret(entry)}
    for name in ("one", "late"):
        client.request(
            entry.deployment.url, "/v1/unload_lora_adapter", key=store.key_of(entry),
            body={"lora_name": name}, headers=owner,
        )  # fmt: skip
    assert offered(entry) == ("desk",)
    for _ in range(2):
        bring_back(store.get("desk"))
        assert offered(entry) == ("desk", "one", "late")


def test_what_the_server_refuses_is_not_recorded(base: Path, tmp_path: Path) -> None:
    entry = serve(base, {})
    with pytest.raises(FtctlError, match="desk refuses the adapter late: LoRA weights do not match"):
        attach(entry, "late", str(write_lora(tmp_path / "refused", base)))
    assert store.get("desk").deployment.adapters == {}


def test_what_cannot_be_attached_is_refused_first(base: Path, tmp_path: Path) -> None:
    entry = serve(base, {})
    for name in ("desk", "desk-base", "a/b", "", "../x"):
        with pytest.raises(UsageError, match="cannot be an adapter's name"):
            attach(entry, name, str(base))
    with pytest.raises(UsageError, match="has rank 65, and desk takes ranks up to 64"):
        attach(entry, "large", str(write_lora(tmp_path / "large", base, rank=65)))
    with pytest.raises(UsageError, match="desk has no adapter large"):
        detach(entry, "large")
    stop(entry, now=True)
    with pytest.raises(Missing, match="desk is stopped"):
        attach(entry, "late", str(base))


def test_a_server_without_room_says_how_to_get_it(base: Path) -> None:
    entry = serve(base, None)
    with pytest.raises(UsageError, match="desk was started without room for adapters") as caught:
        attach(entry, "late", "anything")
    assert "--set adapters={}" in caught.value.remedy


@pytest.mark.parametrize("text", ["french", "=run", "french=", ""])
def test_a_pair_has_two_parts(text: str) -> None:
    assert pair("french=runs/a=b") == ("french", "runs/a=b")
    with pytest.raises(UsageError, match="is no NAME=RUN"):
        pair(text)
