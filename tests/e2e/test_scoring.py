"""Whole evaluations scored and compared by the metrics program: answers, failures, a judging model."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ftctl.errors import FtctlError, Missing, UsageError
from ftctl.judge.asked import read_metrics
from ftctl.judge.metrics import Asked
from ftctl.judge.scored import Comparison, Figures
from ftctl.judge.scoring import Server, Way, counting, paired, read_figures, score

pytestmark = pytest.mark.engine
WAY = Way(resamples=200)
KEY = "sk-judge-of-the-test"


@dataclass
class Judge:
    """Another model: it gives 5 to an answer that is its reference, else 2, and fails as an answer says."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def say(self, material: dict[str, Any]) -> tuple[int, str]:
        """The status and the content of the judgement."""
        told = material["prediction"]
        if told == "refuse":
            return 400, "no"
        if told == "chatter":
            return 200, "I would give it a score of 5!"
        if told == "above":
            return 200, '{"score": 9}'
        value = 5 if told == material["reference"] else 2
        return 200, f'<think>hm</think>\n```json\n{{"reason": "so", "score": {value}}}\n```'


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """A judging model's API on the loopback, which wants its key."""
    model = Judge()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, text = 401, "the key is wrong"
            if self.headers["Authorization"] == f"Bearer {KEY}":
                model.asked.append(body)
                status, text = model.say(json.loads(body["messages"][1]["content"]))
            answer = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield model
    server.shutdown()
    thread.join()
    server.server_close()


def metrics(*given: Any) -> tuple[Asked, ...]:
    asked, wrong = read_metrics(list(given))
    assert wrong == ()
    return asked


