"""What deployments are made of: ports, logs, records, conversations."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.deployments import store, tail
from ftctl.deployments.conversation import Messages, reply
from ftctl.deployments.model import Deployment
from ftctl.deployments.ports import FIRST, LAST, free_port, holder, is_free
from ftctl.errors import FtctlError, UsageError
from ftctl.process import ProcessId


def test_a_free_port_is_free_and_out_of_the_way() -> None:
    port = free_port("127.0.0.1", taken=())
    assert FIRST <= port < LAST
    assert is_free("127.0.0.1", port)
    assert holder(port) is None


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert "pid" in str(holder(port))


@pytest.mark.parametrize(("count", "expected"), [(0, ""), (1, "c"), (2, "b\nc"), (9, "a\nb\nc")])
def test_the_last_lines_of_a_log(tmp_path: Path, count: int, expected: str) -> None:
    log = tmp_path / "log"
    log.write_text("a\nb\nc")
    assert tail.last_lines(log, count) == (expected, 5)


def test_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number} 行\n" for number in range(50_000)))
    text, end = tail.last_lines(log, 3)
    assert text == "line 49997 行\nline 49998 行\nline 49999 行\n"
    assert end == log.stat().st_size


def test_a_log_is_followed_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    writing = threading.Event()

    def write() -> None:
        with open(log, "a") as file:
            for number in range(3):
                time.sleep(0.05)
                file.write(f"{number}\n")
                file.flush()
        writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = "".join(tail.follow(log, log.stat().st_size, lambda: not writing.is_set()))
    writer.join()
    assert seen == "0\n1\n2\n"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 65, ".hidden"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a deployment"):
        store.folder_of(name)


def test_a_record_survives_and_a_damaged_one_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTCTL_HOME", str(tmp_path))
    folder = store.folder_of("ft")
    folder.mkdir(parents=True)
    process = ProcessId(1, 2, "boot")
    entry = store.Entry(
        Deployment("ft", "vllm", "ft", "http://127.0.0.1:1", process, 5.0, str(folder), "/m"), ready=6.0
    )
    store.write(entry)
    assert store.get("ft") == entry
    assert store.state(entry) == "dead"
    assert store.state(store.change(entry, ended=7.0)) == "stopped"
    assert [kept.name for kept in store.entries()] == ["ft"]
    (folder / store.RECORD).write_text('{"deployment": {"name"')
    assert list(store.entries()) == []
    with pytest.raises(UsageError, match="no deployment called ft"):
        store.get("ft")


def test_a_conversation_remembers_what_was_said() -> None:
    history: Messages = [{"role": "system", "content": "be brief"}]
    heard: list[int] = []

    def ask(messages: Messages) -> Iterator[str]:
        heard.append(len(messages))
        yield from ("yes", ", ", "it is")

    out = io.StringIO()
    reply(history, "is it?", ask, out)
    reply(history, "sure?", ask, out)
    assert out.getvalue() == "yes, it is\nyes, it is\n"
    assert heard == [2, 4]
    assert [message["role"] for message in history] == ["system", "user", "assistant", "user", "assistant"]


def test_a_failed_answer_leaves_no_trace_in_the_conversation() -> None:
    history: Messages = []

    def ask(messages: Messages) -> Iterator[str]:
        yield "half an"
        raise FtctlError("the server broke off")

    with pytest.raises(FtctlError):
        reply(history, "go on", ask, io.StringIO())
    assert history == []
