"""How texts are made alike, and what their tokens are."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
ASCII = re.compile(r"[a-z0-9]+")
# Han characters and kana one by one; letters, marks and digits of all other scripts in runs.
ZH = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}]]+"
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")

Tokenize = Callable[[str], list[str]]


def squad(text: str) -> str:
    """SQuAD's normalisation: lower case, without ASCII punctuation and articles, single blanks
    (evaluate-v1.1.py of Rajpurkar et al. 2016)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


NORMALISATIONS: Mapping[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "strip": str.strip,
    "casefold": str.casefold,
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "squad": squad,
}


def normaliser(names: Sequence[str]) -> Callable[[str], str]:
    """These normalisations, one after the other."""

    def normalise(text: str) -> str:
        for name in names:
            text = NORMALISATIONS[name](text)
        return text

    return normalise


def tokenizer(name: str, scratch: Path, *, stem: bool = False) -> Tokenize:
    """The tokens of a text by the tokenizer of that name; `stem` reduces ASCII words of over three letters by
    Porter's stemmer, as rouge-score does. `scratch` is a folder of our own for
    jieba's cache of its dictionary."""
    tokenize = TOKENIZERS[name] if name in TOKENIZERS else _jieba(scratch)
    if not stem:
        return tokenize
    from nltk.stem import porter

    stemmer = cache(porter.PorterStemmer().stem)
    return lambda text: [stemmer(one) if len(one) > 3 and one.isascii() else one for one in tokenize(text)]


def _whitespace(text: str) -> list[str]:
    return squad(text).split()


def _ascii(text: str) -> list[str]:
    return ASCII.findall(text.lower())


def _zh(text: str) -> list[str]:
    import regex

    found: list[str] = regex.findall(ZH, unicodedata.normalize("NFKC", text).lower(), flags=regex.V1)
    return found


TOKENIZERS: Mapping[str, Tokenize] = {"whitespace": _whitespace, "ascii": _ascii, "zh": _zh}


def _jieba(scratch: Path) -> Tokenize:
    import logging

    import jieba

    jieba.setLogLevel(logging.ERROR)
    # It loads its cache by marshal: never one from a folder that others may write to, which is its default.
    jieba.dt.tmp_dir = str(scratch)

    def tokenize(text: str) -> list[str]:
        words = jieba.lcut(unicodedata.normalize("NFKC", text).lower())
        return [word for word in words if any(map(str.isalnum, word))]

    return tokenize
