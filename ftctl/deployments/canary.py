"""The canary: a few prompts that a new server must answer before it takes over the address."""

from __future__ import annotations

import http.client
import json
import math
from pathlib import Path

from ftctl.deployments import client
from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError, UsageError

PROMPTS = (
    "Hello!",
    "What is 2 + 3?",
    "Write one sentence about the sea.",
    "用一句话介绍你自己。",
    "List three colours, one on each line.",
)
TOKENS = 16
MOST = 1000  # prompts


def prompts_of(file: Path | None) -> tuple[str, ...]:
    """The prompts of `deploy.canary`, one on each line; without a file a built-in handful.

    Raises UsageError for a file that cannot be read or has none.
    """
    if file is None:
        return PROMPTS
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"deploy.canary: {file} cannot be read: {why}", "one prompt on each line") from None
    prompts = tuple(line.strip() for line in lines if line.strip())
    if not 0 < len(prompts) <= MOST:
        raise UsageError(
            f"deploy.canary: {file} has {len(prompts)} prompts", f"1 to {MOST}, one on each line"
        )
    return prompts


def check_canary(deployment: Deployment, key: str, prompts: tuple[str, ...]) -> None:
    """Ask a server each prompt. Raises FtctlError where one fails or its answer is empty."""
    for number, prompt in enumerate(prompts, 1):
        try:
            empty = not _answer(deployment, key, prompt)
        except (FtctlError, OSError, ValueError, KeyError, http.client.HTTPException) as error:
            raise _failed(deployment, number, prompts, f"failed: {error}") from error
        if empty:
            raise _failed(deployment, number, prompts, "was answered with nothing")


def _failed(deployment: Deployment, number: int, prompts: tuple[str, ...], how: str) -> FtctlError:
    shown = json.dumps(prompts[number - 1][:80], ensure_ascii=False)
    return FtctlError(
        f"{deployment.name}: prompt {number} of {len(prompts)} of the canary, {shown}, {how}",
        f"see {deployment.folder}/server.log; deploy.canary names the prompts",
    )


def _answer(deployment: Deployment, key: str, prompt: str) -> bool:
    """Whether there is an answer in what the server gives for a prompt."""
    url, model = deployment.url, deployment.model
    if deployment.kind == "embed":
        (vector,) = client.embed(url, key, model, [prompt])
        return any(vector) and all(map(math.isfinite, vector))
    if deployment.kind == "score":
        return all(map(math.isfinite, client.score(url, key, model, [(prompt, prompt)])))
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": TOKENS}
    status, answer = client.request(url, "/v1/chat/completions", key=key, body=body)
    if status == 400 and b"chat template" in answer:  # a base model has none
        plain = {"model": model, "prompt": prompt, "max_tokens": TOKENS}
        status, answer = client.request(url, "/v1/completions", key=key, body=plain)
    if status != 200:
        raise FtctlError(f"the server answered {status}: {client.reason(answer)}")
    choice = json.loads(answer)["choices"][0]
    message = choice.get("message") or {}
    return bool(choice.get("text") or any(message.get(part) for part in SAID))


SAID = ("content", "reasoning", "reasoning_content", "tool_calls")
