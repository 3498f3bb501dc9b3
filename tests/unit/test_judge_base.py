"""The base model, laid out to be served as the trained one, and figures of it that are known already."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from ftctl.artifacts.model import Artifact
from ftctl.artifacts.safetensors import BrokenWeights
from ftctl.artifacts.verify import file_hashes
from ftctl.errors import FtctlError, Missing
from ftctl.facts.model import EngineFacts
from ftctl.facts.retrieval_model import retrieval_facts
from ftctl.job.model import Deploy, Model
from ftctl.judge.base import check_head, key_of, lay_out, measured_before
from ftctl.judge.figures import check_library
from ftctl.judge.measure import Case, _engine, _planned, measure_base
from ftctl.judge.model import Evaluation, Measured
from ftctl.judge.relevance import Relevance, relevance_of
from ftctl.plan.model import RetrievalPlan, ServePlan
from ftctl.run.directory import RunDir
from tests.model_files import safetensors
from tests.plans import plan

PLAN = RetrievalPlan(
    "encoder-only-base", "full", 8, 32, 96, 0.02, "mean", True, "query: ", None, False, False
)
TUNED = Artifact("model", Path("/run/output"), dtype="float32")
SERVE = ServePlan("vllm", "m", "none", (), 1, "float32", 96, kind="embed")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An embedder that pools by cls and says so, in half precision, with pickled weights beside."""
    folder = tmp_path / "base"
    (folder / "1_Pooling").mkdir(parents=True)
    config = {"architectures": ["BertModel"], "hidden_size": 4, "torch_dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (folder / "modules.json").write_text('[{"type": "x.Pooling", "path": "1_Pooling"}]')
    (folder / "model.safetensors").write_bytes(safetensors({"embeddings.weight": [8, 4]}))
    for name in ("pytorch_model.bin", "README.md", ".gitattributes"):
        (folder / name).write_text("left out")
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, "[UNK]"))
    tokenizer.enable_truncation(7)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_it_says_of_itself_what_the_trained_model_says(source: Path, tmp_path: Path) -> None:
    artifact = lay_out(source, tmp_path / "laid", PLAN, TUNED)
    read = retrieval_facts(artifact.path, {})
    assert (read.pooling, read.normalize, read.length, read.query_prompt) == ("mean", True, 96, "query: ")
    config = json.loads((artifact.path / "config.json").read_text())
    assert (config["dtype"], "torch_dtype" in config) == ("float32", False)
    assert json.loads((artifact.path / "tokenizer.json").read_text())["truncation"] is None
    names = {path.name for path in artifact.path.iterdir()}
    assert not names & {"pytorch_model.bin", "README.md", ".gitattributes"}


def test_the_users_own_folder_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    before = file_hashes(source)
    laid = lay_out(source, tmp_path / "laid", PLAN, TUNED)
    assert file_hashes(source) == before
    assert (laid.path / "model.safetensors").is_symlink()
    assert (source / "1_Pooling" / "config.json").read_text() == '{"pooling_mode_cls_token": true}'


def test_a_base_that_is_not_whole_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").unlink()
    with pytest.raises(FtctlError, match="weights"):
        lay_out(source, tmp_path / "laid", PLAN, TUNED)
    (source / "config.json").write_text("{")
    with pytest.raises(BrokenWeights, match="not valid JSON"):
        lay_out(source, tmp_path / "again", PLAN, TUNED)


def test_the_key_changes_with_all_that_figures_follow_from() -> None:
    known = replace(TUNED, hashes={"model.safetensors": "1" * 64})
    key = key_of(known, SERVE, {}, "vllm 1", "test")
    assert key_of(known, replace(SERVE, name="other"), {}, "vllm 1", "test") == key
    others = {
        key_of(TUNED, SERVE, {}, "vllm 1", "test"),
        key_of(known, replace(SERVE, pooling="cls"), {}, "vllm 1", "test"),
        key_of(known, replace(SERVE, query_prompt="q"), {}, "vllm 1", "test"),
        key_of(known, replace(SERVE, dtype="bfloat16"), {}, "vllm 1", "test"),
        key_of(known, SERVE, {"seed": 1}, "vllm 1", "test"),
        key_of(known, SERVE, {}, "vllm 2", "test"),
        key_of(known, SERVE, {}, "vllm 1", "another"),
    }
    assert len(others) == 7
    assert key not in others


