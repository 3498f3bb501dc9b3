"""The command line as a whole: exit codes, streams, and how an error is told."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest

from ftctl.view.failure import disk_full
from tests.conftest import Cli


def test_the_version_is_told_as_text_and_as_an_envelope(ftctl: Cli) -> None:
    from ftctl import __version__

    assert ftctl("version", code=0).out == f"ftctl {__version__}\n"
    answer = ftctl("version", "--json", code=0)
    assert answer.envelope == {
        "ftctl": 1,
        "command": "version",
        "ok": True,
        "exit_code": 0,
        "data": {"version": __version__},
    }


def test_without_arguments_the_help_is_shown(ftctl: Cli) -> None:
    answer = ftctl()
    assert "Usage: ftctl" in answer.out + answer.err


@pytest.mark.parametrize("arguments", [["--nothing"], ["version", "--jsn"], ["version", "extra"]])
def test_a_wrong_option_is_a_usage_error(ftctl: Cli, arguments: list[str]) -> None:
    answer = ftctl(*arguments, code=2)
    assert answer.out == ""
    assert arguments[-1] in answer.err


def test_a_reader_that_goes_away_is_no_error(ftctl: Cli) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        ftctl.argv("version"), stdout=write, stderr=subprocess.PIPE, env=ftctl.environment, check=False
    )
    os.close(write)
    assert b"Traceback" not in done.stderr
    assert done.returncode != 0


def test_help_imports_no_engine_and_no_heavy_library(ftctl: Cli) -> None:
    answer = ftctl("--help", env={"PYTHONPROFILEIMPORTTIME": "1"}, code=0)
    imported = {line.rsplit("|", 1)[-1].strip() for line in answer.err.splitlines()}
    assert "typer" in imported
    assert not imported & {"torch", "transformers", "llamafactory", "vllm", "jsonschema", "sqlite3", "uv"}


def test_no_runs_yet_is_said(ftctl: Cli) -> None:
    assert "no runs yet" in ftctl("runs", code=0).out
    assert ftctl("runs", "--json", code=0).data == {"runs": []}


def test_runs_are_found_in_the_working_directory(ftctl: Cli) -> None:
    for created, (name, identity) in enumerate([("bot", "20260102-1"), ("other", "20260101-1")]):
        folder = ftctl.cwd / "runs" / name / identity
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(
            json.dumps({"name": name, "id": identity, "created": 1000.0 + created})
        )
    step = {"time": 1.0, "event": "step", "step": 3, "total_steps": 9, "loss": 1.25}
    (ftctl.cwd / "runs/bot/20260102-1/events.jsonl").write_text(json.dumps(step) + "\n")
    listed = ftctl("runs", "--json", code=0).data["runs"]
    assert [(run["name"], run["step"], run["loss"]) for run in listed] == [
        ("bot", 3, 1.25),
        ("other", None, None),
    ]
    shown = ftctl("runs", "--name", "bot", code=0).out
    assert "3/9" in shown
    assert "1.2500" in shown
    assert "other" not in shown


def test_a_full_disk_is_told_by_its_name_and_is_no_bug() -> None:
    full = disk_full(OSError(errno.ENOSPC, "No space left on device", "somewhere/file"))
    assert full is not None and full.exit_code == 1
    assert full.message == "no space left on the disk of somewhere/file"
    unnamed = disk_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert unnamed is not None and unnamed.message.startswith("no space left on the disk of /")
    assert disk_full(OSError(errno.EACCES, "Permission denied")) is None
    assert disk_full(ValueError("no")) is None
