"""Parity: a server's answers against the training engine's own, at every deployment.

A language model is compared by the tokens of conversations (template_parity.py). For the others the run's
reference.json holds a fixed set of inputs and what FlagEmbedding makes of them with the trained weights.
Cosines must reach 0.999; scores may differ by a share of their size that depends on the dtype.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftctl.artifacts.chat_template import TRAINED
from ftctl.artifacts.dummy import DUMMY
from ftctl.artifacts.reading import parse, read_bytes
from ftctl.deployments import client
from ftctl.deployments.model import Deployment, Parity, Unlike
from ftctl.deployments.template_parity import template_parity, whole
from ftctl.errors import FtctlError
from ftctl.plan.model import ServePlan
from ftctl.plan.serve_kind import POOLING_TYPES

REFERENCE = "reference.json"
COSINE = 0.999
LENGTHS = 0.02  # share by which vectors may be longer or shorter
TOLERANCES = {"float32": 1e-3}  # of scores, relative; the figure for half precision is HALF
HALF = 2e-2
RESOLVED = re.compile(r"Resolved pooling config: pooling_type=(\w+)\(source=(\w+)\)")

Vectors = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Worst:
    """The worst figure of a comparison and where in the set it is."""

    figure: float
    at: int


def worst_cosine(trained: Vectors, served: Vectors) -> Worst:
    """The smallest cosine between vectors of one place; -1 where one is not a number or has another width."""
    cosines = [_cosine(*pair) for pair in zip(trained, served, strict=True)]
    at = min(range(len(cosines)), key=cosines.__getitem__)
    return Worst(cosines[at], at)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    if len(one) != len(other):
        return -1.0
    product = math.sumprod(one, other) if hasattr(math, "sumprod") else sum(map(float.__mul__, one, other))
    size = math.hypot(*one) * math.hypot(*other)
    return product / size if size > 0 and math.isfinite(product) and math.isfinite(size) else -1.0


def worst_length(trained: Vectors, served: Vectors) -> Worst:
    """The largest share by which a vector's length differs."""
    shares = [
        abs(math.hypot(*one) - math.hypot(*other)) / (math.hypot(*one) or 1.0)
        for one, other in zip(trained, served, strict=True)
    ]
    at = max(range(len(shares)), key=shares.__getitem__)
    return Worst(shares[at], at)


def worst_difference(trained: Sequence[float], served: Sequence[float]) -> Worst:
    """The largest difference relative to the score, or to the scores' mean size where that is larger.

    A score near zero has no size of its own to be measured by. Infinite where one is not a number.
    """
    usual = sum(map(abs, trained)) / len(trained)
    shares = [
        abs(one - other) / (max(abs(one), usual) or 1.0) for one, other in zip(trained, served, strict=True)
    ]
    shares = [share if math.isfinite(share) else math.inf for share in shares]
    at = max(range(len(shares)), key=shares.__getitem__)
    return Worst(shares[at], at)


def tolerance(dtype: str) -> float:
    """By which share scores may differ where the server computes in `dtype`."""
    return TOLERANCES.get(dtype, HALF)


def check_parity(
    deployment: Deployment, plan: ServePlan, key: str, log: Path, *, then: str = "fail"
) -> Parity | None:
    """Ask the server what the run's reference asks, and compare. None for a dummy.

    Where they are not the same: raises Unlike with the figure, the text, what differs and the way out; with
    `then` warn the parity says it. Raises FtctlError for a reference that cannot be read.
    """
    if plan.engine == DUMMY:
        return None
    try:
        return _compared(deployment, plan, key, log)
    except Unlike as error:
        if then == "fail":
            raise
        return replace(error.parity, note=error.message, differs=True)


def _compared(deployment: Deployment, plan: ServePlan, key: str, log: Path) -> Parity:
    if plan.kind == "generate":
        trained = _read(deployment, TRAINED, ("conversations",), whole)
        if trained is None:
            return Parity("tokens", note="no trained template to compare with: parity not checked")
        return template_parity(deployment, plan, key, trained)
    reference = _read(deployment, REFERENCE, ("vectors", "scores"))
    if reference is None:
        return Parity(note="no reference: parity not checked")
    if plan.kind == "score":
        return _scores(deployment, plan, key, reference)
    return _vectors(deployment, plan, key, reference, log)


