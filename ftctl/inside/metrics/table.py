"""The metrics by their names, and what makes the one that a request asks for."""

from __future__ import annotations

from collections.abc import Mapping

from . import classes, judging, likelihood, overlap, plain, user_function
from .scorer import Make

METRICS: Mapping[str, Make] = {
    "exact_match": plain.exact_match,
    "contains": plain.contains,
    "regex": plain.regex,
    "f1": plain.f1,
    "json_valid": plain.json_valid,
    "json_schema": plain.json_schema,
    "bleu": overlap.bleu,
    "chrf": overlap.chrf,
    "rouge": overlap.rouge,
    "classification": classes.classification,
    "perplexity": likelihood.perplexity,
    "python": user_function.python,
    "judge": judging.judge,
}
