"""The data of a run of an embedder: what is linked, and what its own step converts."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from ftctl.facts.datasets import survey
from ftctl.facts.model import Facts, MachineFacts, ModelFacts
from ftctl.facts.retrieval_pass import Wanted
from ftctl.job.load import load
from ftctl.job.model import Job
from ftctl.trainers.retrieval_data import retrieval_data
from tests.conftest import Cli

ROW = {"query": "q", "pos": ["p"], "neg": ["n"]}
MACHINE = MachineFacts((), None, 2, 8 << 30, 1 << 40)


def job(folder: Path, data: str) -> Job:
    file = folder / "job.yaml"
    file.write_text(f"name: e\nmodel: org/embedder\ndata: {data}\ntrain: {{task: embedding}}\n")
    return load(file, ())


def facts(asked: Job) -> Facts:
    assert asked.data is not None
    looked = []
    for datasets, held_out in ((asked.data.train, False), (asked.data.eval, True)):
        found = [
            survey(one, "embedding", wanted=Wanted("embedding", held_out=held_out)).facts for one in datasets
        ]
        looked.append(tuple(one for one in found if one is not None))
    train, evaluated = looked
    return Facts(MACHINE, ModelFacts("m", local=True), train_data=train, eval_data=evaluated)


def test_a_file_that_fits_is_linked(tmp_path: Path) -> None:
    (tmp_path / "a_no_in_batch_neg.jsonl").write_text(json.dumps(ROW) + "\n")
    asked = job(tmp_path, "{train: a_no_in_batch_neg.jsonl}")
    data = retrieval_data(asked, facts(asked), None, "python")
    assert data.convert is None
    assert data.train == ("data/train_0_no_in_batch_neg.jsonl",)
    assert data.links == {data.train[0]: tmp_path / "a_no_in_batch_neg.jsonl"}


def test_the_step_converts_what_does_not_fit(ftctl: Cli) -> None:
    here = ftctl.cwd
    (here / "a.jsonl").write_text("".join(json.dumps({**ROW, "query": f"q{n}"}) + "\n" for n in range(10)))
    (here / "b.csv").write_text("query,positive\nq1,p1\nq77,p77\n")
    asked = job(here, "{train: [a.jsonl, b.csv]}")
    assert asked.data is not None
    asked = replace(asked, data=replace(asked.data, eval_share=0.2))
    data = retrieval_data(asked, facts(asked), None, sys.executable)
    assert data.convert is not None and not data.links
    assert data.train == ("data/train_0.jsonl", "data/train_1.jsonl")
    assert data.eval == ("data/eval_0.jsonl", "data/eval_1.jsonl")
    (here / "native").mkdir()
    for name, text in data.convert.files.items():
        (here / name).write_text(text)
    ftctl(*data.convert.argv[3:], code=0)
    record = json.loads((here / "data" / "converted.json").read_text())
    assert record["how"]["seed"] == 42 and len(record["files"]) == 2
    sides = [
        {json.loads(line)["query"] for name in names for line in (here / name).read_text().splitlines()}
        for names in (data.train, data.eval)
    ]
    assert not sides[0] & sides[1] and sides[0] | sides[1] == {"q77", *(f"q{n}" for n in range(10))}
    assert len(sides[1]) == 2


def test_distillation_and_an_instruction_are_kept(tmp_path: Path) -> None:
    scored = {**ROW, "pos_scores": [1], "neg_scores": [0], "prompt": "P: "}
    (tmp_path / "a.jsonl").write_text(json.dumps(scored) + "\n")
    asked = job(tmp_path, "{train: a.jsonl}")
    assert asked.train is not None
    retrieval = replace(asked.train.retrieval, distillation=True)
    asked = replace(asked, train=replace(asked.train, retrieval=retrieval))
    data = retrieval_data(asked, facts(asked), "I: ", "python")
    assert data.convert is not None
    how = json.loads(data.convert.files["native/convert.json"])["how"]
    assert how["prompts"] and how["scores"] and how["negatives"] == 7
