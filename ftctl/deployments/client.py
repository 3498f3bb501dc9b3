"""A small client of the OpenAI-compatible API: health, models, answers, vectors and scores."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ftctl.errors import FtctlError

Message = Mapping[str, str]
OWNER = "X-Ftctl-Owner"  # the header that bears the owner's secret


class _Trusting(http.client.HTTPSConnection):
    """A connection to `address` that holds the server to the name in its URL."""

    def __init__(self, url: str, timeout: float) -> None:
        from ftctl.deployments.tls import trust_of  # it asks the deployments, which ask this client

        place = urlsplit(url)
        address, self._trust = trust_of(url)
        super().__init__(place.hostname or "", place.port, timeout=timeout, context=self._trust)
        self._address = address or self.host

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)


def _connect(url: str, timeout: float) -> http.client.HTTPConnection:
    place = urlsplit(url)
    if place.scheme == "https":
        return _Trusting(url, timeout)
    return http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=timeout)


def request(
    url: str,
    path: str,
    *,
    key: str | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> tuple[int, bytes]:
    """One request, POST with a body and GET without: the status and the answer's bytes.

    Raises OSError where nobody answers within `timeout` seconds, http.client.HTTPException where what
    answers is no HTTP server.
    """
    connection = _connect(url, timeout)
    try:
        _send(connection, path, key, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _send(
    connection: http.client.HTTPConnection,
    path: str,
    key: str | None,
    body: Mapping[str, Any] | None,
    more: Mapping[str, str] | None = None,
) -> None:
    headers = {**(more or {}), **({"Authorization": f"Bearer {key}"} if key else {})}
    if body is None:
        connection.request("GET", path, headers=headers)
    else:
        headers["Content-Type"] = "application/json"
        connection.request("POST", path, body=json.dumps(body).encode(), headers=headers)


def healthy(url: str, timeout: float = 2.0) -> bool:
    """Whether /health answers 200."""
    try:
        return request(url, "/health", timeout=timeout)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def models(url: str, key: str, timeout: float = 30.0) -> tuple[str, ...]:
    """The names of the models that the server offers."""
    status, answer = request(url, "/v1/models", key=key, timeout=timeout)
    if status != 200:
        raise FtctlError(f"/v1/models answered {status}: {reason(answer)}")
    return tuple(str(model["id"]) for model in json.loads(answer)["data"])


def complete_one_token(url: str, key: str, model: str, timeout: float = 300.0) -> None:
    """Ask for one token, to see that the engine computes. Raises FtctlError where it does not."""
    body = {"model": model, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    status, answer = request(url, "/v1/completions", key=key, body=body, timeout=timeout)
    if status != 200:
        raise FtctlError(f"the first completion was answered {status}: {reason(answer)}")
    if not json.loads(answer).get("choices"):
        raise FtctlError(f"the first completion was empty: {reason(answer)}")


def embed(
    url: str, key: str, model: str, texts: Sequence[str], *, cut: bool = False, timeout: float = 300.0
) -> list[list[float]]:
    """One vector for each text, in order. Raises FtctlError where the server refuses.

    Nothing is put in front of a text: a query's instruction is the caller's to add. With `cut` a text that
    is too long is cut, as FlagEmbedding does, instead of refused.
    """
    body = {"model": model, "input": list(texts), **({"truncate_prompt_tokens": -1} if cut else {})}
    status, answer = request(url, "/v1/embeddings", key=key, body=body, timeout=timeout)
    if status != 200:
        raise FtctlError(f"/v1/embeddings answered {status}: {reason(answer)}")
    rows = sorted(json.loads(answer)["data"], key=lambda row: int(row["index"]))
    return [[float(number) for number in row["embedding"]] for row in rows]


def score(
    url: str,
    key: str,
    model: str,
    pairs: Sequence[tuple[str, str]],
    *,
    cut: bool = False,
    timeout: float = 300.0,
) -> list[float]:
    """The score of each pair of a query and a passage, in order. Raises FtctlError where it is refused."""
    body = {
        "model": model,
        "text_1": [query for query, _ in pairs],
        "text_2": [passage for _, passage in pairs],
        **({"truncate_prompt_tokens": -1} if cut else {}),
    }
    status, answer = request(url, "/score", key=key, body=body, timeout=timeout)
    if status != 200:
        raise FtctlError(f"/score answered {status}: {reason(answer)}")
    rows = sorted(json.loads(answer)["data"], key=lambda row: int(row["index"]))
    return [float(row["score"]) for row in rows]


def compute_once(url: str, key: str, model: str, kind: str, timeout: float = 300.0) -> None:
    """Ask for the least that a server of that kind computes. Raises FtctlError where it does not."""
    if kind == "embed":
        if not any(embed(url, key, model, ["Hello"], timeout=timeout)):
            raise FtctlError("the first embedding was empty")
    elif kind == "score":
        score(url, key, model, [("Hello", "Hello")], timeout=timeout)
    else:
        complete_one_token(url, key, model, timeout)


def chat(
    url: str, key: str, model: str, messages: Sequence[Message], *, timeout: float = 600.0, **options: Any
) -> Iterator[str]:
    """The answer to `messages`, piece by piece as it is made. `options` are the API's own (max_tokens, …).

    Raises FtctlError where the server refuses, breaks off or is not there.
    """
    connection = _connect(url, timeout)
    try:
        _send(
            connection,
            "/v1/chat/completions",
            key,
            {"model": model, "messages": messages, "stream": True, **options},
        )
        answer = connection.getresponse()
        if answer.status != 200:
            raise FtctlError(f"the server answered {answer.status}: {reason(answer.read())}")
        yield from _pieces(answer)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise FtctlError(f"the server does not answer: {why}", "see ftctl ps") from error
    finally:
        connection.close()


def _pieces(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[str]:
    """The text in a stream of server-sent events; the stream must end with [DONE]."""
    for raw in lines:
        line = raw.decode("utf-8", "replace").strip()
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            raise FtctlError(f"the server failed while answering: {reason(data.encode())}", "see ftctl logs")
        for choice in event.get("choices", ()):
            delta = choice.get("delta", {})
            if text := delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning"):
                yield text
    raise FtctlError("the server broke off in the middle of its answer", "see ftctl logs and ftctl ps")


def reason(answer: bytes) -> str:
    """What an error answer says, in one line."""
    text = answer.decode("utf-8", "replace").strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text[:300]
    error = value.get("error", value) if isinstance(value, dict) else value
    message = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return str(message or text)[:300]
