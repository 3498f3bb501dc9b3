"""Perplexity: how likely the served model takes the references to be, as answers to their prompts."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .asking import Failed, Patience, Place, Post, ask_all
from .figures import Corpus, Figure, Mean
from .kept import Kept, key_of
from .refused import Refused
from .rows import Row
from .scorer import Options, Scores, Tell

ENOUGH = 3  # rows that failed, after which no other is asked: one makes the figure missing
KEY = "FTCTL_DEPLOYMENT_KEY"


class Perplexity:
    """exp(-(1/N) sum log p(token)) over the N tokens of all references (Jelinek et al. 1977).

    vLLM makes the tokens of the conversation up to the answer, and of that with it but without its end
    (/tokenize); what comes after the tokens that both begin with is the reference. /v1/completions then
    tells the log-probability of each token of the whole (`prompt_logprobs`). A row that fails makes the
    figure missing: the mean of the rest would be another's.
    """

    def __init__(self, options: Options, folder: Path, server: Mapping[str, Any]) -> None:
        self.library, self.notes, self.unscored = "vLLM", list[str](), ""
        self._folder, self._server = folder, server
        self._patience = Patience(options["concurrency"], options["timeout"], options["retries"])
        self._found: dict[str, tuple[float, int]] = {}
        self._failed: dict[str, str] = {}
        self._nats, self._tokens, self._rows = array("d"), array("d"), array("b")

    def prepare(self, rows: Iterable[Row], total: int, tell: Tell) -> None:
        """Ask the server about every reference that it was not asked about before."""
        server = self._server
        place = Place(server["url"], os.environ.get(KEY), server.get("ca"), server.get("listens"))
        with Kept(self._folder / "perplexity.jsonl") as kept:

            async def ask(post: Post, row: Row) -> None:
                if len(self._failed) >= ENOUGH:
                    return
                key = key_of(self._server.get("artifact"), row.prompt, row.tools, row.reference)
                try:
                    if key not in kept:
                        kept.put(key, await self._measure(post, row))
                    self._found[row.id] = (float(kept[key][0]), int(kept[key][1]))
                except Failed as error:
                    self._failed[row.id] = str(error)
                tell("perplexity", len(self._found) + len(self._failed), total)

            ask_all((row for row in rows if row.reference is not None), ask, place, self._patience)

    async def _measure(self, post: Post, row: Row) -> tuple[float, int]:
        """The negative log-likelihood of the reference in nats, and its tokens. Raises Failed."""
        model = self._server["model"]
        with_tools = {"tools": row.tools} if row.tools else {}
        answer = {"role": "assistant", "content": row.reference}
        asked = {"model": model, "messages": row.prompt, "add_generation_prompt": True, **with_tools}
        told = {"model": model, "messages": [*row.prompt, answer], "add_generation_prompt": False,
                "continue_final_message": True, **with_tools}  # fmt: skip
        try:
            ahead, whole = [(await post("/tokenize", body))["tokens"] for body in (asked, told)]
            same = (at for at, pair in enumerate(zip(ahead, whole, strict=False)) if pair[0] != pair[1])
            start = max(1, next(same, min(len(ahead), len(whole))))
            if start >= len(whole):
                raise Failed("its chat template shows nothing of the reference")
            body = {"model": model, "prompt": whole, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
            found = (await post("/v1/completions", body))["choices"][0]["prompt_logprobs"]
            if len(found) != len(whole):
                raise Failed(f"it told {len(found)} log-probabilities of {len(whole)} tokens")
            logs = [found[at][str(whole[at])]["logprob"] for at in range(start, len(whole))]
        except (KeyError, TypeError, IndexError) as error:
            raise Failed(f"its answer has no {error}") from None
        if not all(isinstance(one, int | float) and math.isfinite(one) for one in logs):
            raise Failed("a log-probability is no number")
        return -math.fsum(logs), len(logs)

    def score(self, row: Row) -> Scores:
        """See Scorer."""
        nats, tokens = self._found.get(row.id, (0.0, 0))
        self._nats.append(nats)
        self._tokens.append(tokens)
        self._rows.append(-1 if row.reference is None else 1)
        return [math.exp(min(700.0, nats / tokens)) if tokens else None]

    def figures(self) -> Mapping[str, Figure]:
        """See Scorer."""
        if self._failed:
            first = next(iter(self._failed.values()))
            self.unscored = f"the server could not measure every reference: {first}"
            self.notes.append(f"perplexity: {self.unscored}")
            return {"perplexity": Mean(np.full(len(self._rows), np.nan))}
        statistics = np.stack([np.array(self._nats), np.array(self._tokens)], axis=1)
        return {"perplexity": Corpus("perplexity", statistics, np.array(self._rows))}

    def close(self) -> None:
        """Nothing."""


def perplexity(options: Options, _scratch: Path, request: Mapping[str, Any]) -> Perplexity:
    """See Perplexity. Raises Refused where there is no server to ask."""
    if not request.get("server"):
        raise Refused("perplexity asks the server about the references, and none was given")
    return Perplexity(options, Path(request["folder"]), request["server"])
