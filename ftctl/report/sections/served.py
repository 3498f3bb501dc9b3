"""How the result was served, and that the server answers as the model was trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.report.model import BAD, GOOD, Block, Facts, Note, Section
from ftctl.report.records import Records

TEMPLATE = {
    "same": "The tokenizer's chat template gives a server the trained tokens, in {count} conversations.",
    "rewritten": "The result got the chat template that gives a server the trained tokens.",
    "unlike": "No chat template gives a server the trained tokens.",
}


def served(records: Records) -> Section | None:
    """The deployment's name and engine, and how its answers were held against the training."""
    deployment = records.newest("deployment", state="ready")
    serve = records.plan.serve if records.plan is not None else None
    blocks: list[Block] = []
    if serve is not None:
        rows = [("Deployment", serve.name), ("Engine", serve.engine), ("Adapter", serve.adapter)]
        rows += [("Precision", serve.dtype)]
        rows += [("Longest input", f"{serve.max_length:,} tokens")] if serve.max_length else []
        blocks.append(Facts(tuple(rows)))
    parity = (deployment or {}).get("parity")
    if isinstance(parity, dict):
        words, good = parity_words(parity)
        blocks.append(Note(words, GOOD if good else BAD))
    elif serve is not None:
        blocks.append(
            Note(
                "Whether a server answers as trained is not on record: none was ready in this run."
                if deployment is None
                else "The server's answers were not held against the training."
            )
        )
    blocks += _template(records.newest("template"))
    return Section("served", "Serving and parity", tuple(blocks)) if blocks else None


def parity_words(parity: Mapping[str, Any]) -> tuple[str, bool]:
    """A comparison of served and trained in a sentence, and whether they agree."""
    figure, number, note = parity.get("figure"), parity.get("count", 0), parity.get("note") or ""
    good = not parity.get("differs")
    match parity.get("measure"):
        case "tokens":
            share = f"{100 * figure:.3g} %" if isinstance(figure, int | float) else "an unknown share"
            words = f"The server sees the same tokens as the training in {share} of {number} conversations"
        case "cosine":
            words = (
                f"The served vectors are the trained ones: cosine {figure:.6f} at worst, in {number} texts"
            )
        case "difference":
            words = f"The served scores are the trained ones: {figure:.2g} apart at most, in {number} pairs"
        case other:
            words = f"Parity ({other}): {figure}"
    return f"{words}{f'; {note}' if note else ''}.", good


def _template(event: Mapping[str, Any] | None) -> list[Block]:
    if event is None or event.get("state") not in TEMPLATE:
        return []
    words = TEMPLATE[str(event["state"])].format(count=event.get("conversations", 0))
    return [Note(words, BAD if event["state"] == "unlike" else "plain")]