def evaluation(folder: Path, answers: list[str | None], digest: str = "d") -> Path:
    """A folder of an evaluation: the reference of question n is `right n`; None is an answer that failed."""
    folder.mkdir()
    questions, predictions = [], []
    for number, answer in enumerate(answers):
        one = {"id": f"t:{number}"}
        prompt = [{"role": "user", "content": f"question {number}"}]
        questions.append({**one, "messages": prompt, "reference": f"right {number}"})
        failed = {"error": None if answer is not None else "500", "finish_reason": "stop"}
        predictions.append({**one, "prediction": answer, "latency": 0.1, "completion_tokens": 3, **failed})
    for name, rows in (("questions", questions), ("predictions", predictions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "request.json").write_text(json.dumps({"model": folder.name, "digest": digest}))
    return folder


RIGHT = [f"right {number}" for number in range(40)]
WORSE: list[str | None] = [*RIGHT[:20], *["wrong words"] * 18, "", None]


@pytest.fixture(scope="module")
def scored(judge_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same questions answered well and badly, scored, and compared."""
    folder = tmp_path_factory.mktemp("scored")
    asked = metrics(
        "exact_match", "f1", "bleu", "rouge", "classification", {"regex": {"as": "wrong", "pattern": "wrong"}}
    )
    heard: list[tuple[str, int, int]] = []
    found: dict[str, Any] = {}
    for name, answers in (("base", WORSE), ("tuned", list(RIGHT))):
        place = evaluation(folder / name, list(answers))
        found[name] = score(
            place, asked, judge_python, seconds=4.0, way=WAY, tell=lambda *one: heard.append(one)
        )
    out = folder / "comparison.json"
    found["pair"] = paired(folder / "base", folder / "tuned", judge_python, out, way=WAY)
    return {**found, "heard": heard, "folder": folder}


def test_figures_count_every_question(scored: dict[str, Any]) -> None:
    base: Figures = scored["base"]
    assert base.answers == {"asked": 40, "answered": 38, "errors": 1, "empty": 1, "cut": 0}
    assert base.figures["exact_match"].value == base.figures["accuracy"].value == 0.5
    assert base.figures["wrong"].value == 18 / 40
    exact = base.figures["exact_match"]
    assert (exact.low or 0) < 0.5 < (exact.high or 0)
    assert exact.rows == 40
    assert base.figures["latency_p50"].value == 0.1
    assert base.missing == {"latency_p99": "1 of 40 questions failed, which is endless"}
    assert base.figures["requests_per_second"].value == 39 / 4
    tuned: Figures = scored["tuned"]
    assert tuned.figures["bleu"].value == 0.0, "no answer has four words"
    assert tuned.figures["rouge1"].value == tuned.figures["macro_f1"].value == 1.0
    assert any("the interval says nothing: exact_match" in note for note in tuned.notes)
    assert read_figures(scored["folder"] / "tuned") == tuned


def test_progress_is_told_to_its_end(scored: dict[str, Any]) -> None:
    assert {"scores", "intervals"} <= {doing for doing, _, _ in scored["heard"]}
    assert scored["heard"][-1] == ("intervals", 1, 1)


def test_only_what_was_counted_stays(scored: dict[str, Any]) -> None:
    names = {path.name for path in (scored["folder"] / "base").iterdir()}
    files = {"questions.jsonl", "predictions.jsonl", "scores.jsonl", "figures.json", "request.json"}
    assert names == {*files, "statistics.npz"}


def test_two_evaluations_are_compared_question_by_question(scored: dict[str, Any]) -> None:
    pair: Comparison = scored["pair"]
    exact = pair.paired["exact_match"]
    assert (exact.a, exact.b, exact.difference) == (0.5, 1.0, 0.5)
    assert 0.3 < (exact.low or 0) < 0.5 < (exact.high or 0) < 0.7
    assert (exact.wins, exact.losses, exact.ties) == (20, 0, 20)
    assert pair.paired["f1"].wins == 20
    assert (pair.a, pair.b) == ({"name": "base", "digest": "d"}, {"name": "tuned", "digest": "d"})
    assert pair.rows == 40
    assert len(pair.changed) == 20
    assert {one.id for one in pair.changed} == {f"t:{number}" for number in range(20, 40)}
    assert pair.notes == ()


def test_only_questions_that_both_were_asked_are_compared(
    scored: dict[str, Any], judge_python: Path, tmp_path: Path
) -> None:
    fewer = evaluation(tmp_path / "fewer", list(RIGHT[:10]), digest="other")
    text = (fewer / "questions.jsonl").read_text()
    (fewer / "questions.jsonl").write_text(text.replace("question 3", "another question"))
    score(fewer, metrics("exact_match", {"rouge": {"tokenizer": "ascii"}}), judge_python, way=WAY)
    found = paired(scored["folder"] / "base", fewer, judge_python, tmp_path / "out.json", way=WAY)
    assert found.rows == 9
    assert found.paired.keys() == {"exact_match"}
    said = " ".join(found.notes)
    assert "30 questions of the first and 0 of the second" in said
    assert "1 questions have the same name and another text" in said
    assert "their options differ: rouge1, rouge2, rougeL" in said


def test_another_model_judges_and_its_failures_are_the_worst(
    judge: Judge, judge_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_JUDGE", KEY)
    (tmp_path / "rubric.md").write_text("Say whether it is right. {braces} stay.")
    options = {
        "model": "m",
        "base_url": judge.url,
        "rubric": "rubric.md",
        "api_key": "${env:KEY_OF_THE_JUDGE}",
    }
    asked = metrics({"judge": {**options, "retries": 1}})
    answers = ["right 0", "other", "refuse", "chatter", "above", "", None]
    place = evaluation(tmp_path / "e", list(answers))
    found = score(place, asked, judge_python, base=tmp_path, way=WAY)
    assert found.figures["judge"].value == pytest.approx((5 + 2 + 5 * 1) / 7)
    scores = [
        json.loads(line)["scores"]["judge"] for line in (place / "scores.jsonl").read_text().splitlines()
    ]
    assert scores == [5, 2, 1, 1, 1, 1, 1]
    assert any(
        note.startswith("judge: 3 answers were not judged and count as the worst") for note in found.notes
    )
    assert found.unscored["judge"].startswith("3 answers were not judged")
    assert "{braces} stay" in judge.asked[0]["messages"][0]["content"]
    for file in place.iterdir():
        assert KEY.encode() not in file.read_bytes(), file
    # What it has judged is not asked again; what it has not is.
    before = len(judge.asked)
    assert score(place, asked, judge_python, base=tmp_path, way=WAY).figures == found.figures
    again = [json.loads(one["messages"][1]["content"])["prediction"] for one in judge.asked[before:]]
    assert set(again) == {"refuse", "chatter", "above"}


def test_a_missing_key_is_told_before_anything_is_asked(
    judge: Judge, judge_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.md").write_text("x")
    options = {"model": "m", "base_url": judge.url, "rubric": "r.md", "api_key": "${env:FTCTL_NO_SUCH_KEY}"}
    place = evaluation(tmp_path / "e", ["right 0"])
    with pytest.raises(FtctlError, match=r"FTCTL_NO_SUCH_KEY, to which judge\.api_key refers, is not set"):
        score(place, metrics({"judge": options}), judge_python, base=tmp_path)


def test_a_function_that_cannot_be_imported_is_one_clear_error(judge_python: Path, tmp_path: Path) -> None:
    (tmp_path / "check.py").write_text("import no_such_thing\n")
    place = evaluation(tmp_path / "e", ["right 0"])
    fault = "cannot be used: ModuleNotFoundError: No module named 'no_such_thing'"
    with pytest.raises(FtctlError, match=fault) as caught:
        score(place, metrics({"python": {"function": "check.py:ok"}}), judge_python, base=tmp_path)
    assert "install" not in (caught.value.remedy or "")  # it is not the judge that lacks it
    with pytest.raises(UsageError, match="there is no file"):
        score(place, metrics({"python": {"function": "other.py:ok"}}), judge_python, base=tmp_path)


def test_what_is_counted_is_another_thing_once_a_file_of_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "check.py").write_text("def ok(*_): return 1\n")
    asked = metrics({"python": {"function": f"{tmp_path}/check.py:ok"}})
    before = counting(asked)
    assert counting(asked) == before != counting(metrics("exact_match"))
    (tmp_path / "check.py").write_text("def ok(*_): return 0\n")
    assert counting(asked) != before


def test_nothing_is_a_figure_where_no_row_has_a_reference(judge_python: Path, tmp_path: Path) -> None:
    place = evaluation(tmp_path / "e", ["a", "b"])
    text = (place / "questions.jsonl").read_text()
    (place / "questions.jsonl").write_text(text.replace('"right 0"', "null").replace('"right 1"', "null"))
    found = score(
        place, metrics("exact_match", "bleu", "classification", "json_valid"), judge_python, way=WAY
    )
    missing = {"exact_match", "bleu", "accuracy", "macro_f1"}
    assert found.missing == dict.fromkeys(missing, "no row has a reference")
    assert found.figures["json_valid"].value == 0


def test_a_server_that_tells_no_log_probabilities_is_refused(tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:1", "m", "lmdeploy")
    with pytest.raises(UsageError, match="which lmdeploy does not tell"):
        score(tmp_path, metrics("perplexity"), Path("/none"), server=server)


def test_an_interpreter_without_the_libraries_is_told(tmp_path: Path) -> None:
    place = evaluation(tmp_path / "e", ["right 0"])
    with pytest.raises(Missing, match="cannot be run"):
        score(place, metrics("exact_match"), tmp_path / "no-python")
