"""The table of metrics: what each measures, its options, and the figures that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftctl.judge.metric import HIGHER, LOWER, NORMALISATIONS, NORMALISE, REQUIRED, Metric, Option

_ROW = Option("timeout", "number", "Seconds for one answer; one that takes longer is 0.", 1.0, least=0.01)
_REQUEST = Option("timeout", "number", "Seconds for one request.", 120.0, least=0.01)
_AT_ONCE = Option("concurrency", "count", "Requests that are under way at once.", 8, least=1)


def _metric(name: str, figures: str, library: str, definition: str, source: str, *options: Option,
            **more: Any) -> Metric:  # fmt: skip
    return Metric(name, definition, source, library, tuple(figures.split()), options, **more)


def _texts() -> tuple[Metric, ...]:
    """What compares an answer with its reference, character by character or word by word."""
    return (
        _metric(
            "exact_match", "exact_match", "ftctl",
            "Share of the answers that are their reference once both are normalised.",
            "Rajpurkar et al. 2016, SQuAD, section 6 (with `normalise: squad`)", NORMALISE,
        ),
        _metric(
            "contains", "contains", "ftctl",
            "Share of the answers in which the reference stands, or the texts of `text`, both normalised.",
            "counted as written", NORMALISE,
            Option("text", "texts", "Texts to look for in every answer in place of its reference."),
            Option("all", "switch", "Whether every text must stand in it, or one is enough.", True),
        ),
        _metric(
            "regex", "regex", "ftctl",
            "Share of the answers in which the pattern is found.", "Python's `re`",
            Option("pattern", "pattern", "The regular expression.", REQUIRED),
            Option("whole", "switch", "Whether the whole answer must match.", False),
            Option("ignore_case", "switch", "Whether upper and lower case are the same.", False),
            _ROW,
            needs="answer",
        ),
        _metric(
            "f1", "f1", "ftctl",
            "Mean over the rows of F1 of the tokens of answer and reference, each as often as it stands: "
            "2PR / (P + R): P being the share of the answer's tokens that are in the reference, R the other "
            "way round.",
            "Rajpurkar et al. 2016, SQuAD, section 6, and its evaluate-v1.1.py",
            Option("tokenizer", "choice", "What a token is.", "whitespace", ("whitespace", "zh", "jieba")),
        ),
    )  # fmt: skip


def _overlap() -> tuple[Metric, ...]:
    """What counts shared n-grams of words or characters."""
    return (
        _metric(
            "bleu", "bleu", "sacrebleu",
            "BLEU of the whole corpus: the geometric mean of n-gram precisions, times the brevity penalty. "
            "Not the mean of the rows; a row's own score is with effective order.",
            "Papineni et al. 2002; Post 2018 (sacreBLEU)",
            Option("tokenizer", "choice", "sacrebleu's tokenizer; zh for Chinese.", "13a",
                   ("13a", "zh", "char", "intl", "none")),
            Option("lowercase", "switch", "Whether case is ignored.", False),
            Option("order", "count", "The longest n-grams.", 4, least=1),
            scale="0 to 100",
        ),
        _metric(
            "chrf", "chrf", "sacrebleu",
            "chrF of the whole corpus: F of the character n-grams with recall weighing beta times as much as "
            "precision. With `words: 2` it is chrF++.",
            "Popović 2015 and 2017",
            Option("order", "count", "The longest character n-grams.", 6, least=1),
            Option("words", "count", "The longest word n-grams; 0 is chrF, 2 is chrF++.", 0),
            Option("beta", "count", "The weight of recall.", 2, least=1),
            Option("lowercase", "switch", "Whether case is ignored.", False),
            scale="0 to 100",
        ),
        _metric(
            "rouge", "rouge1 rouge2 rougeL", "rouge-score",
            "Mean over the rows of F1 of the shared words (rouge1), pairs of words (rouge2) and the longest "
            "common subsequence of words (rougeL).",
            "Lin 2004",
            Option("tokenizer", "choice", "What a word is.", "zh", ("zh", "ascii", "jieba")),
            Option("stem", "switch", "Whether long ASCII words are stemmed (Porter).", False),
        ),
    )  # fmt: skip


def _forms() -> tuple[Metric, ...]:
    """What looks at the answer's form, or at its class."""
    fenced = Option(
        "fenced", "switch", "Whether a fence (```json) around the answer is taken off first.", False
    )
    return (
        _metric(
            "json_valid", "json_valid", "ftctl",
            "Share of the answers that are one JSON text.", "RFC 8259 (so neither NaN nor Infinity)", fenced,
            needs="answer",
        ),
        _metric(
            "json_schema", "json_schema", "jsonschema",
            "Share of the answers that are one JSON text which the schema allows.",
            "JSON Schema, by the draft that the schema's `$schema` names (2020-12 without one)",
            Option("file", "file", "The schema.", REQUIRED), fenced,
            _ROW,
            needs="answer",
        ),
        _metric(
            "classification", "accuracy macro_f1", "scikit-learn",
            "accuracy: share of the answers that name the reference's label. macro_f1: the mean of the F1 of "
            "each label; 0 for one without a right answer.",
            "scikit-learn's accuracy_score and f1_score(average=\"macro\", zero_division=0)",
            Option("labels", "texts", "The labels; left out, all that stand in the references."),
            Option("find", "switch", "Whether a longer answer counts as the one label in it.", False),
            Option("normalise", "choices", NORMALISE.says, ("strip", "casefold"), tuple(NORMALISATIONS)),
        ),
    )  # fmt: skip


