"""BLEU and chrF by sacrebleu, ROUGE by rouge-score."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Corpus, Figure
from .rows import Row
from .scorer import Options, Rowwise, Scores, Tell, state_of
from .texts import HAN, tokenizer


class OfCorpus:
    """BLEU or chrF: sacrebleu's `metric` tells a row's statistics, `formula` makes a figure of their sums.

    `width` is how many statistics a row has; a row's own score is sacrebleu's of that row alone.
    """

    def __init__(self, name: str, metric: Any, formula: str, width: int) -> None:
        self.library, self.notes, self.unscored = f"sacrebleu {version('sacrebleu')}", list[str](), ""
        self._name, self._metric, self._formula, self._width = name, metric, formula, width
        self._statistics, self._state = array("i"), array("b")

    def prepare(self, rows: Iterable[Row], total: int, tell: Tell) -> None:
        """Nothing."""

    def score(self, row: Row) -> Scores:
        """See Scorer."""
        state = state_of(row)
        self._state.append(state)
        if state < 0:
            self._statistics.extend([0] * self._width)
            return [None]
        text = row.text if state else ""
        (found,) = self._metric._extract_corpus_statistics([text], [[row.reference]])
        self._statistics.extend(found)
        if state == 0:
            return [0.0]
        return [self._metric._compute_score_from_stats(list(found)).score]

    def figures(self) -> Mapping[str, Figure]:
        """See Scorer."""
        statistics = np.array(self._statistics, dtype=float).reshape(-1, self._width)
        return {self._name: Corpus(self._formula, statistics, np.array(self._state))}

    def close(self) -> None:
        """Nothing."""


class Bleu(OfCorpus):
    """BLEU of a corpus (Papineni et al. 2002) as sacrebleu defines it (Post 2018). A row's own score has
    effective order: without four words in a row it would be 0."""

    def __init__(self, options: Options) -> None:
        from sacrebleu.metrics import BLEU

        order, self._tokenizer = options["order"], options["tokenizer"]
        metric = BLEU(lowercase=options["lowercase"], tokenize=self._tokenizer, max_ngram_order=order,
                      effective_order=True)  # fmt: skip
        super().__init__("bleu", metric, "bleu", 2 + 2 * order)

    def score(self, row: Row) -> Scores:
        """See Scorer."""
        if not self.notes and self._tokenizer not in ("zh", "char") and HAN.search(row.reference or ""):
            self.notes.append(
                "bleu takes a Chinese sentence for one word; {bleu: {tokenizer: zh}} is for Chinese"
            )
        return super().score(row)


def bleu(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> OfCorpus:
    """See Bleu."""
    return Bleu(options)


def chrf(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> OfCorpus:
    """chrF of a corpus (Popović 2015), chrF++ with words (Popović 2017), by sacrebleu."""
    from sacrebleu.metrics import CHRF

    beta, orders = options["beta"], options["order"] + options["words"]
    metric = CHRF(char_order=options["order"], word_order=options["words"], beta=beta,
                  lowercase=options["lowercase"])  # fmt: skip
    return OfCorpus("chrf", metric, f"chrf{beta}", 3 * orders)


class _Tokens:
    """A tokenizer as rouge-score asks for one."""

    def __init__(self, options: Options, scratch: Path) -> None:
        self.tokenize = tokenizer(options["tokenizer"], scratch, stem=options["stem"])


def rouge(options: Options, scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """F1 of shared words, pairs of words and the longest common subsequence (Lin 2004), by rouge-score."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(names, tokenizer=_Tokens(options, scratch))

    def score(row: Row) -> Sequence[float]:
        found = scorer.score(row.reference, row.text)
        return [found[name].fmeasure for name in names]

    return Rowwise(names, score, library=f"rouge-score {version('rouge-score')}")
