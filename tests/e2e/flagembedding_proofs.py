"""Run by FlagEmbedding's interpreter: what its programs do in silence, on tiny models made here."""

import json
from pathlib import Path
from typing import Any

WORDS = [f"word{number}" for number in range(60)]
SIZE = 16


def make_models() -> None:
    """`encoder`, `decoder` and `rows.jsonl` in the working folder: one layer, 60 words, nine rows."""
    import torch
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    shape = {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
             "max_position_embeddings": 2048, "vocab_size": len(WORDS) + 6}  # fmt: skip
    BertModel(BertConfig(**shape)).save_pretrained("encoder")
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained("decoder")
    tokenizer(encoder=True).save_pretrained("encoder")
    tokenizer(encoder=False).save_pretrained("decoder")
    rows = [
        {"query": " ".join(WORDS[at : at + 3]), "pos": [" ".join(WORDS[at : at + 8])],
         "neg": [" ".join(WORDS[at + 20 : at + 30]), " ".join(WORDS[at + 30 : at + 34])],
         "pos_scores": [1.0], "neg_scores": [0.5, 0.0]}
        for at in range(9)
    ]  # fmt: skip
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def tokenizer(*, encoder: bool) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<s>", "</s>"]
    made = Tokenizer(models.WordLevel({w: at for at, w in enumerate([*special, *WORDS])}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if encoder:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )  # fmt: skip
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "<s>", "eos_token": "</s>"}
    if encoder:
        names |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


PROOFS: dict[str, Any] = {}
