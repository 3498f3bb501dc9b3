"""Counts tokens by the model's own tokenizer, without torch and without the model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftctl.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TRIED = 100  # texts that are counted both ways before words are trusted
KNOWN = 500_000  # words that are remembered
LONG = 32  # characters; a longer word hardly comes again


def tokenizer_of(folder: Path) -> Tokenizer:
    """The tokenizer of a model folder. Raises UsageError where it has none that can be read."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise UsageError(
            f"{folder}: it has no tokenizer.json", "lengths in tokens need it: name another model"
        )
    # A fork warning and threads on every core are not what a count of lengths is for.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower for a file that it cannot read
        raise UsageError(f"{file}: not a tokenizer: {error}", "copy or download the model again") from None
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


class Counter:
    """Counts tokens of texts, each word of a language with spaces once.

    Most tokenizers split before every space, so that a text has as many tokens as its words have. Whether
    this one does is tried on the first texts; where it does not, every text is encoded whole.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}
        self._tried = 0
        self.by_words = True

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, special tokens and chat template not counted."""
        if not self.by_words:
            return self._encoded(texts)
        if self._tried < TRIED:
            first = texts[: TRIED - self._tried]
            self._tried += len(first)
            whole = self._encoded(first)
            self.by_words = self._words(first) == whole
            return whole + self.count(texts[len(first) :]) if texts[len(first) :] else whole
        return self._words(texts)

    def _encoded(self, texts: Sequence[str]) -> list[int]:
        return [
            len(made.ids) for made in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        ]

    def _words(self, texts: Sequence[str]) -> list[int]:
        """Texts as words, each with the space before it; a text with other white space goes whole."""
        parts = [_words_of(text) for text in texts]
        known = self._known
        missing = list({word for words in parts for word in words if word not in known})
        if len(known) + len(missing) > KNOWN:
            known.clear()
            missing = list({word for words in parts for word in words})
        fresh = dict(zip(missing, self._encoded(missing), strict=True))
        known.update(fresh)
        counts = [sum(map(known.__getitem__, words)) for words in parts]
        for word in missing:
            if len(word) > LONG:
                del known[word]
        return counts


def _words_of(text: str) -> list[str]:
    if "  " in text or " \n" in text or text[:1] == " " or text[-1:] == " ":
        return [text]
    first, *rest = text.split(" ")
    return [first, *[f" {word}" for word in rest]]
