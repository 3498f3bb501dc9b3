"""Writes tokenizers that are small and real, so that lengths can be known beforehand."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXT = ["Training and serving drift apart. Nothing fails and the answers are worse, 数据 too."] * 4


def write_tokenizer(folder: Path, *, by_words: bool = True) -> Path:
    """A byte-level BPE tokenizer as most models have; without `by_words` its tokens go across spaces."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=by_words)
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def plain_count(folder: Path, text: str) -> int:
    """How many tokens the library itself makes of a text."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return len(tokenizer.encode(text, add_special_tokens=False).ids)
