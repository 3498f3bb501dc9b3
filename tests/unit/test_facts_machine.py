"""What the machine has, with a program in nvidia-smi's place where there is no GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftctl.facts.machine import disk_free, machine_facts, parse_gpus
from ftctl.facts.model import Gpu

MIB = 1 << 20


def _smi(folder: Path, script: str) -> dict[str, str]:
    """An environment in which nvidia-smi is a small program of ours."""
    folder.mkdir()
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_without_a_driver_nothing_is_asked(tmp_path: Path) -> None:
    environ = _smi(tmp_path / "bin", f"touch '{tmp_path}/asked'; echo 0, A, 1")
    facts = machine_facts(tmp_path, environ, driver=(tmp_path / "gone",))
    assert facts.gpus == () and facts.driver_problem is None and facts.cuda_visible_devices is None
    assert not (tmp_path / "asked").exists()
    assert facts.cpus == len(os.sched_getaffinity(0))
    assert 0 < facts.memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_gpus_are_listed(tmp_path: Path) -> None:
    environ = _smi(
        tmp_path / "bin",
        "echo '0, 143771, 9.0, GPU-1a2b, NVIDIA H200'; echo '1, [N/A], [N/A], GPU-3c, Odd, Name'",
    )
    facts = machine_facts(tmp_path, {**environ, "CUDA_VISIBLE_DEVICES": "1"}, driver=(tmp_path,))
    assert facts.gpus == (
        Gpu(0, "NVIDIA H200", 143771 * MIB, 9.0, "GPU-1a2b"),
        Gpu(1, "Odd, Name", 0, None, "GPU-3c"),
    )
    assert facts.cuda_visible_devices == "1"


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo driver mismatch; exit 18", "driver mismatch"), ("exit 9", "nvidia-smi ended with 9")],
)
def test_a_driver_that_does_not_answer(tmp_path: Path, script: str, said: str) -> None:
    facts = machine_facts(tmp_path, _smi(tmp_path / "bin", script), driver=(tmp_path,))
    assert facts.gpus == () and facts.driver_problem == said


def test_a_driver_without_its_program(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path, {"PATH": str(tmp_path)}, driver=(tmp_path,))
    assert facts.driver_problem and "no nvidia-smi" in facts.driver_problem


def test_no_gpus_in_an_odd_answer() -> None:
    assert parse_gpus("No devices were found\n") == ()


def test_disk_free_of_a_folder_to_be(tmp_path: Path) -> None:
    assert disk_free(tmp_path / "not" / "yet") > 0
