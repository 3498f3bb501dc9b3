"""One real vLLM server, started once for all tests that only ask it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

START_TIMEOUT = 240.0  # seconds; about 20 where nothing else runs


@dataclass(frozen=True)
class Served:
    """A deployment of the tiny model: `data` is what `ftctl deploy --json` said of it."""

    cli: Cli
    data: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.data["url"])

    @property
    def key(self) -> str:
        return Path(self.data["key_file"]).read_text().strip()

    @property
    def log(self) -> str:
        return Path(self.data["log"]).read_text(errors="replace")


@pytest.fixture(scope="session")
def served(session_ftctl: Cli, tiny_model: Path, vllm_python: Path) -> Served:
    """The tiny model served under the name `tiny`, its API pages on so that every route can be listed."""
    answer = session_ftctl(
        "deploy", tiny_model, "--name", "tiny", "--engine-python", vllm_python,
        "--set", "native.disable_fastapi_docs=false", "--json", timeout=START_TIMEOUT, code=0,
    )  # fmt: skip
    return Served(session_ftctl, answer.data)
