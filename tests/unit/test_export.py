"""Exports of runs made by hand: what is in them, what is refused, and that none is ever there by half."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from ftctl.artifacts.safetensors import read_header
from ftctl.artifacts.verify import file_hashes, verify_model
from ftctl.artifacts.weights import read_weights
from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.export.hub import Upload, check_upload, token_of
from ftctl.export.make import Asked, Exported, Watched, export
from ftctl.export.place import MANIFEST, check_room, staged
from ftctl.export.source import source_of
from ftctl.run.directory import RunDir
from tests.conftest import Cli
from tests.ended_runs import again, ended_run
from tests.waiting import until

MERGED = Asked("merged")
QUIET = Watched(lambda path, count: None, lambda said: None, lambda total: None)


def exported(run: RunDir, target: Path, asked: Asked = MERGED) -> Exported:
    return export(source_of(str(run.path)), target, asked, QUIET)


def tensors(folder: Path) -> dict[str, bytes]:
    """The bytes of every tensor of a model, whatever file it lies in."""
    found: dict[str, bytes] = {}
    for path, header in read_weights(folder).items():
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        found |= {name: data[8 + length + one.start : 8 + length + one.end] for name, one in header.items()}
    return found


def with_numbers(run: RunDir, folder: str) -> None:
    """Fill the weights of a run with bytes that can be told apart."""
    draw = random.Random(0)
    for path in (run.path / folder).glob("*.safetensors"):
        (length,) = struct.unpack("<Q", path.read_bytes()[:8])
        head = path.read_bytes()[: 8 + length]
        path.write_bytes(head + draw.randbytes(path.stat().st_size - len(head)))
    again(run, folder)


@pytest.mark.parametrize("shards", [False, True])
def test_whole_weights_are_exported_with_what_belongs_to_them(tmp_path: Path, shards: bool) -> None:
    run, target = ended_run(tmp_path, shards=shards), tmp_path / "deep" / "there"
    made = exported(run, target)
    names = {path.name for path in target.iterdir()}
    weights = {path.name for path in (run.path / "output").glob("*safetensors*")}
    assert names == {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        *weights,
        "README.md",
        MANIFEST,
    }
    assert verify_model(target).architecture == "Qwen3ForCausalLM"
    assert json.loads((target / MANIFEST).read_text())["files"] == made.files
    assert made.files == {name: found for name, found in file_hashes(target).items() if name != MANIFEST}


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize(("limit", "files"), [(1, 2), (130, 2), (10**9, 1)])
def test_weights_are_laid_out_in_files_of_a_size(
    tmp_path: Path, shards: bool, limit: int, files: int
) -> None:
    run, target = ended_run(tmp_path, shards=shards), tmp_path / "there"
    with_numbers(run, "output")
    exported(run, target, Asked("merged", shard_size=limit))
    assert len(read_weights(target)) == files
    assert tensors(target) == tensors(run.path / "output")
    assert (target / "model.safetensors.index.json").exists() == (files > 1)
    for path in target.glob("*.safetensors"):
        assert struct.unpack("<Q", path.read_bytes()[:8])[0] % 8 == 0
        assert read_header(path)


def test_an_adapter_is_exported_alone(tmp_path: Path) -> None:
    run, target = ended_run(tmp_path, method="lora"), tmp_path / "there"
    exported(run, target, Asked("adapter"))
    assert (target / "adapter_model.safetensors").is_file()
    assert "library_name: peft" in (target / "README.md").read_text()
    full = ended_run(tmp_path / "full")
    with pytest.raises(UsageError, match="has no adapter"):
        exported(full, tmp_path / "none", Asked("adapter"))


def test_a_file_that_has_changed_is_not_exported(tmp_path: Path) -> None:
    for number, asked in enumerate((MERGED, Asked("merged", shard_size=1))):
        run = ended_run(tmp_path / str(number))
        file = run.path / "output" / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
        with pytest.raises(FtctlError, match=r"model\.safetensors is not as it was verified"):
            exported(run, tmp_path / "there", asked)
        (run.path / "output" / "config.json").unlink()
        with pytest.raises(FtctlError, match=r"config\.json is gone"):
            exported(run, tmp_path / "there", asked)
        assert [path.name for path in tmp_path.iterdir() if path.name not in "01"] == []


def test_a_place_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    run, target = ended_run(tmp_path), tmp_path / "there"
    target.mkdir()
    exported(run, target)
    with pytest.raises(UsageError, match="has an export already"):
        exported(run, target)
    (target / "old").write_text("of the earlier export")
    exported(run, target, Asked("merged", force=True))
    assert not (target / "old").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for asked in (MERGED, Asked("merged", force=True)):
        with pytest.raises(UsageError, match="no export of ftctl"):
            exported(run, mine, asked)
    with pytest.raises(UsageError, match="is not a folder"):
        exported(run, mine / "thesis.tex")
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, living = tmp_path / f".there.ftctl-{gone.pid}", tmp_path / ".there.ftctl-1"
    aside = tmp_path / f".there.ftctl-{gone.pid}.old"
    for folder in (left, living, aside):
        folder.mkdir()
    (aside / MANIFEST).write_text("the export that was there before")
    with staged(tmp_path / "there") as folder:
        assert folder.parent == tmp_path
        assert not left.exists()
        assert not aside.exists()
        assert (tmp_path / "there" / MANIFEST).is_file()
    assert not folder.exists()
    assert living.exists(), "another export that is still on"


def test_an_export_that_is_killed_leaves_nothing_under_its_name(ftctl: Cli) -> None:
    run = ended_run(ftctl.cwd)
    pipe = run.path / "output" / "tokenizer.json"
    pipe.unlink()
    os.mkfifo(pipe)  # a file whose reading never ends
    child = subprocess.Popen(
        ftctl.argv("export", run.path, "there"),
        cwd=ftctl.cwd,
        env=ftctl.environment,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: list(ftctl.cwd.glob(".there.ftctl-*")))
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=20)
    assert not (ftctl.cwd / "there").exists()


def test_no_room_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"needs .* GiB and .* are free"):
        check_room(tmp_path / "not" / "there", 2**60)


def test_what_left_no_result_is_refused(tmp_path: Path) -> None:
    run = ended_run(tmp_path)
    (run.path / "exit.json").rename(run.path / "exit-1.json")
    run.write_json("exit.json", {"state": "FAILED", "exit_code": 1})
    assert source_of(str(run.path)).whole is not None, "its weights were verified; its deployment failed"
    run.remove("artifact.json")
    with pytest.raises(FtctlError, match="is FAILED and left no verified result"):
        source_of(str(run.path))


def test_the_commands_own_words(ftctl: Cli) -> None:
    run = ended_run(ftctl.cwd)
    shown = ftctl("export", "--help", code=0).out
    for word in ("--to", "--as", "--shard-size", "--force", "merged", "adapter", "RUN"):
        assert word in shown
    answer = ftctl("export", "small", "--json", code=0)
    assert (answer.data["form"], answer.data["run"]) == ("merged", run.path.name)
    assert (ftctl.cwd / "small-merged" / "README.md").is_file()
    ftctl("export", "small", "--to", "./elsewhere", "--shard-size", "0.1KB", code=0)
    assert (ftctl.cwd / "elsewhere" / "model-00002-of-00002.safetensors").is_file()
    wrong = ftctl("export", "small", "--to", "meged", code=2)
    assert "meged is no form of an export" in wrong.err
    assert "much is no size" in ftctl("export", "small", "x", "--shard-size", "much", code=2).err


@pytest.mark.parametrize(
    ("upload", "environ", "words"),
    [
        (Upload("me/x", token="hf_plain"), {}, "takes a reference"),
        (Upload("me/x", token="${env:NOBODYS}"), {}, "NOBODYS is not set"),
        (Upload("me/x"), {"HF_HUB_OFFLINE": "1"}, "cannot be reached offline"),
        (Upload("../x"), {}, "is no repository"),
        (Upload("me/x/y"), {}, "is no repository"),
    ],
)
def test_what_a_hub_needs_is_said_before_anything_is_done(
    tmp_path: Path, upload: Upload, environ: dict[str, str], words: str
) -> None:
    source = source_of(str(ended_run(tmp_path).path))
    with pytest.raises(UsageError, match=words):
        check_upload(upload, source, environ, offline=False)
    assert check_upload(Upload("me/x"), source, {"HF_HUB_OFFLINE": "0"}, offline=False).is_file()
    with pytest.raises(UsageError, match="offline"):
        check_upload(Upload("me/x"), source, {}, offline=True)
    assert token_of(Upload("me/x", token="${env:MINE}"), {"MINE": "hf_1"}) == "hf_1"


def test_options_that_do_not_belong_together(ftctl: Cli) -> None:
    ended_run(ftctl.cwd)
    assert "not named" in ftctl("export", "small", "--to", "hub", code=2).err
    assert "are for --to hub" in ftctl("export", "small", "--public", code=2).err
    assert "q4 is not one" in ftctl("export", "small", "--to", "gguf", "--gguf-type", "q4", code=2).err
