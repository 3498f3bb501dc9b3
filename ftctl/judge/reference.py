"""The page of all metrics, from the table: `python -m ftctl.judge.reference` writes `docs/metrics.md`."""

from __future__ import annotations

from typing import Any

from ftctl.judge.metric import LOWER, NORMALISATIONS, REQUIRED, TOKENIZERS, Metric, Option
from ftctl.judge.metrics import METRICS, SPEED

_HEAD = """\
<!-- Made from ftctl/judge/metrics.py by `python -m ftctl.judge.reference`; do not edit. -->
# Metrics

What `evaluate.metrics` in a job may ask for: a name, or a name with options.

```yaml
evaluate:
  data: data/test.jsonl
  metrics:
    - exact_match
    - rouge: {tokenizer: zh}
    - exact_match: {as: loose, normalise: [nfkc, casefold, strip]}
```

`as` gives the figure another name, so that one metric can be asked for twice; of a metric with several
figures it stands in front of each (`zh_rougeL`). Gates use these names. Paths are relative to the job
file.

## How sure a figure is

Every figure comes with an interval, of 95 % unless said otherwise: the percentile bootstrap over the
rows (Efron and Tibshirani 1993, chapter 13), 1000 resamples by a seed, so that the same predictions give
the same interval. Figures of a whole corpus (BLEU, chrF, macro F1, perplexity) are computed anew from
the sums of each resample. Two evaluations are compared on the questions that both were asked, drawing
the same rows for both (Koehn 2004). Under 30 rows, and where every row has the same score, an interval
says little, and a note says so.

## What is not answered

A question without an answer, by an error or because it is empty, has the worst score; it is never left
out. BLEU and chrF are then the lesser of two: with an empty answer there, and of the answered rows times
their share. In macro F1 it counts as told for every label but its own. A failed request takes endless
time, so that latencies can be missing. A row without a reference has no score by a metric that needs
one.

## The figures of every evaluation

| figure | better | what it is |
|---|---|---|
{speed}

They depend on how many requests were under way at once, and on what else the machine did.

"""


def reference() -> str:
    """The whole page as Markdown."""
    speed = "\n".join(f"| `{name}` | {better} | {says} |" for name, (better, says) in SPEED.items())
    parts = [_HEAD.replace("{speed}", speed), "## The metrics\n"]
    parts += [_section(metric) for metric in METRICS.values()]
    parts += ["## Normalisations\n", _words("normalise", NORMALISATIONS)]
    parts += ["## Tokenizers of f1 and rouge\n", _words("tokenizer", TOKENIZERS)]
    return "\n".join(parts)


def _section(metric: Metric) -> str:
    named = ", ".join(f"`{figure}`" for figure in metric.figures)
    better = "lower is better" if metric.better == LOWER else "higher is better"
    needs = {"reference": "Needs references.", "answer": "Needs no reference.", "server": "Needs references."}
    lines = [
        f"### {metric.name}\n",
        f"{metric.definition}\n",
        f"Figures: {named}, {metric.scale}, {better}. {needs[metric.needs]} Counted by {metric.library}. "
        f"Definition: {metric.source}.\n",
    ]
    if metric.options:
        lines += ["| option | values | default | what it is |", "|---|---|---|---|"]
        lines += [_row(option) for option in metric.options]
        lines.append("")
    return "\n".join(lines)


def _row(option: Option) -> str:
    values = " ".join(f"`{choice}`" for choice in option.choices) or _KINDS[option.kind]
    return f"| `{option.name}` | {values} | {_default(option.default)} | {option.says} |"


_KINDS = {
    "switch": "`true` `false`",
    "count": "a whole number",
    "number": "a number",
    "text": "a text",
    "texts": "a text or a list",
    "pattern": "a regular expression",
    "scale": "two numbers",
    "file": "a path",
    "function": "`file.py:function`",
    "url": "an address",
    "secret": "a reference",
}


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "required"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _words(column: str, words: Any) -> str:
    rows = "\n".join(f"| `{word}` | {says} |" for word, says in words.items())
    return f"| {column} | what it does |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    from ftctl.paths import bundled

    page = bundled("schemas").parent / "docs" / "metrics.md"
    page.write_text(reference(), encoding="utf-8")
