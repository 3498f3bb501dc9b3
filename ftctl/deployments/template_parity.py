"""Parity of a language model: the token ids that a server makes of conversations against the trained ones.

The artifact's or the run's trained_template.json has the conversations and what the training engine makes of
them; vLLM is asked by its own /tokenize, which applies its chat template. LMDeploy tells no ids: there the
tokens of a prompt are counted.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import stops
from ftctl.artifacts.weights import read_json
from ftctl.deployments import client
from ftctl.deployments.model import Deployment, Parity, Unlike
from ftctl.errors import FtctlError
from ftctl.plan.model import ServePlan

TOKENIZES = frozenset({"vllm"})
SHOWN = 12  # tokens of a difference that are told
INFERRED = "earlier turns' empty thoughts are dropped, as LLaMA-Factory's own inference does"


@dataclass(frozen=True)
class Difference:
    """A conversation of which the server makes other tokens: from which on, and the ids; or that in words."""

    name: str
    at: int = 0
    trained: tuple[int, ...] = ()
    served: tuple[int, ...] = ()
    words: str = ""


def whole(trained: Mapping[str, Any]) -> bool:
    """Whether it has the form of trained_template.json, as far as a comparison reads it."""
    conversations, end = trained["conversations"], trained.get("end")
    ended = end is None or (isinstance(end, dict) and isinstance(end.get("id"), int) and "token" in end)
    return ended and isinstance(conversations, list) and all(map(_whole_one, conversations))


def _whole_one(one: Any) -> bool:
    if not isinstance(one, dict) or not {"name", "messages", "ids"} <= one.keys():
        return False
    return isinstance(one["name"], str) and all(
        isinstance(ids, list) and all(isinstance(token, int) for token in ids)
        for ids in (one["ids"], one.get("also") or [])
    )


def compare(trained: Mapping[str, Any], served: Sequence[int] | int | str) -> Difference | None:
    """How what a server makes of a conversation (ids, how many, or the words of its refusal) differs from
    what was trained; None where it does not."""
    name, wanted, also = str(trained["name"]), trained["ids"], trained.get("also")
    if isinstance(served, str):
        return Difference(name, words=f"the server refuses it: {served}")
    if isinstance(served, int):
        if served in (len(wanted), None if also is None else len(also)):
            return None
        return Difference(name, words=f"the server makes {served} tokens of it and {len(wanted)} are trained")
    if list(served) in (wanted, also):
        return None
    pairs = enumerate(zip(wanted, served, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(wanted), len(served)))
    return Difference(name, at, tuple(wanted), tuple(served))


def template_parity(deployment: Deployment, plan: ServePlan, key: str, trained: Mapping[str, Any]) -> Parity:
    """Ask the server for the tokens of every conversation, and compare.

    Raises Unlike with the first difference in text and ids and the way out, where one that the data has the
    like of differs, or where the server would not stop at the end of an answer.
    """
    conversations = trained["conversations"]
    ask: Callable[[Deployment, str, Mapping[str, Any]], list[int] | int | str] = _ids
    if plan.engine not in TOKENIZES:
        # Tools need a parser to be asked with, which only who uses them has set.
        conversations, ask = [one for one in conversations if not one.get("tools")], _count
    served = [ask(deployment, key, one) for one in conversations]
    pairs = zip(conversations, served, strict=True)
    found = {one["name"]: compare(one, ids) for one, ids in pairs}
    differing = [different for different in found.values() if different is not None]
    same = 1 - len(differing) / len(conversations)
    needed = [one["name"] for one in conversations if one.get("needed", True) and found[one["name"]]]
    if needed:
        first = next(different for different in differing if different.name == needed[0])
        told = f"{len(differing)} of {len(conversations)} conversations differ, the first is {first.name!r}"
        raise Unlike(
            f"{deployment.name} does not see a conversation as the model was trained: {told}: "
            f"{_told(deployment, key, first)}",
            _remedy(plan, trained),
            Parity("tokens", round(same, 4), len(conversations), differs=True),
        )
    _check_end(deployment, plan, trained)
    return Parity("tokens", round(same, 4), len(conversations), note=_note(differing, conversations, served))


def _ids(deployment: Deployment, key: str, one: Mapping[str, Any]) -> list[int] | str:
    """The server's token ids of a conversation up to the answer, or the words of its refusal."""
    answer = _ask(deployment, key, one, "/tokenize", {"add_generation_prompt": True})
    return answer if isinstance(answer, str) else [int(token) for token in answer["tokens"]]


