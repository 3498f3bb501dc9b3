"""`ftctl engines` and `ftctl doctor`, as whole processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftctl.engines.built import Built, write_marker
from ftctl.engines.checkup import disk_finding, folder_finding, gpu_finding, uv_finding
from ftctl.engines.locate import locate


def ftctl(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FTCTL_")}
    env = {**kept, "FTCTL_HOME": str(home), **more}
    argv = [sys.executable, "-m", "ftctl", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def data(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(done.stdout)["data"]
    return value


def pretend(home: Path, name: str, variant: str) -> Path:
    """A folder that is marked as ready, without an engine in it."""
    python = locate(name, variant, python=None, environ={"FTCTL_HOME": str(home)}).python
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    write_marker(python.parents[1], Built(name, variant, "1.0", "digest", 1.0))
    return python


def test_list_path_and_remove(tmp_path: Path) -> None:
    python = pretend(tmp_path, "vllm", "cpu")
    (tmp_path / "engines" / "vllm-cpu-0ld").mkdir()
    listed = {
        (one["engine"], one["variant"]): one
        for one in data(ftctl(tmp_path, "engines", "list", "--json"))["engines"]
    }
    assert listed["vllm", "cpu"]["version"] == "1.0"
    assert listed["vllm", "cpu"]["outdated"] == [str(tmp_path / "engines" / "vllm-cpu-0ld")]
    assert listed["vllm", "cuda"]["version"] is None
    assert len(listed) == 9

    assert ftctl(tmp_path, "engines", "path", "vllm", "--variant", "cpu").stdout == f"{python}\n"
    removed = data(ftctl(tmp_path, "engines", "remove", "vllm", "--json"))["removed"]
    assert sorted(removed) == sorted([str(python.parents[1]), str(tmp_path / "engines" / "vllm-cpu-0ld")])
    assert [path.name for path in (tmp_path / "engines").iterdir()] == [".vllm-cpu.lock"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["install", "vlm"], 2, "did you mean vllm?"),
        (["path", "vllm", "--variant", "cpu"], 4, "ftctl engines install vllm --variant cpu"),
        (["remove", "vllm"], 4, "vLLM is not installed"),
        (["install", "vllm", "--variant", "rocm"], 2, "choose one of: cpu, cuda"),
        (["doctor"], 4, "no engine is installed"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = ftctl(tmp_path, "engines", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_doctor_names_an_engine_that_does_not_import(tmp_path: Path) -> None:
    pretend(tmp_path, "lmdeploy", "cuda")
    done = ftctl(tmp_path, "engines", "doctor", "--json")
    assert done.returncode == json.loads(done.stdout)["exit_code"] == 1
    (found,) = data(done)["engines"]
    assert "No module named 'lmdeploy'" in found["problem"]


def test_the_checkup_of_a_sound_machine(tmp_path: Path) -> None:
    pretend(tmp_path, "vllm", "cpu")
    done = ftctl(tmp_path, "doctor", "--json")
    assert done.returncode == 0
    states = {one["what"]: one["state"] for one in data(done)["findings"]}
    assert states["uv"] == states["python"] == states["state folder"] == states["vllm (cpu)"] == "ok"


def test_a_folder_that_cannot_be_made_is_missing(tmp_path: Path) -> None:
    done = ftctl(Path("/proc/ftctl"), "doctor", "--json")
    assert done.returncode == 4
    assert data(done)["missing"] == ["state folder", "engines folder"]
    assert folder_finding("state folder", tmp_path / "new" / "state").state == "ok"
    assert not (tmp_path / "new").exists(), "looking makes nothing"


def test_gpus_are_as_nvidia_smi_says(tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '0, NVIDIA H200, 143771 MiB'\n")
    smi.chmod(0o755)
    found = gpu_finding({"PATH": str(tmp_path)})
    assert (found.state, found.answer) == ("ok", "0, NVIDIA H200, 143771 MiB")
    smi.write_text("#!/bin/sh\necho 'Driver/library version mismatch' >&2; exit 18\n")
    found = gpu_finding({"PATH": str(tmp_path)})
    assert (found.state, found.answer) == ("note", "nvidia-smi: Driver/library version mismatch")


def test_disk_and_uv(tmp_path: Path) -> None:
    assert "GiB free at" in disk_finding(tmp_path / "not" / "yet").answer
    assert uv_finding().answer.startswith("uv 0.")
