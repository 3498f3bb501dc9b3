"""What a metric is: its definition, its options, and the names of what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REQUIRED: Any = object()  # the default of an option that has none
HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Option:
    """One option of a metric. `kind` is switch, count, number, text, pattern, texts, choice, choices, scale,
    file, function (`file.py:function`), url or secret (a reference, `${env:NAME}`).

    A default of None leaves it out; `choices` are the words of a choice, `least` is the least number.
    """

    name: str
    kind: str
    says: str
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float = 0


@dataclass(frozen=True)
class Metric:
    """One metric. `figures` are the names of what it gives; `needs` is reference, answer or server.

    `worst` is what a question without an answer counts as; None means that the figure is then missing.
    `definition` and `source` say what is counted and who defined it; `library` who counts.
    """

    name: str
    definition: str
    source: str
    library: str
    figures: tuple[str, ...]
    options: tuple[Option, ...] = ()
    needs: str = "reference"
    better: str = HIGHER
    scale: str = "0 to 1"
    worst: float | None = 0.0

    def option(self, name: str) -> Option | None:
        """The option of that name."""
        return next((option for option in self.options if option.name == name), None)


NORMALISATIONS: Mapping[str, str] = {
    "none": "as it is",
    "strip": "white space at both ends taken away",
    "casefold": "without difference between upper and lower case, by Unicode's case folding",
    "nfkc": "Unicode's compatibility form: full-width letters and digits become usual ones",
    "squad": "SQuAD's: lower case, no ASCII punctuation, no a, an and the, single blanks",
}
NORMALISE = Option(
    "normalise", "choices", "How both texts are made alike before they are compared; several in order.",
    ("strip",), tuple(NORMALISATIONS),
)  # fmt: skip
TOKENIZERS: Mapping[str, str] = {
    "whitespace": "SQuAD's own: normalised as `squad` does, and cut at blanks",
    "zh": "every Han character and kana is a token, and every run of other letters and digits, in lower "
    "case; of an ASCII text the same as `ascii`",
    "ascii": "rouge-score's own: runs of a to z and 0 to 9 in lower case; all other characters are dropped",
    "jieba": "words by jieba's segmentation, in lower case, without punctuation",
}
