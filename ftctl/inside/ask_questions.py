"""Asks an OpenAI-compatible server many questions at once: `python ask_questions.py REQUEST.json`.

Run by the judge's interpreter, which has aiohttp. Questions are read and predictions appended line by line:
memory stays flat, and a kill loses only what is under way. What has a good answer is not asked again. The key
is in the environment (FTCTL_ASK_KEY). Standard output tells how far it is as lines of JSON, the last one how
it ended: `done`, `stopped` (SIGTERM, SIGINT), or `gone` where the server is given up; what was not asked then
gets a line with that error all the same.
"""

import asyncio
import fcntl
import json
import os
import pathlib
import random
import signal
import ssl
import stat
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from chat_answers import Failed, ordered, read, reason, whole  # type: ignore[import-not-found] # beside this file

PATH = "/v1/chat/completions"
TELL = 0.5  # seconds between two lines of progress
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before asking again: twice as long each time
RECONNECT = 0.25  # seconds between two looks at a server that cannot be reached
IN_A_ROW = 16  # questions without an answer, one after another, after which a server is given up: at least


class Asking:
    """What is asked for, and how it has gone so far."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.url = asked["address"] + PATH
        # Unbuffered: an answer is in the file as soon as it is there.
        self.file = open(asked["predictions"], "ab", buffering=0)  # noqa: SIM115 - closed with the process
        alone(self.file)
        self.known = answered(asked["predictions"])
        self.questions = questions(asked["questions"], self.known)
        self.total, self.done, self.errors = asked["rows"], len(self.known), 0
        self.in_a_row = 0
        self.unreached_since: float | None = None
        self.gone = ""
        self.most_in_a_row = max(IN_A_ROW, 2 * asked["concurrency"])

    async def work(self, session: aiohttp.ClientSession) -> None:
        """Take one question after another until there is none."""
        for question in self.questions:
            self.write(question, await self.answer(session, question))
            if self.gone:
                await asyncio.sleep(0)  # nothing else is waited for then, and a signal must get through

    async def answer(self, session: aiohttp.ClientSession, question: dict[str, Any]) -> dict[str, Any]:
        """What becomes of a question: the answer, or the error of its last attempt."""
        body = {"model": self.asked["model"], "messages": question["messages"], **self.asked["sampling"]}
        if question["tools"]:
            body["tools"] = question["tools"]
        data, attempts = json.dumps(body).encode(), 0
        while not self.gone:
            attempts += 1
            try:
                said = await self.once(session, data)
            except aiohttp.ClientConnectorError as error:
                attempts -= 1  # it was never asked
                await self.unreached(error)
            except Failed as failed:
                if not failed.again or attempts > self.asked["retries"]:
                    return self.failure(str(failed), attempts, lasting=failed.again)
                await asyncio.sleep(pause(attempts, failed.wait))
            else:
                self.in_a_row = 0
                return {**said, "attempts": attempts}
        return {"error": f"not asked: {self.gone}", "attempts": attempts}

    def failure(self, why: str, attempts: int, *, lasting: bool) -> dict[str, Any]:
        """Count a question that got no answer; many in a row mean that the others will get none either."""
        self.in_a_row += lasting
        if self.in_a_row >= self.most_in_a_row and not self.gone:
            self.gone = f"{self.in_a_row} questions in a row got no answer, the last: {why}"
        return {"error": why, "attempts": attempts}

    async def unreached(self, error: Exception) -> None:
        """Wait for a server that takes no connection: it may be about to be started again."""
        now = time.monotonic()
        since = self.unreached_since = self.unreached_since or now
        if now - since >= self.asked["timeout"]:
            self.gone = f"the server cannot be reached for {now - since:.0f} s: {error}"
            return
        await asyncio.sleep(RECONNECT)

    async def once(self, session: aiohttp.ClientSession, data: bytes) -> dict[str, Any]:
        """One request. Raises Failed, and ClientConnectorError where nobody took the connection."""
        began = time.perf_counter()
        try:
            async with session.post(self.url, data=data) as response:
                self.unreached_since = None
                text = await whole(response)
                status, headers = response.status, response.headers
        except aiohttp.ClientConnectorError:
            raise
        except TimeoutError:
            raise Failed(f"no answer within {self.asked['timeout']:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(f"the connection broke: {error or type(error).__name__}") from None
        latency = time.perf_counter() - began
        if status != 200:
            again = status in (408, 425, 429) or status >= 500
            raise Failed(f"{status}: {reason(text)}", again=again, wait=ordered(headers.get("Retry-After")))
        return {**read(text), "latency": round(latency, 6)}

    def write(self, question: dict[str, Any], said: dict[str, Any]) -> None:
        line = {
            "id": question["id"],
            "prompt": question["messages"],
            "reference": question["reference"],
            "reference_tool_calls": question["reference_tool_calls"],
            **NOTHING,
            **said,
        }
        self.file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        self.done += 1
        self.errors += said.get("error") is not None

    def tell(self, **more: Any) -> None:
        told = {"done": self.done, "total": self.total, "errors": self.errors, **more}
        print(json.dumps(told, ensure_ascii=False), flush=True)


NOTHING: dict[str, Any] = {
    "prediction": None, "reasoning": None, "tool_calls": None, "finish_reason": None, "prompt_tokens": None,
    "completion_tokens": None, "latency": None, "attempts": 0, "error": None,
}  # fmt: skip


def alone(file: Any) -> None:
    """Hold the predictions: one whose evaluation was killed is about to end. Exits where it does not."""
    for _ in range(100):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)
    sys.exit(f"another evaluation is writing {file.name}")


def answered(path: str) -> set[str]:
    """The ids that have a good answer. A last line that a kill has cut short is taken away."""
    good: set[str] = set()
    end = 0
    with open(path, "rb+") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            value = json.loads(line)
            (good.add if value["error"] is None else good.discard)(value["id"])
        file.truncate(end)
    return good


def questions(path: str, known: set[str]) -> Iterator[dict[str, Any]]:
    """The questions that have no answer yet, one by one."""
    with open(path, "rb") as file:
        for line in file:
            question = json.loads(line)
            if question["id"] not in known:
                yield question


def pause(attempt: int, named: float | None) -> float:
    """Seconds until the next attempt: those that the server names, or about twice as long each time."""
    if named is not None:
        return named
    longest = min(FIRST_WAIT * 2.0 ** (attempt - 1), LONGEST_WAIT)
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - so that they do not all come back at once


class Resolver(aiohttp.abc.AbstractResolver):
    """Connects to one address, whatever the name: a certificate's name need not be known to the machine."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        place = {"hostname": host, "host": self.address, "port": port, "family": family, "proto": 0}
        return [{**place, "flags": 0}]

    async def close(self) -> None:
        return None


