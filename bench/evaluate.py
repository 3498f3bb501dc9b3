"""What asking the questions of an evaluation costs: against a stub server, and on vLLM beside a plain client.

.venv/bin/python -m bench.evaluate
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import told
from bench.measure import FTCTL, PYTHON, ROOT, machine, write
from bench.proxy import running
from ftctl.deployments.ports import free_port

PROGRAM = ROOT / "ftctl" / "inside" / "ask_questions.py"
ROWS = 100_000
AT_ONCE = 16
BASE = ROOT / ".cache" / "demo" / "base-model"
ASKED, ROUNDS, VLLM_AT_ONCE, TOKENS = 120, 10, 8, 64
NAME = "bench-evaluate"
SERVER = (
    "max_length=512",
    "dtype=float32",
    "kv_cache_memory=64MiB",
    "gpus=0",
    f"max_concurrency={VLLM_AT_ONCE}",
)


@dataclass(frozen=True)
class Cost:
    """One asking: wall and CPU seconds of the whole program, seconds of asking, and its largest memory."""

    wall: float
    cpu: float
    asking: float
    mebibytes: float


def main() -> None:
    began_on = machine()
    python = subprocess.run(
        [FTCTL, "engines", "path", "judge", "--variant", "cpu"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        body = [*against_stub(python, place), "", *after_a_while(python, place), "", *on_vllm(python, place)]
    body += ["", "Made by `.venv/bin/python -m bench.evaluate`, after `make demo`."]
    write("evaluate", "What asking the questions of an evaluation costs", body, began_on=began_on)


def against_stub(python: str, scratch: Path) -> list[str]:
    """A tenth of the questions, then all of them: time follows their number and memory does not."""
    port = free_port("127.0.0.1", ())
    lines = [
        "## A server that answers at once",
        "",
        "| questions | questions a second | in a second of CPU | largest memory | wall |",
        "|---|---|---|---|---|",
    ]
    with running((PYTHON, "-m", "bench.stub_server", str(port), "0", "chat"), ROOT, port):
        for rows in (ROWS // 10, ROWS):
            request = asked(scratch, rows, f"http://127.0.0.1:{port}", "stub", AT_ONCE)
            cost = ask(python, request, "stub")
            lines.append(
                f"| {rows:,} | {rows / cost.asking:,.0f} | {rows / cost.cpu:,.0f} | {cost.mebibytes:.0f} MiB "
                f"| {cost.wall:.1f} s |"
            )
    words = (
        f"`inside/ask_questions.py` asks {AT_ONCE} at a time, reads the questions and writes the predictions."
    )
    return [
        *lines,
        "",
        words,
        "The stub (asyncio, one process) and whatever else runs share the machine's cores.",
    ]


def after_a_while(python: str, scratch: Path) -> list[str]:
    """A server whose speed nothing else on the machine changes: what is lost is the asking's own."""
    port, own, plain = free_port("127.0.0.1", ()), list[float](), list[float]()
    with running((PYTHON, "-m", "bench.stub_server", str(port), "0.15", "chat"), ROOT, port):
        request = asked(scratch, ASKED, f"http://127.0.0.1:{port}", "stub", VLLM_AT_ONCE)
        in_turns(python, request, "stub", own, plain)
    return ["## A server that answers after 150 ms", "", *table(own, plain)]


def in_turns(python: str, request: Path, key: str, own: list[float], plain: list[float]) -> None:
    """Ask by the program and by the plain client, a round that is thrown away and then ROUNDS of them."""
    for number in range(ROUNDS + 1):
        for program in (True, False) if number % 2 else (False, True):  # neither always comes first
            seconds = ask(python, request, key).asking if program else asyncio.run(load(request, key))
            if number:
                (own if program else plain).append(ASKED / seconds)


def table(own: list[float], plain: list[float]) -> list[str]:
    ratios = [one / two for one, two in zip(own, plain, strict=True)]
    row = f"| questions a second | {told(own)} | {told(plain)} | {told(ratios)} |"
    return ["| | ftctl | a plain client | ratio |", "|---|---|---|---|", row]


