"""`ftctl validate` and `ftctl init`, as whole processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = "".join(f'{{"instruction": "question {number}?", "output": "answer"}}\n' for number in range(40))
CASES = ROOT / "tests" / "golden" / "bad_jobs"


def ftctl(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "ftctl", *words],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", ["not_yaml", "empty", "a_list", "ten_mistakes", "not_utf8", "alias_bomb"])
def test_bad_jobs_end_with_2_and_their_messages(case: str) -> None:
    done = ftctl("validate", f"{case}.yaml", cwd=CASES)
    assert done.returncode == 2
    assert done.stdout == ""
    expected = (CASES / f"{case}.expected").read_text(encoding="utf-8")
    count = len(expected.splitlines())
    assert done.stderr == f"{expected}ftctl: {count} problem{'s' if count > 1 else ''}\n"


def test_init_writes_a_job_that_validates(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, 数据"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train.jsonl").write_text(ROWS)
    done = ftctl("init", "my job.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    text = (folder / "my job.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Run it with:    ftctl train 'my job.yaml'\n")
    schema = text.partition("$schema=")[2].splitlines()[0]
    assert json.loads(Path(schema).read_text(encoding="utf-8"))["title"] == "ftctl job"
    checked = ftctl("validate", "my job.yaml", cwd=folder)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "my job.yaml: valid (sft, lora, Qwen/Qwen3-0.6B, then served)\n"
    again = ftctl("init", "my job.yaml", cwd=folder)
    assert again.returncode == 2
    assert "already there" in again.stderr
    forced = ftctl("init", "my job.yaml", "--force", "--model", "x: y", "--json", cwd=folder)
    assert forced.returncode == 0
    assert json.loads(forced.stdout)["data"]["model"] == "x: y"
    assert 'model: "x: y"' in (folder / "my job.yaml").read_text(encoding="utf-8")


def test_init_in_the_checkout_names_the_schema_relatively(tmp_path: Path) -> None:
    from ftctl.job.starter import starter

    text = starter(
        file="a b.yaml", stem="客 服", model="on", data="null", schema="../schemas/job.schema.json"
    )
    assert "$schema=../schemas/job.schema.json\n" in text
    assert "data" in text
    assert '\n  train: "null" ' in text
    assert "\nname: job " in text
    assert ftctl("init", str(tmp_path / "no" / "such" / "job.yaml"), cwd=tmp_path).returncode == 0
    assert (tmp_path / "no" / "such" / "job.yaml").is_file()
    assert ftctl("init", "/proc/job.yaml", cwd=tmp_path).returncode == 2


def test_validate_as_json_and_with_overrides(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    job = tmp_path / "job.yaml"
    job.write_text("name: a\nmodel: x/y\ndata: {train: rows.jsonl}\ntrain: {epochs: 1}\n")
    done = ftctl(
        "validate", "job.yaml", "--json", "--set", "train.quantization=4", "--set", "deploy={}", cwd=tmp_path
    )
    envelope = json.loads(done.stdout)
    assert (done.returncode, envelope["ok"], envelope["command"]) == (0, True, "validate")
    assert envelope["data"]["jobs"] == [
        {
            "file": "job.yaml",
            "name": "a",
            "summary": "sft, lora, 4-bit, x/y, then served",
        }
    ]
    bad = ftctl("validate", "job.yaml", "gone.yaml", "--json", "--set", "train.lr=4", cwd=tmp_path)
    envelope = json.loads(bad.stdout)
    assert (bad.returncode, envelope["ok"], envelope["exit_code"]) == (2, False, 2)
    keys = [(problem["file"], problem["key"]) for problem in envelope["problems"]]
    assert keys == [("--set train.lr=4", "train.lr"), ("gone.yaml", "")]


def test_validate_of_a_good_and_a_bad_file_says_both(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("name: a\nmodel: x/y\ndeploy: {}\n")
    (tmp_path / "bad.yaml").write_text("name: a\nmodel: x/y\ndeplyo: {}\n")
    done = ftctl("validate", "good.yaml", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "good.yaml: valid (x/y, served)\n"
    assert "did you mean deploy?" in done.stderr
    assert ftctl("validate", cwd=tmp_path).returncode == 2
    assert ftctl("validate", ".", cwd=tmp_path).returncode == 2


def test_validate_imports_only_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("name: a\nmodel: x/y\ndeploy: {}\n")
    code = (
        "import sys; from pathlib import Path; from ftctl.job.load import load; load(Path('good.yaml'));"
        "print(sorted({'rich', 'typer', 'subprocess', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
