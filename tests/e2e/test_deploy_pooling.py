"""Embedders and rerankers on a real vLLM server, compared with FlagEmbedding at every start."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.sentence_transformers import describe
from ftctl.deployments import client
from ftctl.deployments.parity import worst_cosine
from ftctl.plan.model import RetrievalPlan
from tests.conftest import DEMO, Cli
from tests.e2e.conftest import START_TIMEOUT

pytestmark = pytest.mark.engine

SCRIPT = Path(__file__).with_name("embed_by_training.py")
INSTRUCTION = "find the answer: "
TEXTS = [
    "A job file names the model and the data.",
    "deploy.port sets it",
    "客服",
    "why?\n\nBecause.",
    "x " * 200,
]
QUERIES = ["what does a job file name?", "which port"]
PLAN = RetrievalPlan(
    "encoder-only-base", "full", 4, 64, 128, 0.02, "mean", True, INSTRUCTION, None, False, False
)  # fmt: skip
PLANS = {
    "encoder": PLAN,
    "decoder": RetrievalPlan(
        "decoder-only-base", "lora", 4, 64, 128, 0.02, "last_token", True, INSTRUCTION, None, False, False
    ),
}


@pytest.fixture(scope="module")
def models(flagembedding_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of an embedder on BERT and on Qwen3, both described."""
    root = tmp_path_factory.mktemp("retrieval")
    by_training(flagembedding_python, "make", root, DEMO / "ftctl-qa.jsonl")
    for name, plan in PLANS.items():
        describe(root / name, plan)
        (root / f"{name}.ask.json").write_text(json.dumps(asked(root / name, plan)))
    by_training(flagembedding_python, "ask", root)
    return root


def asked(folder: Path, plan: RetrievalPlan) -> dict[str, Any]:
    lengths = {"query_max_length": plan.query_max_length, "passage_max_length": plan.passage_max_length}
    told = {"model": str(folder), "variant": plan.variant, **lengths}
    vectors = {"pooling": plan.pooling, "normalize": plan.normalize, "texts": TEXTS, "queries": QUERIES}
    return {**told, **vectors, "task": "embedding", "query_instruction": plan.query_instruction}


def by_training(python: Path, *words: str | Path) -> None:
    argv = [str(python), str(SCRIPT), *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_an_embedder_on_bert(ftctl: Cli, models: Path, vllm_python: Path) -> None:
    argv = ("deploy", models / "encoder", "--engine-python", vllm_python, "--name", "encoder", "--json")
    said = ftctl(*argv, timeout=START_TIMEOUT, code=0).data
    try:
        parity = said["parity"]
        assert (said["kind"], parity["measure"], parity["count"]) == ("embed", "cosine", 7)
        assert parity["figure"] > 0.99999
        assert said["query_prompt"] == INSTRUCTION
        row = ftctl("ps", "--json", code=0).data["deployments"][0]
        assert (row["kind"], row["parity"], row["query_prompt"]) == ("embed", parity, INSTRUCTION)
        assert "serves vectors" in ftctl("chat", "encoder", "hello", code=2).err
        key = Path(said["key_file"]).read_text().strip()
        as_openai_asks(said["url"], key)
        as_sentence_transformers(said["url"], key, models)
        for path in ("/v1/embeddings", "/v2/embed", "/pooling", "/score", "/rerank", "/v1/rerank"):
            assert client.request(said["url"], path, body={"model": "encoder", "input": "x"})[0] == 401
    finally:
        ftctl("stop", "encoder", code=0)


def as_openai_asks(url: str, key: str) -> None:
    """The body that OpenAI's Python client sends: vectors as base64 of little-endian float32."""
    body = {"model": "encoder", "input": TEXTS[:2], "encoding_format": "base64"}
    status, answer = client.request(url, "/v1/embeddings", key=key, body=body)
    assert status == 200
    rows = json.loads(answer)["data"]
    decoded = [base64.b64decode(row["embedding"]) for row in rows]
    vectors = [struct.unpack(f"<{len(data) // 4}f", data) for data in decoded]
    assert worst_cosine(vectors, client.embed(url, key, "encoder", TEXTS[:2])).figure > 0.999999


def as_sentence_transformers(url: str, key: str, models: Path) -> None:
    """The same folder read by sentence-transformers gives the same, its prompt for queries included."""
    sent = [*TEXTS, *(INSTRUCTION + query for query in QUERIES)]
    served = client.embed(url, key, "encoder", sent, cut=True)
    others = json.loads((models / "others.json").read_text())
    assert worst_cosine(others["encoder"], served).figure > 0.99999
    reference = json.loads((models / "decoder" / "reference.json").read_text())
    trained = reference["vectors"] + reference["query_vectors"]
    assert worst_cosine(others["decoder"], trained).figure > 0.99999
