"""`ftctl import` as a whole process, and the job that it writes, loaded and planned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ftctl.job.load import load
from tests.conftest import ROOT, Cli

CASES = ROOT / "tests" / "golden" / "import"
# The trainings of this version, and what only deploys and needs nothing of a later one.
TAKEN = sorted(
    path.name
    for path in CASES.iterdir()
    if path.name.startswith(("lora_", "full_", "freeze_", "qlora_", "vllm_serve", "infer_hf", "sft_config"))
)
MODELS = ("models/base-7b-expanded", "out/full", "out/merged", "out/gptq")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every file that the configs name is there."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(CASES, folder, dirs_exist_ok=True)
    for name in ("support.json", "faq.jsonl", "held_out.jsonl", "pictures.json"):
        (folder / "data" / name).write_text('{"instruction": "a", "output": "b"}\n')
    for name in MODELS:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_written_loads(name: str, place: Path, tmp_path: Path) -> None:
    from ftctl.importing.files import around_of, source_of
    from ftctl.importing.imported import convert

    job = tmp_path / "elsewhere" / "job.yaml"
    job.parent.mkdir()
    # A name that no dataset_info.json resolves stays as it is, for a path.
    (job.parent / "support").write_text("{}")
    source = source_of(place / name)
    around = around_of(place / name, job, source, info=None, gpus=None, cwd=place)
    job.write_text(convert(source, around, kind=None, file=str(job), folder=job.parent).text)
    loaded = load(job, environ={"HOME": str(tmp_path)})
    assert (loaded.train is not None) == ("do_train" in source.text)


def test_a_job_is_written_and_told(ftctl: Cli, place: Path) -> None:
    done = ftctl("import", "lora_sft.yaml", "--gpus", "2", "--output", "jobs/bot.yaml", cwd=place, code=0)
    assert "wrote jobs/bot.yaml from lora_sft.yaml, a training config of LLaMA-Factory" in done.out
    assert "output_dir: out/run — a run has a folder of its own" in done.out
    job = load(place / "jobs" / "bot.yaml")
    assert job.data is not None and job.train is not None
    assert [row.path for row in job.data.train] == [place / "data/support.json", place / "data/faq.jsonl"]
    assert (job.train.batch_size, job.train.micro_batch_size, job.resources.gpus) == (16, 2, 2)


def test_a_file_that_is_there_is_kept(ftctl: Cli, place: Path) -> None:
    kept = place / "kept.yaml"
    kept.write_text("mine\n")
    done = ftctl("import", "lora_sft.yaml", "-o", "kept.yaml", cwd=place, code=2)
    assert "already there" in done.err
    assert kept.read_text() == "mine\n"
    ftctl("import", "lora_sft.yaml", "-o", "kept.yaml", "--force", cwd=place, code=0)
    assert kept.read_text().startswith("# Imported by ftctl")
    own = ftctl("import", "lora_sft.yaml", "-o", "lora_sft.yaml", "--force", cwd=place, code=2)
    assert "already there" in own.err


def test_what_a_later_version_takes_is_written_and_said(ftctl: Cli, place: Path) -> None:
    done = ftctl("import", "dpo.yaml", "--json", cwd=place, code=0)
    assert done.data["from"] == "llamafactory"
    assert all(found["why"] for found in done.data["differences"])
    assert "dpo: not available in this version" in done.data["problems"][0]["message"]
    assert "task: dpo" in (place / "dpo.job.yaml").read_text()


def test_a_refused_key_is_named_with_its_line(ftctl: Cli, place: Path) -> None:
    done = ftctl("import", "typo.yaml", cwd=place, code=2)
    assert "typo.yaml:6:1: learning_rte: is not an argument" in done.err
    assert "did you mean learning_rate?" in done.err
    assert not (place / "typo.job.yaml").exists()


@pytest.mark.parametrize("name", ["secrets.yaml", "vllm_serve.sh"])
def test_a_secret_is_not_copied(ftctl: Cli, place: Path, name: str) -> None:
    done = ftctl("import", name, "--json", "-o", "-", cwd=place, code=0)
    for secret in ("hf_literal_value", "sl_literal_value", "rt_literal_value", "sk-literal-key"):
        assert secret not in done.out + done.err


def test_dataset_info_can_be_named(ftctl: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("model_name_or_path: a/b\ndo_train: true\ndataset: x\n")
    info = tmp_path / "far" / "info.json"
    info.parent.mkdir()
    info.write_text(json.dumps({"x": {"file_name": "x.jsonl", "formatting": "openai"}}))
    done = ftctl("import", "c.yaml", "--dataset-info", info, "-o", "-", cwd=tmp_path, code=0)
    assert "{path: far/x.jsonl, format: openai}" in done.out
    bare = ftctl("import", "c.yaml", "-o", "-", cwd=tmp_path, code=0)
    assert "train: x  # dataset: the dataset x" in bare.out
    assert "which was not found" in bare.out
    info.write_text("[1]")
    assert "holds no mapping" in ftctl("import", "c.yaml", "--dataset-info", info, cwd=tmp_path, code=2).err


def test_a_file_that_is_not_there(ftctl: Cli, tmp_path: Path) -> None:
    done = ftctl("import", "nowhere.yaml", cwd=tmp_path, code=2)
    assert "nowhere.yaml cannot be read: No such file or directory" in done.err
