"""What is asked of a deployment when it is measured: against a server that answers as vLLM does."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError, Interrupted
from ftctl.judge.ask import BATCH, embed_to, score_all
from ftctl.judge.relevance import Relevance, relevance_of, text_id
from ftctl.process import ProcessId

ROWS = [
    {"query": f"query {number}", "pos": [f"passage {number}"], "neg": [f"passage {number + 1}"]}
    for number in range(2 * BATCH + 5)
]


class Server(ThreadingHTTPServer):
    """Its vectors hold a text's length and its number, its scores the two texts' lengths."""

    daemon_threads = True
    asked: list[tuple[str, dict[str, Any]]]
    fault = ""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        if self.path == "/score":
            pairs = zip(body["text_1"], body["text_2"], strict=True)
            found: list[dict[str, Any]] = [{"score": len(one) + len(other) / 1000} for one, other in pairs]
        else:
            found = [{"embedding": [float(len(text)), float(text.split()[-1])]} for text in body["input"]]
        data = [{"index": number, **one} for number, one in enumerate(found)]
        if self.server.fault == "short":
            data = data[1:]
        if self.server.fault == "nan":
            data[0] = {"index": 0, "score": float("nan")}
        answer = json.dumps({"data": data[::-1]}).encode()  # in an order of its own
        self.send_response(500 if self.server.fault == "refuses" else 200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as found:
        found.asked = []
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def deployment(server: Server, kind: str = "embed", **more: Any) -> Deployment:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return Deployment("d", "vllm", "m", url, ProcessId(1, 1, "boot"), 0.0, "/d", "/a", kind=kind, **more)


def the_test() -> Relevance:
    return relevance_of(ROWS, [])


def quiet(done: int, total: int) -> None:
    pass


def read(file: Path) -> list[tuple[float, float]]:
    numbers = array("f", file.read_bytes())
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_vectors_stand_in_the_order_of_the_ids(server: Server, tmp_path: Path) -> None:
    test, told = the_test(), list[tuple[int, int]]()
    width = embed_to(deployment(server), "key", test, tmp_path, lambda *at: told.append(at))
    assert width == 2
    for name, texts in (("queries", test.queries), ("passages", test.passages)):
        wanted = [(float(len(text)), float(text.split()[-1])) for text in texts.values()]
        assert read(tmp_path / f"{name}.f32") == wanted
    total = len(test.queries) + len(test.passages)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert max(len(body["input"]) for _, body in server.asked) == BATCH
    assert all(body["truncate_prompt_tokens"] == -1 for _, body in server.asked)


def test_queries_and_passages_are_sent_as_the_deployment_says(server: Server, tmp_path: Path) -> None:
    test = relevance_of([{"query": "one 1", "pos": ["two 2"]}], [])
    asked = deployment(server, query_prompt="Q: ", query_suffix=" 9", passage_prompt="P: ")
    embed_to(asked, "key", test, tmp_path, quiet)
    assert [body["input"] for _, body in server.asked] == [["Q: one 1 9"], ["P: two 2"]]


def test_scores_go_to_their_pairs(server: Server) -> None:
    test = the_test()
    scores = score_all(deployment(server, "score", query_prompt="Q: "), "key", test, quiet)
    assert scores.keys() == test.queries.keys()
    for row in ROWS:
        query = text_id("q", str(row["query"]))
        texts = {text_id("p", text): text for text in (*row["pos"], *row["neg"])}
        wanted = {passage: len(f"Q: {row['query']}") + len(text) / 1000 for passage, text in texts.items()}
        assert scores[query] == pytest.approx(wanted)
    assert {path for path, _ in server.asked} == {"/score"}


@pytest.mark.parametrize(
    ("fault", "words"), [("refuses", "answered 500"), ("short", f"{BATCH - 1} answers to {BATCH} texts")]
)
def test_a_server_that_does_not_answer_ends_it(
    server: Server, tmp_path: Path, fault: str, words: str
) -> None:
    server.fault = fault
    with pytest.raises(FtctlError, match=words):
        embed_to(deployment(server), "key", the_test(), tmp_path, quiet)


def test_a_score_that_is_no_number_ends_it(server: Server) -> None:
    server.fault = "nan"
    with pytest.raises(FtctlError, match="no number"):
        score_all(deployment(server, "score"), "key", the_test(), quiet)


def test_nobody_there_is_said(server: Server, tmp_path: Path) -> None:
    gone = Deployment("d", "vllm", "m", "http://127.0.0.1:9", ProcessId(1, 1, "b"), 0.0, "/d", "/a")
    with pytest.raises(FtctlError, match=r"the server does not answer: .*refused"):
        embed_to(gone, "key", the_test(), tmp_path, quiet)


def test_a_stop_ends_it_before_everything_is_asked(server: Server, tmp_path: Path) -> None:
    rows = [{"query": f"q {number}", "pos": [f"p {number}"]} for number in range(40 * BATCH)]

    def stop(done: int, total: int) -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        embed_to(deployment(server), "key", relevance_of(rows, []), tmp_path, stop)
    assert len(server.asked) < 40
