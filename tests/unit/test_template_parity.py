"""A language model's parity: what a server makes of conversations against what was trained.

The server is a small real one that tokenizes by characters, `<role>` in front of each message.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ftctl.artifacts.chat_template import TRAINED, mended, stops, usual_kwargs
from ftctl.deployments.model import Deployment, Parity, Unlike
from ftctl.deployments.parity import check_parity
from ftctl.deployments.template_parity import INFERRED, compare
from ftctl.deployments.told import parity_line, parity_word
from ftctl.errors import FtctlError
from ftctl.events import Event
from ftctl.job.model import Deploy
from ftctl.job.training import Train
from ftctl.plan.model import ServePlan
from ftctl.process import ProcessId
from ftctl.record import to_record
from ftctl.run.template import verdict
from ftctl.servers.vllm import arguments
from ftctl.trainers.llamafactory import render, render_merge
from ftctl.view.progress import sentence
from tests.conftest import Cli
from tests.model_files import write_model
from tests.plans import plan

PLAN = ServePlan("vllm", "ft", "none", (), 1, "float32", 512)
HELLO = [{"role": "user", "content": "hello"}]
SYSTEM = [{"role": "system", "content": "be brief"}, *HELLO]


def text_of(body: dict[str, Any]) -> str:
    said = "".join(f"<{message['role']}>{message['content']}" for message in body["messages"])
    return said + "".join(sorted(body.get("chat_template_kwargs", {}))) + "T" * len(body.get("tools", ()))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, Any]
        if self.headers["Authorization"] != "Bearer key":
            status, answer = 401, {"error": "no key"}
        elif self.path == "/detokenize":
            status, answer = 200, {"prompt": "".join(map(chr, body["tokens"]))}
        elif "refuse" in text_of(body):
            status, answer = 400, {"error": {"message": "System role not supported"}}
        elif self.path == "/v1/chat/completions":
            status, answer = 200, {"usage": {"prompt_tokens": len(text_of(body)), "completion_tokens": 1}}
        else:
            status, answer = 200, {"tokens": list(map(ord, text_of(body)))}
        said = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def conversation(text: str, messages: list[dict[str, str]] = HELLO, **more: object) -> dict[str, Any]:
    return {"name": text, "messages": messages, "ids": list(map(ord, text)), "text": text, **more}


def check(url: str, folder: Path, *conversations: Any, then: str = "fail", **more: object) -> Parity:
    value = {"template": "llama3", "chat_template": "{{ x }}", "end": None, **more}
    (folder / TRAINED).write_text(json.dumps({**value, "conversations": conversations}))
    one = Deployment("ft", "vllm", "ft", url, ProcessId(1, 2, "boot"), 5.0, "/f", str(folder))
    parity = check_parity(one, PLAN, "key", folder / "log", then=then)
    assert parity is not None
    return parity


def test_the_same_tokens_are_stated(url: str, tmp_path: Path) -> None:
    both = (conversation("<user>hello"), conversation("<system>be brief<user>hello", SYSTEM))
    parity = check(url, tmp_path, *both)
    assert parity == Parity("tokens", 1.0, 2)
    assert parity_line(parity) == "as trained: the same tokens in 2 conversations"
    assert parity_word(to_record(parity)) == "as trained"


def test_tools_and_arguments_of_the_template_reach_the_server(url: str, tmp_path: Path) -> None:
    tools = conversation("<user>helloTT", tools=[{}, {}])
    thinking = conversation("<user>helloenable_thinking", kwargs={"enable_thinking": False})
    assert check(url, tmp_path, tools, thinking).figure == 1.0


def test_another_template_fails_with_the_first_difference_and_the_way_out(url: str, tmp_path: Path) -> None:
    same, other = conversation("<user>hello"), conversation("<user>[hello]")
    with pytest.raises(Unlike) as caught:
        check(url, tmp_path, same, other)
    told = str(caught.value)
    assert "1 of 2 conversations differ, the first is '<user>[hello]'" in told
    assert "from token 7 on, trained '[hello]' [91, 104, 101, 108, 108, 111, 93] but served 'hello'" in told
    assert "deploy.parity: warn" in told
    assert caught.value.exit_code == 1
    assert caught.value.parity.figure == 0.5


def test_a_template_that_no_jinja_gives_is_changed_before_training(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        Unlike, match=r"no chat template gives what llama3 trained: train with a model\.template"
    ):
        check(url, tmp_path, conversation("<user>"), chat_template=None)


def test_warn_goes_on_and_says_so(url: str, tmp_path: Path) -> None:
    parity = check(url, tmp_path, conversation("[hello"), then="warn")
    assert (parity.figure, parity.count, parity.differs) == (0.0, 1, True)
    assert parity_line(parity).startswith("not as trained: ft does not see a conversation as")
    assert parity_word(to_record(parity)) == "differs"


def test_a_refusal_is_told_in_the_servers_words(url: str, tmp_path: Path) -> None:
    refused = conversation("<user>refuse", [{"role": "user", "content": "refuse"}])
    with pytest.raises(Unlike, match="the server refuses it: System role not supported"):
        check(url, tmp_path, refused)


def test_tools_that_no_row_has_are_a_note(url: str, tmp_path: Path) -> None:
    other = conversation("<user>Thello", tools=[{}], needed=False)
    parity = check(url, tmp_path, conversation("<user>hello"), other)
    assert parity_line(parity).startswith("as trained: the same tokens in 1 conversations; with tools, which")


def test_what_the_engines_own_inference_gives_is_as_good_and_told(url: str, tmp_path: Path) -> None:
    thought = conversation("<user><think></think>hello", also=list(map(ord, "<user>hello")))
    assert check(url, tmp_path, thought) == Parity("tokens", 1.0, 1, INFERRED)


def test_a_server_that_tells_no_ids_is_asked_for_their_number(url: str, tmp_path: Path) -> None:
    (tmp_path / TRAINED).write_text(json.dumps({"conversations": [conversation("<user>HELLO")]}))
    one = Deployment("ft", "lmdeploy", "ft", url, ProcessId(1, 2, "boot"), 5.0, "/f", str(tmp_path))
    plan = replace(PLAN, engine="lmdeploy")
    parity = check_parity(one, plan, "key", tmp_path / "log")
    assert parity == Parity("tokens", 1.0, 1, "by their number, and none with tools: the server tells no ids")
    (tmp_path / TRAINED).write_text(json.dumps({"conversations": [conversation("<user>hi")]}))
    with pytest.raises(Unlike, match="the server makes 11 tokens of it and 8 are trained"):
        check_parity(one, plan, "key", tmp_path / "log")


def test_one_that_ends_early_differs_at_its_end() -> None:
    found = compare(conversation("<user>hello"), list(map(ord, "<user>")))
    assert found is not None
    assert (found.at, found.served[found.at :]) == (6, ())


def test_an_end_that_does_not_stop_the_server_fails(url: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"eos_token_id": 2}')
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 7]}')
    same = conversation("<user>hello")
    assert check(url, tmp_path, same, end={"id": 7, "token": "<end>"}).figure == 1.0
    with pytest.raises(Unlike, match=r"end them with <eot> \(9\).*generation_config\.json does not list it"):
        check(url, tmp_path, same, end={"id": 9, "token": "<eot>"})


def test_a_base_model_has_nothing_to_compare(tmp_path: Path) -> None:
    one = Deployment("b", "vllm", "b", "http://127.0.0.1:1", ProcessId(1, 2, "b"), 5.0, "/f", str(tmp_path))
    parity = check_parity(one, PLAN, "key", tmp_path / "log")
    assert parity is not None
    assert parity_line(parity) == "no trained template to compare with: parity not checked"
    assert parity_word(to_record(parity)) == "not checked"


def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FtctlError, match="ft did not give the tokens of the conversation '<user>hello'"):
        check("http://127.0.0.1:1", tmp_path, conversation("<user>hello"))


@pytest.mark.parametrize(
    "bad", ["text", {"name": "x", "messages": []}, {"name": "x", "messages": [], "ids": 1}]
)
def test_a_file_of_another_form_is_an_error(tmp_path: Path, bad: Any) -> None:
    with pytest.raises(FtctlError, match=r"trained_template\.json cannot be used: it is not of the form"):
        check("http://127.0.0.1:1", tmp_path, bad)


def folder_of(tmp_path: Path, **files: object) -> Path:
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    return tmp_path


def test_a_folder_is_mended_where_it_would_be_served_otherwise(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        config={"eos_token_id": 2},
        generation_config={"eos_token_id": 2, "do_sample": False},
        tokenizer_config={"eos_token": "<eot>", "chat_template": "{{ other }}"},
        tokenizer={"added_tokens": [{"id": 9, "content": "<eot>"}]},
    )
    trained = {"template": "llama3", "chat_template": "{{ own }}", "end": {"id": 9, "token": "<eot>"}}
    assert stops(folder) == {2, 9}
    for name, content, told in mended(folder, trained):
        (folder / name).write_text(content)
        assert "llama3" in told or "<eot>" in told
    assert (folder / "chat_template.jinja").read_text() == "{{ own }}"
    config = json.loads((folder / "generation_config.json").read_text())
    assert config == {"eos_token_id": [9, 2], "do_sample": False}
    assert list(mended(folder, trained)) == [], "what is right is left alone"


def test_what_a_template_is_told_unasked_becomes_an_argument(tmp_path: Path) -> None:
    folder_of(tmp_path, trained_template={"usual": {"enable_thinking": False}})
    plan = ServePlan("vllm", "ft", "none", (), 1, "float32", 512, template_kwargs=usual_kwargs(tmp_path))
    assert arguments(plan, Deploy())["default_chat_template_kwargs"] == {"enable_thinking": False}
    assert usual_kwargs(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"state": "same", "template": None, "conversations": 9}, "the same tokens in 9 conversations"),
        ({"state": "rewritten", "template": "llama3"}, "is not llama3; the result gets the right one"),
        ({"state": "unlike", "template": "x"}, "warning: no chat template shows a server what x trains"),
        ({"state": "written", "path": "output/a", "message": "b"}, "written to output/a: b"),
    ],
)
def test_the_events_of_a_template_are_sentences(data: dict[str, Any], said: str) -> None:
    assert said in (sentence(Event("template", 0.0, data)) or "")


@pytest.mark.parametrize(
    ("deploy", "told"),
    [
        (None, {}),
        (Deploy(), {"FTCTL_PARITY": "fail"}),
        (Deploy(parity="warn"), {}),
        (
            Deploy(native={"chat_template": "/own.jinja"}),
            {"FTCTL_PARITY": "fail", "FTCTL_CHAT_TEMPLATE": "/own.jinja"},
        ),
    ],
)
def test_the_training_is_told_what_will_serve_it(deploy: Deploy | None, told: dict[str, str]) -> None:
    env = render(plan(deploy=deploy)).env
    assert {name: env[name] for name in env if name in ("FTCTL_PARITY", "FTCTL_CHAT_TEMPLATE")} == told


@pytest.mark.parametrize(
    ("source", "state"), [("saved", "same"), ("given", "same"), ("template", "rewritten"), (None, "unlike")]
)
def test_what_plan_says_is_what_the_training_begins_with(source: str | None, state: str) -> None:
    value: dict[str, Any] = {"source": source, "template": "alpaca", "conversations": [{}, {}]}
    assert verdict(value) == {"state": state, "template": "alpaca", "conversations": 2}


def test_a_template_is_checked_only_where_one_is_trained_by_an_engine_that_is_there(ftctl: Cli) -> None:
    job = {"name": "a", "model": str(write_model(ftctl.cwd / "model")), "data": {"train": "rows.jsonl"}}
    (ftctl.cwd / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n' * 4)
    (ftctl.cwd / "job.yaml").write_text(json.dumps({**job, "train": {}, "resources": {"gpus": 0}}))
    nowhere = {"FTCTL_ENGINES": str(ftctl.home / "none"), "FTCTL_LLAMAFACTORY_PYTHON": ""}
    answer = ftctl("plan", "job.yaml", "--check-template", env=nowhere, code=4)
    assert "llamafactory is not installed" in answer.err
    (ftctl.cwd / "dummy.yaml").write_text(json.dumps({**job, "train": {"engine": "dummy"}}))
    answer = ftctl("plan", "dummy.yaml", "--check-template", env=nowhere, code=2)
    assert "only a language model that LLaMA-Factory trains" in answer.err


def test_a_vocabulary_that_grew_for_a_template_is_merged_as_it_was_trained() -> None:
    merge = render_merge(plan(Train(method="lora", native={"resize_vocab": True})))
    assert merge is not None
    assert "resize_vocab: true" in merge.files["native/export.yaml"]
