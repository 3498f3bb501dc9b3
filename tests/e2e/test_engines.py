"""The engine environments for real: installed from their locks, imported, and asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ftctl.engines.lock import locks_dir, read_recipe
from ftctl.engines.table import find, variant_of
from ftctl.paths import engines_dir

pytestmark = pytest.mark.engine
NAMES = ("llamafactory", "flagembedding", "vllm", "lmdeploy", "judge", "lm-eval")
INSTALL_TIMEOUT = 1800.0  # seconds; LMDeploy's packages are 4 GB to fetch
ANSWERS = (
    ("llamafactory", "bin/llamafactory-cli", ("version",), "version 0.9.5"),
    ("vllm", "bin/vllm", ("--version",), "0.32.0"),
    ("lmdeploy", "bin/lmdeploy", ("--help",), "Serve LLMs with openai API"),
    ("lmdeploy", "bin/python", ("-m", "lmdeploy", "--help"), "Serve LLMs with openai API"),
    (
        "flagembedding",
        "bin/python",
        ("-m", "FlagEmbedding.finetune.embedder.encoder_only.base", "--help"),
        "--sentence_pooling_method",
    ),
)


def called(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A call on the user's own engine environments, or on those that `env` names."""
    argv = [sys.executable, "-m", "ftctl", *arguments, "--json"]
    env = {**os.environ, **env}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)


def ftctl(*arguments: str, **env: str) -> dict[str, Any]:
    """The data of a call that must succeed."""
    done = called(*arguments, **env)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


@cache
def installed(name: str) -> Path:
    """The folder of an engine's environment on a machine without a GPU, installed if it is missing."""
    place = next(path for path in (engines_dir(), *engines_dir().parents) if path.is_dir())
    if name == "lmdeploy" and shutil.disk_usage(place).free < 25 * 2**30:
        pytest.skip("LMDeploy and uv's cache of it need 25 GiB")
    return Path(ftctl("engines", "install", name, "--variant", "cpu")["python"]).parents[1]


@pytest.mark.parametrize("name", NAMES)
def test_it_installs_without_a_gpu_and_imports(name: str) -> None:
    folder = installed(name)
    engine = find(name)
    variant = variant_of(engine, "cpu")
    recipe = read_recipe(engine, variant, locks_dir())
    found = {one["variant"]: one for one in ftctl("engines", "doctor", name)["engines"]}[variant.name]
    assert found["problem"] is None
    assert found["version"] == recipe.locked_version
    assert found["interpreter"] == str(folder / "bin" / "python")
    assert found["python"].startswith(f"{engine.python}.")
    if variant.name == "cpu" and "torch" in recipe.packages:
        assert found["torch"] == recipe.packages["torch"] == "2.13.0+cpu"


@pytest.mark.parametrize(("name", "program", "arguments", "said"), ANSWERS)
def test_its_commands_answer(name: str, program: str, arguments: tuple[str, ...], said: str) -> None:
    argv = [str(installed(name) / program), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert said in done.stdout


@pytest.mark.parametrize("name", ["llamafactory", "vllm"])
def test_byte_code_is_compiled(name: str) -> None:
    packages = installed(name) / "lib" / "python3.11" / "site-packages"
    sources = [path for path in (packages / "transformers").rglob("*.py") if "templates" not in path.parts]
    compiled = list((packages / "transformers").rglob("*.cpython-311.pyc"))
    assert len(compiled) >= len(sources) > 1000


def test_a_warm_cache_needs_no_network(tmp_path: Path) -> None:
    """FlagEmbedding in a new home, cut off; where the cache of this uv is cold, an install fills it first."""
    done = install_into(tmp_path / "first", UV_OFFLINE="1")
    if done.returncode != 0:
        install_into(tmp_path / "filling")
        done = install_into(tmp_path / "warm", UV_OFFLINE="1")
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    data = json.loads(done.stdout)["data"]
    assert Path(data["python"]).is_relative_to(tmp_path)
    assert data["version"] == "1.4.2"


def install_into(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    place = {"FTCTL_HOME": str(home), "FTCTL_ENGINES": str(home / "engines")}
    return called("engines", "install", "flagembedding", "--variant", "cpu", **place, **env)
