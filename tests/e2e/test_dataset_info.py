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


def tables(folder: Path, mapped: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    """The same conversations as Parquet, in every format."""
    import pyarrow
    from pyarrow import parquet

    made = []
    for name, values, columns in (
        ("alpaca", [alpaca(chat) for chat in CHATS], mapped),
        ("sharegpt", [sharegpt(chat) for chat in CHATS], {}),
        ("openai", [{"messages": chat} for chat in CHATS], {}),
    ):
        path = folder / f"{name}.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(values), path)
        made.append((path, columns))
    return made


def encoded(python: Path, model: Path, folder: Path) -> dict[str, list[list[int]]]:
    """What the engine makes of every dataset of the folder."""
    script = Path(__file__).with_name("encode_rows.py")
    home = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "HF_HOME": str(folder.parent / "hf")}
    argv = [str(python), str(script), str(model), str(folder)]
    environ = {**os.environ, **home}
    done = subprocess.run(
        argv, env=environ, cwd=folder.parent, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ids: dict[str, list[list[int]]] = json.loads((folder / "ids.json").read_text())
    return ids


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
    for path, columns in tables(folder, mapped):
        datasets[path.name] = Dataset(path, columns=columns)
    info = {}
    for name, dataset in datasets.items():
        facts, problems = scan(dataset)
        assert facts is not None and problems == () and facts.format == name.split(".")[0]
        info[name] = dataset_info_entry(facts, name, dataset)
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "chats.json").write_text(json.dumps(CHATS))

    ids = encoded(llamafactory_python, tiny_model, folder)
    expected = sorted(ids.pop("chat"))
    assert set(ids) == set(info)
    for name, rows_ids in ids.items():
        assert sorted(rows_ids) == expected, name


@pytest.mark.engine
def test_csv_trains_on_the_rows_that_ftctl_counts(
    llamafactory_python: Path, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    path = folder / "qa.csv"
    path.write_bytes(
        b'instruction,input,output\r\n"Two\nlines?",,Yes.\r\n\r\nHi?,"a, b","Say ""hi"""\r\n1,,2nd\r\n'
    )
    facts, problems = scan(Dataset(path))
    assert facts is not None and problems == () and facts.rows == 3
    (folder / "dataset_info.json").write_text(
        json.dumps({"qa": dataset_info_entry(facts, "qa.csv", Dataset(path))})
    )
    chats = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in (("Two\nlines?", "Yes."), ("Hi?\na, b", 'Say "hi"'), ("1", "2nd"))
    ]
    (folder / "chats.json").write_text(json.dumps(chats))
    ids = encoded(llamafactory_python, tiny_model, folder)
    assert sorted(ids["qa"]) == sorted(ids["chat"])