def _read(
    deployment: Deployment,
    name: str,
    one_of: tuple[str, ...],
    usable: Callable[[dict[str, Any]], bool] = lambda value: True,
) -> dict[str, Any] | None:
    """The reference of the run, or one that lies in the model's folder; None where there is neither."""
    folders = [Path(folder) for folder in (deployment.run, deployment.artifact) if folder]
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is None:
        return None
    try:
        value = parse(read_bytes(file))
        if not isinstance(value, dict) or not any(value.get(key) for key in one_of):
            raise ValueError(f"it has no {' and no '.join(one_of)}")
        if not usable(value):
            raise ValueError("it is not of the form that a training writes")
    except ValueError as error:
        raise FtctlError(f"{file} cannot be used: {error}", "train again, or deploy the folder") from None
    return value


def _vectors(
    deployment: Deployment, plan: ServePlan, key: str, reference: dict[str, Any], log: Path
) -> Parity:
    queries = reference.get("queries") or []
    ahead = reference.get("query_instruction") or ""
    sent = [*reference["texts"], *(f"{ahead}{query}{plan.query_suffix or ''}" for query in queries)]
    trained = [*reference["vectors"], *(reference.get("query_vectors") or [])]
    served = client.embed(deployment.url, key, deployment.model, sent, cut=True)
    worst, length = worst_cosine(trained, served), worst_length(trained, served)
    if worst.figure < COSINE:
        what = f"{_quoted(sent[worst.at])} has a cosine of {worst.figure:.3f} to the trained model's vector"
        parity = Parity("cosine", round(worst.figure, 7), len(sent))
        raise _unlike(deployment, f"{what}, under {COSINE}", _difference(plan, log), parity)
    if length.figure > LENGTHS:
        what = f"the vector of {_quoted(sent[length.at])} has another length than the trained model's"
        said = "normalised" if plan.normalize else "as they come"
        why = (f"vectors were trained {said}", "leave pooler_config to ftctl")
        raise _unlike(deployment, what, why, Parity("cosine", round(worst.figure, 7), len(sent)))
    return Parity("cosine", round(worst.figure, 7), len(sent))


def _scores(deployment: Deployment, plan: ServePlan, key: str, reference: dict[str, Any]) -> Parity:
    pairs = [(str(query), str(passage)) for query, passage in reference["pairs"]]
    # A language model's prompts are in the server's template; a cross-encoder's are the client's to add.
    ahead = (deployment.query_prompt or "", deployment.passage_prompt or "")
    sent = [(ahead[0] + query, ahead[1] + passage) for query, passage in pairs]
    # Cutting would take the question off that ends a language model's text.
    served = client.score(deployment.url, key, deployment.model, sent, cut=plan.head == "label")
    worst, allowed = worst_difference(reference["scores"], served), tolerance(plan.dtype)
    if worst.figure > allowed:
        told = f"{_quoted(' / '.join(pairs[worst.at]))} scores {served[worst.at]:.5g}"
        told += (
            f" and the trained model gives it {reference['scores'][worst.at]:.5g}: {worst.figure:.2g} apart"
        )
        way = "set deploy.dtype: float32" if plan.dtype != "float32" else "see deploy.native for what it sets"
        parity = Parity("difference", round(worst.figure, 9), len(pairs))
        raise _unlike(deployment, f"{told}, more than {allowed:g} ({plan.dtype})", ("", way), parity)
    return Parity("difference", round(worst.figure, 9), len(pairs))


def _difference(plan: ServePlan, log: Path) -> tuple[str, str]:
    """What differs between the server and the training, as far as its log says, and the way out."""
    found = RESOLVED.findall(log.read_text("utf-8", "replace"))
    trained = POOLING_TYPES.get(plan.pooling or "")
    if found and trained and found[-1][0] != trained:
        resolved, source = found[-1]
        by = "deploy.native.pooler_config" if source == "user" else "vLLM's own choice"
        way = "take pooler_config out of deploy.native; ftctl derives it" if source == "user" else ""
        return f"vLLM pools by {resolved} ({by}) and the model was trained with {trained}", way or (
            "train again with this version of ftctl, which writes modules.json"
        )
    if plan.dtype != "float32":
        return f"the server computes in {plan.dtype}", "set deploy.dtype: float32"
    return "the pooling is the same, so the text's tokens must differ", "see the server's log"


def _unlike(deployment: Deployment, what: str, why: tuple[str, str], parity: Parity) -> Unlike:
    """The error of a deployment that does not give what was trained."""
    because, way = why
    told = f"{deployment.name} does not answer as the model was trained: {what}"
    return Unlike(f"{told}; {because}" if because else told, way, parity)


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line[:57]}…"' if len(line) > 58 else f'"{line}"'
