"""The formulas of corpus figures over sums of statistics: B rows of sums in, B values out.

The libraries have them for one row of sums; a thousand resamples want them for many at once. `by_library` is
theirs, and a test holds the two to the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = Any  # a numpy array


def bleu(sums: Array) -> Array:
    """BLEU, 0 to 100: 100 exp(mean log p_n) min(1, exp(1 - r / c)), with a p_n without a match smoothed to
    1 / (2^k total_n), k counting such n ("exp", sacrebleu's default).

    Columns: length of the answers, of the references, matches of each order, totals of each order. Papineni
    et al. 2002; the smoothing is method 3 of Chen and Cherry 2014.
    """
    orders = (sums.shape[1] - 2) // 2
    told, wanted = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + orders], sums[:, 2 + orders :]
    smooth, logs = np.ones(len(sums)), np.zeros(len(sums))
    for order in range(orders):
        match, total = matches[:, order], np.maximum(totals[:, order], 1e-300)
        smooth = np.where(match == 0, smooth * 2, smooth)
        logs += np.log(np.where(match > 0, np.maximum(match, 1e-300), 1 / smooth) / total)
    penalty = np.exp(np.minimum(0.0, 1 - wanted / np.maximum(told, 1e-300)))
    there = (matches.sum(axis=1) > 0) & (totals > 0).all(axis=1)
    return np.where(there, 100 * penalty * np.exp(np.where(there, logs, 0.0) / orders), 0.0)


def chrf(beta: int) -> Callable[[Array], Array]:
    """chrF, 0 to 100: (1 + beta²) P R / (beta² P + R), P and R being means over the orders that both texts
    have (sacrebleu's default, without smoothing).

    Columns: for each order the answers' n-grams, the references', and the matches. Popović 2015.
    """

    def formula(sums: Array) -> Array:
        told, wanted, matches = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
        both = (told > 0) & (wanted > 0)
        count = np.maximum(both.sum(axis=1), 1)
        precision = np.where(both, matches / np.maximum(told, 1), 0.0).sum(axis=1) / count
        recall = np.where(both, matches / np.maximum(wanted, 1), 0.0).sum(axis=1) / count
        below = beta**2 * precision + recall
        return 100 * (1 + beta**2) * precision * recall / np.where(below > 0, below, 1.0)

    return formula


def perplexity(sums: Array) -> Array:
    """exp of the negative log-likelihood per token. Columns: its sum in nats, and the tokens."""
    return np.exp(sums[:, 0] / np.maximum(sums[:, 1], 1))


def by_library(name: str, sums: Array) -> float:
    """The figure of one row of sums, as sacrebleu has it."""
    from sacrebleu.metrics import BLEU, CHRF

    if name == "bleu":
        orders = (len(sums) - 2) // 2
        told, wanted, *counts = (int(value) for value in sums)
        return float(
            BLEU.compute_bleu(
                counts[:orders], counts[orders:], told, wanted, smooth_method="exp", max_ngram_order=orders
            ).score
        )
    if name.startswith("chrf"):
        metric = CHRF(char_order=len(sums) // 3, beta=int(name.removeprefix("chrf")))
        return float(metric._compute_f_score([int(value) for value in sums]))
    return float(FORMULAS[name](sums[None])[0])


FORMULAS: Mapping[str, Callable[[Array], Array]] = {
    "bleu": bleu,
    "perplexity": perplexity,
    **{f"chrf{beta}": chrf(beta) for beta in range(1, 10)},
}
