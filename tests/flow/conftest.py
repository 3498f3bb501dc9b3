"""What tests of whole flows share: the stand-in server as a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments import store
from ftctl.deployments.launch import PACE, Pace
from ftctl.deployments.model import Deployment
from ftctl.deployments.start import start
from ftctl.deployments.stop import stop
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy

STANDIN = Path(__file__).parent.parent / "standin" / "server.py"
Starter = Callable[..., Deployment]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model; the stand-in reads nothing of it."""
    folder = tmp_path / "model 模型"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


@pytest.fixture
def serve(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """Start the stand-in as a deployment; `how` is its --stand-in word. Ends what a test leaves."""
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))

    def _serve(
        how: str = "quick",
        *,
        name: str = "ft",
        events: list[Any] | None = None,
        pace: Pace = PACE,
        **block: Any,
    ) -> Deployment:
        return start(
            Artifact("model", block.pop("path", model)),
            Deploy(native={"stand-in": how}, **block),
            name=name,
            engine=EngineFacts("vllm", "cpu", STANDIN, installed=True),
            machine=MachineFacts((), None, 2, 2**34, 2**34),
            model_facts=ModelFacts(str(model), local=True, max_positions=512, weight_bytes=1),
            run=None,
            pace=pace,
            emit=lambda kind, data: events.append((kind, data)) if events is not None else None,
        )

    yield _serve
    for entry in store.entries():
        stop(entry, now=True)
