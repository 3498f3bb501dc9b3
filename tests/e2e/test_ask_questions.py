"""The program that asks: every kind of bad server, kills at any time, and what is asked again after them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.chat_stub import How, Stub, says
from tests.waiting import until

pytestmark = pytest.mark.engine

PROGRAM = ROOT / "ftctl" / "inside" / "ask_questions.py"


@pytest.fixture
def stub() -> Iterator[Callable[[How], Stub]]:
    stubs: list[Stub] = []

    def begin(how: How) -> Stub:
        stubs.append(Stub(how))
        return stubs[-1]

    yield begin
    for one in stubs:
        one.close()


def wanted(python: Path, folder: Path, address: str, texts: list[str], **more: Any) -> list[str]:
    """The command that asks these; `more` replaces parts of the request."""
    rows = [
        {"id": f"q:{text}", "messages": [{"role": "user", "content": text}], "tools": None,
         "reference": "yes", "reference_tool_calls": None}
        for text in texts
    ]  # fmt: skip
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = {
        "address": address, "model": "m", "questions": str(folder / "questions.jsonl"),
        "predictions": str(folder / "predictions.jsonl"), "rows": len(rows), "concurrency": 4, "retries": 1,
        "timeout": 20, "sampling": {"temperature": 0.0, "max_tokens": 5}, **more,
    }  # fmt: skip
    (folder / "request.json").write_text(json.dumps(request))
    return [str(python), str(PROGRAM), str(folder / "request.json")]


def begin(
    python: Path,
    folder: Path,
    address: str,
    texts: list[str],
    *,
    stdin: int = subprocess.DEVNULL,
    **more: Any,
) -> subprocess.Popen[str]:
    """Start it."""
    argv, env = wanted(python, folder, address, texts, **more), {**os.environ, "FTCTL_ASK_KEY": "k"}
    return subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, text=True, env=env)


def ended(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate(timeout=60)
    last: dict[str, Any] = json.loads(out.splitlines()[-1])
    return last


def answers(folder: Path) -> dict[str, dict[str, Any]]:
    """The last line of every question."""
    lines = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    return {line["id"].removeprefix("q:"): line for line in lines}


def test_what_is_sent_and_what_is_kept(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    server = stub(lambda question, times: says(f"to {question}"))
    last = ended(begin(judge_python, tmp_path, server.address, ["a", "b"]))
    assert (last["ended"], last["done"], last["asked"], last["errors"]) == ("done", 2, 2, 0)
    assert server.bodies[0] == {
        "model": "m", "messages": [{"role": "user", "content": server.bodies[0]["messages"][0]["content"]}],
        "temperature": 0.0, "max_tokens": 5, "key": "Bearer k",
    }  # fmt: skip
    kept = answers(tmp_path)["a"]
    assert kept.pop("latency") > 0
    assert kept == {
        "id": "q:a", "prompt": [{"role": "user", "content": "a"}], "reference": "yes",
        "reference_tool_calls": None, "prediction": "to a", "reasoning": None, "tool_calls": None,
        "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 2, "attempts": 1, "error": None,
    }  # fmt: skip


BAD: dict[str, tuple[tuple[int, Any], str, int]] = {
    "500": ((500, {"error": {"message": "out of memory"}}), "500: out of memory", 2),
    "503 in words": ((503, b"overloaded"), "503: overloaded", 2),
    "400": ((400, {"error": {"message": "too long"}}), "400: too long", 1),
    "401": ((401, {"message": "no key"}), "401: no key", 1),
    "no JSON": ((200, b"<html>"), "this is no answer: <html>", 2),
    "no choices": ((200, {"choices": []}), "this is no answer", 2),
    "a broken connection": ((0, b""), "the connection broke", 2),
    "endless": ((200, b"x" * (17 << 20)), "longer than 16777216 bytes", 1),
}


def test_a_bad_answer_is_an_error_that_says_what(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    """What may pass is asked again, as often as is allowed; what cannot is not."""
    server = stub(lambda question, times: BAD[question][0] if question in BAD else says("yes"))
    last = ended(begin(judge_python, tmp_path, server.address, ["good", *BAD, "fine"], concurrency=10))
    assert (last["ended"], last["errors"]) == ("done", len(BAD))
    kept = answers(tmp_path)
    for name, (_, words, times) in BAD.items():
        assert words in kept[name]["error"]
        assert (kept[name]["prediction"], kept[name]["attempts"], server.asked[name]) == (None, times, times)
    assert kept["good"]["prediction"] == kept["fine"]["prediction"] == "yes"


def test_answers_that_say_little_are_kept_as_they_are(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    call = [{"id": "1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}]
    given = {
        "empty": says(""), "nothing": says(None), "cut": says("and so", "length"),
        "thought": says("<think>\nHm.\n</think>\n\nYes."), "only thought": says("<think>\nHm", "length"),
        "parted": says("Yes.", reasoning="Hm."), "call": says(None, "tool_calls", tool_calls=call),
    }  # fmt: skip
    server = stub(lambda question, times: given[question])
    ended(begin(judge_python, tmp_path, server.address, [*given]))
    kept = answers(tmp_path)
    assert (kept["empty"]["prediction"], kept["nothing"]["prediction"]) == ("", None)
    assert (kept["cut"]["prediction"], kept["cut"]["finish_reason"]) == ("and so", "length")
    assert (kept["thought"]["prediction"], kept["thought"]["reasoning"]) == ("Yes.", "Hm.")
    assert kept["only thought"]["prediction"] == ""
    assert (kept["parted"]["prediction"], kept["parted"]["reasoning"]) == ("Yes.", "Hm.")
    assert kept["call"]["tool_calls"] == call
    assert not any(line["error"] for line in kept.values())


def test_what_failed_once_is_answered_the_second_time(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    server = stub(lambda question, times: (429, {}) if times == 1 else says("yes"))
    server.headers["Retry-After"] = "0"
    last = ended(begin(judge_python, tmp_path, server.address, [str(n) for n in range(8)]))
    assert last["errors"] == 0
    assert {line["attempts"] for line in answers(tmp_path).values()} == {2}


def test_the_wait_that_a_server_names_is_kept(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    times: list[float] = []

    def busy(question: str, often: int) -> tuple[int, Any]:
        times.append(time.monotonic())
        return (503, {}) if often == 1 else says("yes")

    server = stub(busy)
    server.headers["Retry-After"] = "2"
    ended(begin(judge_python, tmp_path, server.address, ["a"]))
    assert times[1] - times[0] >= 1.9


def test_a_server_that_does_not_answer_in_time(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    gate = threading.Event()
    server = stub(
        lambda question, times: (gate.wait(20), says("late"))[1] if question == "slow" else says("yes")
    )
    try:
        last = ended(begin(judge_python, tmp_path, server.address, ["slow", "quick"], timeout=1, retries=0))
    finally:
        gate.set()
    assert last["errors"] == 1
    assert answers(tmp_path)["slow"]["error"] == "no answer within 1 s"


def test_a_server_that_fails_always_is_given_up(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    """And what was not asked counts as an error too."""
    server = stub(lambda question, times: (500, {"error": "broken"}))
    texts = [str(number) for number in range(200)]
    last = ended(begin(judge_python, tmp_path, server.address, texts, retries=0))
    assert (last["ended"], last["done"], last["errors"]) == ("gone", 200, 200)
    assert "questions in a row got no answer, the last: 500: broken" in last["why"]
    assert sum(server.asked.values()) < 40
    assert answers(tmp_path)["199"]["error"].startswith("not asked: ")


def test_a_server_that_dies_half_way_is_given_up(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    """Those that it has answered are kept, and only the others are asked of the next."""
    texts = [str(number) for number in range(60)]
    server = stub(lambda question, times: says("yes") if int(question) < 20 else (0, b""))
    child = begin(judge_python, tmp_path, server.address, texts, timeout=2, retries=3)
    until(lambda: server.asked["21"])
    server.server.shutdown()
    server.server.server_close()
    last = ended(child)
    assert (last["ended"], last["done"], last["errors"]) == ("gone", 60, 40)
    assert "cannot be reached" in last["why"]
    again = stub(lambda question, times: says("yes"))
    last = ended(begin(judge_python, tmp_path, again.address, texts))
    assert (last["ended"], last["done"], last["asked"], last["errors"]) == ("done", 60, 40, 0)
    assert {int(question) for question in again.asked} == {*range(20, 60)}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_after_a_kill_only_what_is_missing_is_asked(
    judge_python: Path, tmp_path: Path, stub: Any, number: signal.Signals
) -> None:
    gate = threading.Event()
    server = stub(
        lambda question, times: says("yes") if int(question) < 30 else (gate.wait(20), says("yes"))[1]
    )
    texts = [str(number) for number in range(50)]
    child = begin(judge_python, tmp_path, server.address, texts)
    until(lambda: len(server.asked) >= 34)
    child.send_signal(number)
    out, _ = child.communicate(timeout=30)
    gate.set()
    if number != signal.SIGKILL:
        assert (child.returncode, json.loads(out.splitlines()[-1])["ended"]) == (0, "stopped")
    assert sorted(map(int, answers(tmp_path))) == [*range(30)]
    with open(tmp_path / "predictions.jsonl", "a") as file:
        file.write('{"id": "q:30", "predic')  # as a kill may leave it
    again = stub(lambda question, times: says("yes"))
    last = ended(begin(judge_python, tmp_path, again.address, texts))
    assert (last["ended"], last["done"], last["asked"]) == ("done", 50, 20)
    assert {int(question) for question in again.asked} == {*range(30, 50)}
    assert len(answers(tmp_path)) == 50


def test_it_ends_with_who_started_it(judge_python: Path, tmp_path: Path, stub: Any) -> None:
    gate = threading.Event()
    server = stub(lambda question, times: (gate.wait(20), says("yes"))[1])
    child = begin(judge_python, tmp_path, server.address, ["a"], stdin=subprocess.PIPE)
    until(lambda: server.asked["a"])
    assert child.stdin is not None
    child.stdin.close()
    child.stdin = None
    assert ended(child)["ended"] == "stopped"
    gate.set()