def _asked() -> tuple[Metric, ...]:
    """What asks a server, another model or the user's own code."""
    return (
        _metric(
            "perplexity", "perplexity", "vLLM",
            "exp of the mean negative log-likelihood of the references' tokens as answers to their prompts, "
            "by the server's chat template. Missing where one row could not be measured. Of vLLM alone.",
            "Jelinek et al. 1977",
            _AT_ONCE,
            _REQUEST,
            Option("retries", "count", "How often a failed request is sent again.", 3),
            needs="server", better=LOWER, scale="1 and more", worst=None,
        ),
        _metric(
            "python", "python", "ftctl",
            "Mean of what your function gives for (prediction, reference, question): a bool, or a number "
            "from 0 to 1. It runs in a process of its own; a crash, a time-out or another value is 0, noted.",
            "your function",
            Option("function", "function", "Where it is, as `check.py:ok`.", REQUIRED),
            Option("timeout", "number", "Seconds for one call.", 10.0, least=0.01),
            Option("memory", "number", "GiB of address space for it; torch needs more.", 2.0, least=0.1),
            Option("interpreter", "file", "The Python that runs it; left out, the judge's own."),
            needs="answer",
        ),
        _metric(
            "judge", "judge", "the judging model",
            "Mean of the scores that another model gives by your rubric, each answer by itself. What it does "
            "not score as it is told to counts as the worst, with a note.",
            "Zheng et al. 2023 (LLM-as-a-judge, single answer grading)",
            Option("model", "text", "The judging model's name at its server.", REQUIRED),
            Option("base_url", "url", "An OpenAI-compatible API, as `http://127.0.0.1:8000/v1`.", REQUIRED),
            Option("rubric", "file", "A text file that says what is good.", REQUIRED),
            Option("api_key", "secret", "A reference to the API's key, `${env:NAME}`."),
            Option("scale", "scale", "The lowest and the highest score.", (1, 5)),
            Option("max_tokens", "count", "How long the judgement may be.", 1024, least=1),
            _AT_ONCE,
            _REQUEST,
            Option("retries", "count", "How often a failed or unreadable judgement is asked again.", 3),
            needs="answer", scale="the option `scale`", worst=None,
        ),
    )  # fmt: skip


METRICS: Mapping[str, Metric] = {
    metric.name: metric for group in (_texts, _overlap, _forms, _asked) for metric in group()
}

# Figures that every evaluation has, without being asked for.
SPEED: Mapping[str, tuple[str, str]] = {
    "latency_p50": (LOWER, "seconds that half of the answers took at most"),
    "latency_p99": (LOWER, "seconds that 99 of 100 answers took at most; a failed request counts as endless"),
    "requests_per_second": (HIGHER, "answers divided by the seconds of asking"),
    "tokens_per_second": (HIGHER, "tokens of all answers divided by the seconds of asking"),
}


@dataclass(frozen=True)
class Asked:
    """A metric as a job asks for it: all its options, and the name of its own if it was given one."""

    metric: str
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None

    @property
    def figures(self) -> Mapping[str, str]:
        """The metric's own names of its figures, and what they are called here."""
        own = METRICS[self.metric].figures
        if self.name is None:
            return {figure: figure for figure in own}
        return {figure: self.name if len(own) == 1 else f"{self.name}_{figure}" for figure in own}


def figures_of(asked: tuple[Asked, ...]) -> dict[str, str]:
    """The names of all figures that these metrics give, with those of speed, and which is better."""
    found = {name: METRICS[one.metric].better for one in asked for name in one.figures.values()}
    return {**found, **{name: better for name, (better, _) in SPEED.items()}}