def on_vllm(python: str, scratch: Path) -> list[str]:
    """The same requests by the program and by a plain client, in turns."""
    own: list[float] = []
    plain: list[float] = []
    options = [word for key in SERVER for word in ("--set", key)]
    out = subprocess.run(
        [FTCTL, "deploy", str(BASE), "--name", NAME, *options, "--json"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    try:
        data = json.loads(out)["data"]
        key = Path(data["key_file"]).read_text().strip()
        request = asked(scratch, ASKED, data["url"], data["model"], VLLM_AT_ONCE)
        in_turns(python, request, key, own, plain)
    finally:
        subprocess.run([FTCTL, "stop", NAME], capture_output=True, check=False)
    return [
        "## vLLM with the demo's untrained model", "",
        *table(own, plain), "",
        f"{ASKED} questions of up to {TOKENS} tokens, {VLLM_AT_ONCE} at a time, on the CPU. The plain client",
        f"is asyncio's streams on kept connections. The two ask in turns, {ROUNDS} times after one that is",
        "thrown away: each figure is the median with the lowest and highest, a ratio that of two neighbours.",
    ]  # fmt: skip


def asked(scratch: Path, rows: int, address: str, model: str, at_once: int) -> Path:
    """A request as ftctl writes it, its questions beside it."""
    with open(scratch / "questions.jsonl", "w") as file:
        for number in range(rows):
            question = f"How long is file {number} kept before it is removed, and where?"
            file.write(json.dumps({
                "id": f"test.jsonl:{number + 1}", "messages": [{"role": "user", "content": question}],
                "tools": None, "reference": "Thirty days.", "reference_tool_calls": None,
            }) + "\n")  # fmt: skip
    request: dict[str, Any] = {
        "address": address, "model": model, "questions": str(scratch / "questions.jsonl"),
        "predictions": str(scratch / "predictions.jsonl"), "rows": rows, "concurrency": at_once, "retries": 3,
        "timeout": 120, "sampling": {"temperature": 0, "max_tokens": TOKENS, "seed": 0},
    }  # fmt: skip
    (scratch / "request.json").write_text(json.dumps(request))
    return scratch / "request.json"


def ask(python: str, request: Path, key: str) -> Cost:
    """Ask all of it anew. Memory and CPU are those that wait4(2) reports."""
    (request.parent / "predictions.jsonl").unlink(missing_ok=True)
    began = time.perf_counter()
    with open(request.parent / "said", "wb") as said:
        child = subprocess.Popen(
            [python, str(PROGRAM), str(request)], stdin=subprocess.DEVNULL, stdout=said,
            env={**os.environ, "FTCTL_ASK_KEY": key},
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    last = json.loads((request.parent / "said").read_text().splitlines()[-1])
    if child.returncode or last["ended"] != "done" or last["errors"]:
        raise SystemExit(f"asking ended with {child.returncode}: {last}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, last["seconds"], usage.ru_maxrss / 1024)


async def load(request: Path, key: str) -> float:
    """The seconds that a plain client takes for the same questions."""
    wanted = json.loads(request.read_text())
    host, _, port = str(wanted["address"]).removeprefix("http://").partition(":")
    bodies = [
        json.dumps(
            {"model": wanted["model"], "messages": json.loads(line)["messages"], **wanted["sampling"]}
        ).encode()
        for line in Path(wanted["questions"]).read_text().splitlines()
    ]
    bodies.reverse()
    began = time.perf_counter()
    clients = [client(host, int(port), key, bodies) for _ in range(wanted["concurrency"])]
    await asyncio.gather(*clients)
    return time.perf_counter() - began


async def client(host: str, port: int, key: str, bodies: list[bytes]) -> None:
    """One connection that sends what is left."""
    reader, writer = await asyncio.open_connection(host, port)
    while bodies:
        body = bodies.pop()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a request was answered {answer!r}")
        await reader.readexactly(int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
    writer.close()


if __name__ == "__main__":
    main()
