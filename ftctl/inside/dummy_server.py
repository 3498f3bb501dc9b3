"""The dummy that stands in for a serving engine in a pipeline's own tests: it answers, and computes nothing.

    PYTHON dummy_server.py dummy.json       (working directory: the deployment's folder)

Standard library only. It serves what the dummy trainer wrote and nothing else. Every route but /health needs
the key in FTCTL_DEPLOYMENT_KEY; every answer says that it is a dummy's, in its header and in its body.
"""

import hmac
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time
from typing import Any

import dummy_retrieval  # type: ignore[import-not-found] # beside this file
from dummy_artifact import MARK, marked  # type: ignore[import-not-found] # beside this file
from dummy_text import stamp, text_of, token_id, usage  # type: ignore[import-not-found] # as above

SAYS = "[ftctl dummy] "
LARGEST = 16 * 2**20  # bytes of a request
KEY = os.environ.get("FTCTL_DEPLOYMENT_KEY", "").encode()
NO_KEY = "This server needs its key: send it as 'Authorization: Bearer KEY'."


class Refused(Exception):
    """An answer that is an error: its status and what it says."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Served:
    """What is served, and how many requests have been answered since the server was found ready."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.name: str = asked["name"]
        self.lock = threading.Lock()
        self.requests = -1  # the first is ftctl's own, before it calls the deployment ready

    def count(self) -> int:
        with self.lock:
            self.requests += 1
            return self.requests

    def healthy(self) -> bool:
        bound = self.asked["unhealthy_after_requests"]
        return bound is None or self.requests < bound

    def answer(self, text: str, limit: Any) -> tuple[list[str], str]:
        """The words of an answer to `text`, at most `limit` of them, and why it ended."""
        said = self.asked["answer"]
        words = (f"heard: {text}" if said is None else str(said)).split(" ")
        if isinstance(limit, int) and 0 < limit < len(words):
            return words[:limit], "length"
        return words, "stop"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request of the OpenAI API, as far as it goes."""

    served: Served
    server_version = "ftctl-dummy"
    timeout = 60.0

    def do_GET(self) -> None:
        self.handled(self.get)

    def do_POST(self) -> None:
        self.handled(self.post)

    def handled(self, answer: Any) -> None:
        try:
            answer()
        except Refused as refused:
            self.say_error(refused.status, str(refused))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def get(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self.say({}, 200 if self.served.healthy() else 503)
            return
        self.check_key()
        if path == "/v1/models":
            self.say({"object": "list", "data": [{**stamp("model"), "id": self.served.name, MARK: True}]})
        elif path == "/metrics":
            lines = f"# {SAYS}no model is behind these numbers\n{MARK} 1\n"
            self.send(200, "text/plain; version=0.0.4", f"{lines}{MARK}_requests_total {self.requests()}\n")
        else:
            raise Refused(404, f"the dummy has no {path}")

    def requests(self) -> int:
        return max(self.served.requests, 0)

    def post(self) -> None:
        path = self.path.partition("?")[0]
        routes = {**self.routes(), "/tokenize": self.tokenize}
        self.check_key()
        body = self.body()
        if path not in routes:
            raise Refused(404, f"the dummy has no {path}; it has {', '.join(routes)}")
        if body.get("model", self.served.name) != self.served.name:
            raise Refused(404, f"the model {body['model']!r} does not exist; it is {self.served.name}")
        number, asked = self.served.count(), self.served.asked
        often = asked["error_every"]
        if often and number and number % often == 0:
            raise Refused(500, "told to fail by deploy.native.error_every")
        routes[path](body)
        if asked["die_after_requests"] is not None and number >= asked["die_after_requests"] > 0:
            self.wfile.flush()
            os.kill(os.getpid(), signal.Signals[asked["die_signal"]])

    def routes(self) -> dict[str, Any]:
        """What is asked of a model of this kind, as of a real server that serves one."""
        kind = self.served.asked["kind"]
        if kind == "embed":
            return {"/v1/embeddings": self.embed}
        if kind == "score":
            rerank = dict.fromkeys(("/rerank", "/v1/rerank", "/v2/rerank"), self.rerank)
            return {"/score": self.score, "/v1/score": self.score, **rerank}
        talk = {"/v1/chat/completions": self.chat, "/v1/completions": self.complete}
        return {**talk, "/v1/embeddings": self.embed}

    def check_key(self) -> None:
        given = self.headers.get_all("Authorization") or []
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), KEY)
        if not KEY or scheme.lower() != "bearer" or not right:
            raise Refused(401, NO_KEY)

    def body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            raise Refused(413 if length.isdigit() else 411, f"a body of at most {LARGEST} bytes is needed")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Refused(400, "the body is no JSON object")
        return value

    def chat(self, body: dict[str, Any]) -> None:
        messages = body.get("messages")
        if (
            not isinstance(messages, list)
            or not all(isinstance(one, dict) for one in messages)
            or not messages
        ):
            raise Refused(400, "messages is no list of messages")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        asked = text_of(messages[-1].get("content"))
        words, why = self.served.answer(asked, limit)
        if body.get("stream"):
            self.stream(words, why, "chat.completion.chunk", lambda text: {"delta": {"content": text}})
            return
        message = {"role": "assistant", "content": SAYS + " ".join(words)}
        self.slowly(words)
        choice = {"index": 0, "message": message, "finish_reason": why}
        self.say({**self.head("chat.completion"), "choices": [choice], "usage": usage(asked, words)})

    def complete(self, body: dict[str, Any]) -> None:
        prompts = body.get("prompt", "")
        prompts = prompts if isinstance(prompts, list) else [prompts]
        limit = body.get("max_tokens", 16)
        if body.get("stream"):
            words, why = self.served.answer(text_of(prompts[0] if prompts else ""), limit)
            self.stream(words, why, "text_completion", lambda text: {"text": text})
            return
        choices = []
        for number, prompt in enumerate(prompts):
            words, why = self.served.answer(text_of(prompt), limit)
            self.slowly(words)
            choices.append({"index": number, "text": SAYS + " ".join(words), "finish_reason": why})
        told = " ".join(map(text_of, prompts))
        said = [word for choice in choices for word in str(choice["text"]).split(" ")]
        self.say({**self.head("text_completion"), "choices": choices, "usage": usage(told, said)})

    def stream(self, words: list[str], why: str, kind: str, piece: Any) -> None:
        """The answer as server-sent events, one word each."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Ftctl-Dummy", "true")
        self.end_headers()
        head = self.head(kind)
        for text in (SAYS, *(word if at == 0 else f" {word}" for at, word in enumerate(words))):
            self.event({**head, "choices": [{"index": 0, **piece(text), "finish_reason": None}]})
            time.sleep(self.served.asked["seconds_per_token"])
        self.event({**head, "choices": [{"index": 0, **piece(""), "finish_reason": why}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, value: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")
        self.wfile.flush()

    def slowly(self, words: list[str]) -> None:
        time.sleep(self.served.asked["seconds_per_token"] * len(words))

    def embed(self, body: dict[str, Any]) -> None:
        given = body.get("input", "")
        texts = [text_of(one) for one in (given if isinstance(given, list) else [given])]
        rows = dummy_retrieval.embeddings(texts)
        self.say({**self.head("list"), "data": rows, "usage": usage(" ".join(texts), [])})

    def score(self, body: dict[str, Any]) -> None:
        try:
            pairs = dummy_retrieval.pairs_of(body)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        rows = dummy_retrieval.scores(pairs)
        self.say({**self.head("list"), "data": rows, "usage": usage(" ".join(map(" ".join, pairs)), [])})

    def rerank(self, body: dict[str, Any]) -> None:
        query, documents = text_of(body.get("query")), body.get("documents")
        if not isinstance(documents, list) or not documents:
            raise Refused(400, "documents is no list of texts")
        texts = [text_of(one.get("text")) if isinstance(one, dict) else text_of(one) for one in documents]
        head = self.head("rerank")
        results = dummy_retrieval.ranked(query, texts)[: body.get("top_n") or None]
        told = {"id": head["id"], "model": head["model"], "results": results}
        self.say({**told, "usage": usage(" ".join((query, *texts)), [])})

    def tokenize(self, body: dict[str, Any]) -> None:
        text = text_of(body.get("prompt") or [one.get("content") for one in body.get("messages", [])])
        tokens = [token_id(word) for word in text.split()]
        self.say({"count": len(tokens), "max_model_len": None, "tokens": tokens})

    def head(self, kind: str) -> dict[str, Any]:
        return {**stamp(kind), "id": f"ftctl-dummy-{self.requests()}", "model": self.served.name, MARK: True}

    def say(self, value: dict[str, Any], status: int = 200) -> None:
        self.send(status, "application/json", json.dumps({**value, MARK: True}, ensure_ascii=False))

    def say_error(self, status: int, message: str) -> None:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        code = "invalid_api_key" if status == 401 else None
        error = {"message": SAYS + message, "type": kind, "param": None, "code": code}
        self.say({"error": error}, status)

    def send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Ftctl-Dummy", "true")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        if not self.path.startswith("/health"):
            print(f"{SAYS}{format % args}", flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    asked = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(f"{SAYS}server: this stands in for an engine, and no model answers", flush=True)
    if not marked(pathlib.Path(asked["path"])):
        sys.exit(f"{SAYS}refused: {asked['path']} is no artifact of the dummy")
    time.sleep(asked["ready_after"])
    if said := asked["fail_to_start"]:
        sys.exit(f"{SAYS}told to fail: {said if isinstance(said, str) else 'by deploy.native.fail_to_start'}")
    Handler.served = Served(asked)
    try:
        server = Server((asked["host"], asked["port"]), Handler)
    except OSError as error:
        sys.exit(f"{SAYS}cannot listen on {asked['host']}:{asked['port']}: {error.strerror}")
    with server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