def _count(deployment: Deployment, key: str, one: Mapping[str, Any]) -> int | str:
    """How many tokens the server makes of a conversation up to the answer, by what it bills for one."""
    answer = _ask(deployment, key, one, "/v1/chat/completions", {"max_tokens": 1, "temperature": 0})
    return answer if isinstance(answer, str) else int(answer["usage"]["prompt_tokens"])


def _ask(
    deployment: Deployment, key: str, one: Mapping[str, Any], path: str, more: Mapping[str, Any]
) -> dict[str, Any] | str:
    """What the server answers to a conversation, or the words of its refusal.

    Raises FtctlError where it does not answer.
    """
    body = {"model": deployment.model, "messages": one["messages"], **more}
    body |= {"tools": one["tools"]} if one.get("tools") else {}
    body |= {"chat_template_kwargs": one["kwargs"]} if one.get("kwargs") else {}
    try:
        status, answer = client.request(deployment.url, path, key=key, body=body)
    except (OSError, http.client.HTTPException) as error:
        told = f"{deployment.name} did not give the tokens of the conversation {one['name']!r}"
        raise FtctlError(
            f"{told}: {error or type(error).__name__}", "its chat template may not end"
        ) from error
    if status != 200:
        return client.reason(answer)
    value: dict[str, Any] = json.loads(answer)
    return value


def _told(deployment: Deployment, key: str, first: Difference) -> str:
    """A difference in text and ids."""
    if first.words:
        return first.words
    sides = []
    for what, ids in (("trained", first.trained), ("served", first.served)):
        part = ids[first.at : first.at + SHOWN]
        sides.append(
            f"{what} {_text(deployment, key, part)!r} {list(part)}" if part else f"{what} nothing more"
        )
    return f"from token {first.at + 1} on, {' but '.join(sides)}"


def _text(deployment: Deployment, key: str, ids: Sequence[int]) -> str:
    """What token ids stand for, by the server; an id that it lacks has no text."""
    body = {"model": deployment.model, "tokens": list(ids)}
    status, answer = client.request(deployment.url, "/detokenize", key=key, body=body)
    return str(json.loads(answer)["prompt"]) if status == 200 else "?"


def _remedy(plan: ServePlan, trained: Mapping[str, Any]) -> str:
    """Which template to set where."""
    go_on = "deploy.parity: warn serves it all the same"
    if trained.get("chat_template") is None:
        fitting = "train with a model.template that fits the model, or without one for the model's own"
        name = trained.get("template") or "the engine"
        return f"no chat template gives what {name} trained: {fitting}; {go_on}"
    return (
        "take chat_template out of deploy.native where it is set, for the model's folder has the right one; "
        f"one that has lost it gets it back from its run (chat_template in trained_template.json); {go_on}"
    )


def _check_end(deployment: Deployment, plan: ServePlan, trained: Mapping[str, Any]) -> None:
    """Raises Unlike where an answer's trained end would not stop the server."""
    folder, end = _weights(deployment, plan), trained.get("end")
    if end is None or folder is None or end["id"] in stops(folder):
        return
    raise Unlike(
        f"{deployment.name} would not stop where answers end: the model was trained to end them with "
        f"{end['token']} ({end['id']}), and {folder / 'generation_config.json'} does not list it",
        "add it to eos_token_id there"
        if plan.adapter != "attach"
        else "set deploy.adapter: merge, whose result lists it",
        Parity("tokens", differs=True),
    )


def _weights(deployment: Deployment, plan: ServePlan) -> Path | None:
    """The folder whose tokenizer and generation_config the server has; None where it is a Hub's."""
    folder = Path(deployment.artifact)
    if plan.adapter == "attach":
        base = str(read_json(folder / "adapter_config.json").get("base_model_name_or_path"))
        folder = folder.parent / base  # the engine's is relative to the run; an absolute one stands alone
    return folder if (folder / "config.json").is_file() else None


def _note(
    differing: Sequence[Difference], conversations: Sequence[Mapping[str, Any]], served: Sequence[Any]
) -> str:
    """What is not as trained and no fault: of tools no row of the data had, and of earlier thoughts."""
    inferred = any(
        ids != one["ids"] and ids == one.get("also") for one, ids in zip(conversations, served, strict=True)
    )
    counted = (
        "by their number, and none with tools: the server tells no ids" if isinstance(served[0], int) else ""
    )
    tools = "with tools, which the data has none of, it sees other tokens" if differing else ""
    return "; ".join(part for part in (counted, tools, INFERRED if inferred else "") if part)