def test_only_what_a_run_measured_itself_is_found_and_the_newest_of_it(tmp_path: Path) -> None:
    def record(run: str, key: str, reused: str | None = None) -> None:
        base = Measured("/base", {"ndcg@10": 0.5}, {}, {}, key, 1.0, reused)
        (tmp_path / "job" / run).mkdir(parents=True)
        RunDir(tmp_path / "job" / run).write_json(
            "evaluation.json", Evaluation("embedding", 1, 1, "t", base=base)
        )

    record("1", "one")
    record("2", "one")
    record("3", "one", reused="2")
    record("4", "two")
    (tmp_path / "job" / "5").mkdir()
    (tmp_path / "job" / "5" / "evaluation.json").write_text("{")
    found = measured_before(tmp_path, "one")
    assert found is not None
    assert found[0].name == "2"
    assert measured_before(tmp_path, "three") is None
    # A run that is resumed has them already, wherever they are from.
    own = measured_before(tmp_path, "one", tmp_path / "job" / "3")
    assert own is not None
    assert (own[0].name, own[1]["base"]["reused_from"]) == ("3", "2")
    other = measured_before(tmp_path, "one", tmp_path / "job" / "4")
    assert other is not None
    assert other[0].name == "2"


def test_a_base_without_a_head_is_no_reranker() -> None:
    check_head(SERVE, "embed")
    with pytest.raises(FtctlError, match="no head that scores"):
        check_head(SERVE, "score")
    with pytest.raises(FtctlError, match="served to generate, not to embed"):
        check_head(replace(SERVE, kind="generate"), "embed")


def test_an_environment_without_the_library_is_named_before_the_training(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    with pytest.raises(Missing, match="has no pytrec-eval-terrier"):
        check_library(tmp_path / "bin" / "python")
    (packages / "pytrec_eval_terrier-0.5.10.dist-info").mkdir()
    check_library(tmp_path / "bin" / "python")


def case_of(run: RunDir, source: Path, test: Relevance) -> Case:
    """A run on `source` whose server cannot be started: there is no such interpreter."""
    made = plan(deploy=Deploy(engine="vllm", gpus=0))
    job = replace(made.job, model=Model(str(source), local=True))
    server = EngineFacts("vllm", "cpu", Path("/nowhere/python"), installed=True, version="1")
    assert made.facts.trainer is not None
    assert job.deploy is not None
    return Case(
        run,
        replace(made, job=job),
        test,
        job.deploy,
        made.facts.trainer,
        server,
        PLAN,
        tell=lambda which, data: None,
    )


def asks(query: str) -> dict[str, Any]:
    return {"query": query, "pos": ["p"], "neg": ["n"]}


def test_a_run_that_is_resumed_does_not_serve_its_base_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path / "home"))
    tuned = lay_out(source, tmp_path / "tuned", PLAN, TUNED)
    run = RunDir(tmp_path / "runs" / "job" / "one")
    run.path.mkdir(parents=True)
    case = case_of(run, source, relevance_of([asks("q")], []))
    with pytest.raises(FtctlError, match="/nowhere/python"):
        measure_base(case, tuned)
    base = lay_out(source, tmp_path / "laid", PLAN, tuned)
    key = key_of(base, _planned(case, base), {}, _engine(case.server), case.test.digest)
    known = Measured(str(source), {"ndcg@10": 0.5}, {}, base.hashes, key, 9.0)
    run.write_json("evaluation.json", replace(case.empty, library="counted", base=known))
    found = measure_base(case, tuned)
    assert (found.base, found.library) == (known, "counted")
    with pytest.raises(FtctlError, match="/nowhere/python"):
        measure_base(replace(case, test=relevance_of([asks("other")], [])), tuned)
    (source / "model.safetensors").write_bytes(safetensors({"embeddings.weight": [9, 4]}))
    with pytest.raises(FtctlError, match="/nowhere/python"):
        measure_base(case, tuned)
