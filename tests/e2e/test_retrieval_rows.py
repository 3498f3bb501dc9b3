"""What FlagEmbedding does with odd rows when it draws them: why ftctl refuses them, or not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftctl.data.convert import How, Source, convert
from ftctl.facts.datasets import survey
from ftctl.facts.retrieval_pass import Wanted
from ftctl.job.model import Dataset

pytestmark = pytest.mark.engine

DRAW = Path(__file__).with_name("draw_rows.py")
ROW: dict[str, Any] = {"query": "q", "pos": ["p"], "neg": ["a", "b"]}
SCORED = {**ROW, "pos_scores": [1.0], "neg_scores": [0.2, 0.1]}
LONG = {**ROW, "neg": ["x" * 60_000, "y" * 60_000]}
WHOLE = {**LONG, "pos_scores": [1], "neg_scores": [0, 0]}
# name: rows of each file, whether it distils, the instruction
CASES: dict[str, tuple[list[list[dict[str, Any]]], bool, str | None]] = {
    "good": ([[ROW]], False, None),
    "prompt in some rows": ([[{**ROW, "prompt": "P:"}, ROW]], False, "I:"),
    "prompt in some files": ([[{**ROW, "prompt": "P:"}], [ROW]], False, "I:"),
    "few": ([[{**ROW, "neg": ["a"]}]], False, None),
    "null": ([[{**ROW, "neg": ["a", None]}]], False, None),
    "number": ([[{**ROW, "query": 5}]], False, None),
    "empty neg": ([[{**ROW, "neg": []}, ROW]], False, None),
    "both": ([[{**ROW, "neg": ["a", "p"]}]], False, None),
    "late column": ([[*[LONG] * 100, {**ROW, "more": 1}]], False, None),
    "columns of two types": ([[{**ROW, "id": 1}], [{**ROW, "id": "x"}]], False, None),
    "more scores": ([[{**SCORED, "neg_scores": [3, 2, 1]}]], True, None),
    "score as text": ([[{**SCORED, "pos_scores": ["1"]}]], True, None),
    "scores in some rows": ([[SCORED, ROW]], True, None),
    "whole scores, then parts": ([[*[WHOLE] * 100, SCORED]], True, None),
}  # fmt: skip


def written(folder: Path, name: str) -> list[Path]:
    files = []
    for number, rows in enumerate(CASES[name][0]):
        files.append(folder / f"{name.replace(' ', '_')}_{number}.jsonl")
        files[-1].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return files


def drawn(python: Path, folder: Path, cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    asked = folder / "cases.json"
    asked.write_text(json.dumps(cases))
    env = {**os.environ, "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, DRAW, asked], env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]
    return {line["name"]: line["said"] for line in lines}


@pytest.fixture(scope="module")
def said(flagembedding_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the engine says of each case, and of what ftctl makes of those that a conversion mends."""
    folder = tmp_path_factory.mktemp("rows")
    cases = [
        {"name": name, "files": [str(file) for file in written(folder, name)], "scores": scores,
         "instruction": instruction}
        for name, (_, scores, instruction) in CASES.items()
    ]  # fmt: skip
    for name in ("late column", "columns of two types", "whole scores, then parts"):
        scores = CASES[name][1]
        sources = [Source(Dataset(file), folder / f"mended_{file.name}") for file in written(folder, name)]
        convert(sources, How(scores=scores))
        files = [str(source.to) for source in sources]
        cases.append({"name": f"mended {name}", "files": files, "scores": scores, "instruction": None})
    return drawn(flagembedding_python, folder, cases)


@pytest.mark.parametrize("name", ["prompt in some rows", "prompt in some files"])
def test_the_engine_puts_none_before_the_query(said: dict[str, Any], name: str) -> None:
    assert [row[0] for row in said[name]] == ["P:q", "Noneq"]


def test_the_engine_takes_in_silence_what_ftctl_refuses_or_warns_of(said: dict[str, Any]) -> None:
    assert said["few"][0][1] == ["p", "a", "a"]
    assert sorted(said["both"][0][1]) == ["a", "p", "p"]
    assert None in said["null"][0][1]
    assert said["number"][0][0] == 5
    assert set(said["more scores"][0][2]) <= {1.0, 3, 2}


def test_the_engine_fails_without_naming_the_row(said: dict[str, Any]) -> None:
    assert said["empty neg"] == "ZeroDivisionError"
    assert said["score as text"] == "ValueError"
    assert said["scores in some rows"] == "AssertionError"


@pytest.mark.parametrize("name", ["late column", "columns of two types", "whole scores, then parts"])
def test_what_the_engine_cannot_load_a_conversion_mends(said: dict[str, Any], name: str) -> None:
    assert said[name] in ("DatasetGenerationError", "ValueError")
    assert isinstance(said[f"mended {name}"], list)
    assert len(said[f"mended {name}"]) == sum(map(len, CASES[name][0]))


def test_ftctl_knows_before(said: dict[str, Any], tmp_path: Path) -> None:
    """Every case but the good one is refused, warned of, or converted."""
    assert len(said) == len(CASES) + 3
    for name, (_, scores, instruction) in CASES.items():
        wanted = Wanted("embedding", group=3, distillation=scores, instruction=instruction or "")
        found = [survey(Dataset(file), "embedding", wanted=wanted) for file in written(tmp_path, name)]
        noted = any(one.problems or one.warnings or (one.facts and not one.facts.plain) for one in found)
        # The files of this case are fine each alone: the job's data says what is wrong with them together.
        assert noted == (name not in ("good", "prompt in some files")), name
