"""The engine reads each dataset format, as ftctl describes it, into what the model's own template says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftctl.facts.datasets import scan
from ftctl.job.model import Dataset
from ftctl.trainers.dataset_info import dataset_info_entry

SYSTEM = {"role": "system", "content": "Be brief."}
ONE = [{"role": "user", "content": "What is ftctl?"}, {"role": "assistant", "content": "A 工具."}]
TWO = [{"role": "user", "content": "And <then>?\n"}, {"role": "assistant", "content": " Serve it."}]
CHATS = [[SYSTEM, *ONE], [*ONE, *TWO], TWO]
FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def alpaca(chat: list[dict[str, str]]) -> dict[str, Any]:
    system = chat[0]["content"] if chat[0]["role"] == "system" else None
    texts = [message["content"] for message in chat if message["role"] != "system"]
    pairs = [texts[index : index + 2] for index in range(0, len(texts) - 2, 2)]
    return {"question": texts[-2], "answer": texts[-1], "system": system, "history": pairs, "id": 1}


def sharegpt(chat: list[dict[str, str]]) -> dict[str, Any]:
    return {"conversations": [{"from": FROM[m["role"]], "value": m["content"]} for m in chat]}


def write(path: Path, rows: list[Any]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.engine
def test_every_format_trains_on_the_same_ids(
    llamafactory_python: Path, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data 数据 'x'"
    folder.mkdir()
    mapped = {"prompt": "question", "response": "answer"}
    datasets = {}
    for ending in (".json", ".jsonl"):
        rows = {
            "alpaca": ([alpaca(chat) for chat in CHATS], mapped),
            "sharegpt": ([sharegpt(chat) for chat in CHATS], {}),
            "openai": ([{"messages": chat} for chat in CHATS], {}),
        }
        for name, (values, columns) in rows.items():
            path = write(folder / f"{name}{ending}", values)
            datasets[path.name] = Dataset(path, columns=columns)
    info = {}
    for name, dataset in datasets.items():
        facts, problems = scan(dataset)
        assert facts is not None and problems == () and facts.format == name.split(".")[0]
        info[name] = dataset_info_entry(facts, name, dataset)
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "chats.json").write_text(json.dumps(CHATS))

    script = Path(__file__).with_name("encode_rows.py")
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "HF_HOME": str(tmp_path / "hf")}
    argv = [str(llamafactory_python), str(script), str(tiny_model), str(folder)]
    done = subprocess.run(
        argv, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ids = json.loads((folder / "ids.json").read_text())
    expected = sorted(ids.pop("chat"))
    assert set(ids) == set(info)
    for name, rows_ids in ids.items():
        assert sorted(rows_ids) == expected, name