def connector(asked: dict[str, Any]) -> aiohttp.TCPConnector:
    """Connections that are kept, as many as questions are asked at once."""
    more: dict[str, Any] = {}
    if asked.get("ca") is not None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_verify_locations(cafile=asked["ca"])
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        more["ssl"] = trust
    if asked.get("connect") is not None:
        more["resolver"] = Resolver(asked["connect"])
    return aiohttp.TCPConnector(limit=asked["concurrency"], **more)


async def main() -> int:
    asked = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    asking = Asking(asked)
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("FTCTL_ASK_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    timeout = aiohttp.ClientTimeout(total=asked["timeout"])
    began, before = time.monotonic(), asking.done
    async with aiohttp.ClientSession(connector=connector(asked), headers=headers, timeout=timeout) as session:
        workers = asyncio.gather(*(asking.work(session) for _ in range(asked["concurrency"])))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, workers.cancel)
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            loop.add_reader(0, workers.cancel)  # it ends when who started this is gone
        ended = await followed(workers, asking)
    seconds = round(time.monotonic() - began, 3)
    asking.tell(ended=ended, why=asking.gone, asked=asking.done - before, seconds=seconds)
    return 0


async def followed(workers: asyncio.Future[Any], asking: Asking) -> str:
    """Tell how far it is until it ends, and how it ended."""
    while not workers.done():
        asking.tell()
        await asyncio.wait((workers,), timeout=TELL)
    try:
        workers.result()
    except asyncio.CancelledError:
        return "stopped"
    return "gone" if asking.gone else "done"


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except OSError as error:  # a full disk, say
        sys.exit(f"{error.filename or 'the predictions'}: {error.strerror}")
