"""Make a tiny, untrained model of a kind that FlagEmbedding trains, its tokenizer trained on given texts.

Run by FlagEmbedding's interpreter:

    PYTHON make_tiny_retrieval.py KIND OUT_DIR --text FILE [FILE ...] [--seed 0] [--hidden 128]
                                  [--layers 2] [--dropout 0.1]

KIND is encoder (BERT), m3 (XLM-RoBERTa and m3's two heads), cross-encoder (BERT with one label) or decoder
(Qwen3; embedder or reranker). There is no layerwise one: on transformers 5 the MiniCPM of
release 1.4.2 cannot be made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from make_tiny_model import texts  # type: ignore[import-not-found] # beside this file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    XLMRobertaConfig,
    XLMRobertaModel,
)

POSITIONS = 512
VOCABULARY = 1024


def wordpiece(corpus: list[str]) -> Any:
    """A BERT tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - a token
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    return BertTokenizerFast(vocab=tokenizer.get_vocab(), do_lower_case=True, model_max_length=POSITIONS)


def byte_pairs(corpus: list[str], special: dict[str, str]) -> Tokenizer:
    """A byte-level tokenizer whose first ids are the special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(special.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def roberta_tokenizer(corpus: list[str]) -> Any:
    """Byte pairs with XLM-RoBERTa's special tokens, their ids and their places around a text."""
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = byte_pairs(corpus, special)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        **special,
        **{"cls_token": "<s>", "sep_token": "</s>"},
    )


def decoder_tokenizer(corpus: list[str]) -> Any:
    """Byte pairs that end a text with the end token, as embedders on decoders need it."""
    special = {"pad_token": "<|pad|>", "bos_token": "<|begin|>", "eos_token": "<|end|>"}
    tokenizer = byte_pairs(corpus, special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|end|>", pair="$A <|end|> $B <|end|>", special_tokens=[("<|end|>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=POSITIONS, **special)


def sizes(options: argparse.Namespace) -> dict[str, Any]:
    """What every configuration here takes. Heads are 32 wide: vLLM on the CPU takes no narrower ones."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": options.hidden,
        "intermediate_size": 3 * options.hidden,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.hidden // 32,
    }


def encoder_sizes(options: argparse.Namespace) -> dict[str, Any]:
    dropout = {"hidden_dropout_prob": options.dropout, "attention_probs_dropout_prob": options.dropout}
    return {**sizes(options), **dropout}


def encoder(corpus: list[str], options: argparse.Namespace) -> tuple[Any, Any]:
    config = BertConfig(**encoder_sizes(options), max_position_embeddings=POSITIONS)
    return wordpiece(corpus), BertModel(config)


def cross_encoder(corpus: list[str], options: argparse.Namespace) -> tuple[Any, Any]:
    config = BertConfig(**encoder_sizes(options), max_position_embeddings=POSITIONS, num_labels=1)
    return wordpiece(corpus), BertForSequenceClassification(config)


def m3(corpus: list[str], options: argparse.Namespace) -> tuple[Any, Any]:
    """XLM-RoBERTa; its first position is 2, so that its table is two longer than its texts."""
    config = XLMRobertaConfig(
        **encoder_sizes(options),
        max_position_embeddings=POSITIONS + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        position_embedding_type="absolute",  # vLLM 0.32.0 fails to start without it
    )
    heads = {"colbert_linear.pt": options.hidden, "sparse_linear.pt": 1}
    for name, width in heads.items():
        torch.save(torch.nn.Linear(options.hidden, width).state_dict(), options.out / name)
    return roberta_tokenizer(corpus), XLMRobertaModel(config)


def decoder(corpus: list[str], options: argparse.Namespace) -> tuple[Any, Any]:
    config = Qwen3Config(
        **sizes(options),
        num_key_value_heads=options.hidden // 32,
        head_dim=32,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return decoder_tokenizer(corpus), Qwen3ForCausalLM(config)


KINDS = {
    "encoder": encoder,
    "m3": m3,
    "cross-encoder": cross_encoder,
    "decoder": decoder,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a tiny, untrained model for FlagEmbedding.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=128, help="a multiple of 32")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1, help="of the encoders")
    options = parser.parse_args()
    if options.hidden % 32:
        parser.error("--hidden must be a multiple of 32: heads are 32 wide")
    if options.out.is_dir() and any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty")
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    corpus = [text for path in options.text for text in texts(path)]
    tokenizer, model = KINDS[options.kind](corpus, options)
    tokenizer.save_pretrained(options.out)
    model.save_pretrained(options.out)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"made {options.out}: an untrained {options.kind} with {count:,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
