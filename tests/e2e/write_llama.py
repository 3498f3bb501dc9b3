"""Run by an engine's interpreter: a tiny untrained Llama whose SentencePiece tokenizer every tool knows.

write_llama.py FOLDER TEXT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy
import sentencepiece  # type: ignore[import-not-found] # of the engine's environment
from safetensors.numpy import save_file

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
sentencepiece.SentencePieceTrainer.train(
    input=sys.argv[2], model_prefix=str(folder / "tokenizer"), vocab_size=400, model_type="bpe",
    byte_fallback=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2,
)  # fmt: skip
(folder / "tokenizer.vocab").unlink()
config = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 400,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2,
    "tie_word_embeddings": False, "dtype": "float32",
}  # fmt: skip
tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}
(folder / "config.json").write_text(json.dumps(config))
(folder / "tokenizer_config.json").write_text(json.dumps({**tokens, "chat_template": "{{ messages }}"}))
shapes = {"model.embed_tokens": (400, 32), "lm_head": (400, 32), "model.norm": (32,)}
for layer in range(2):
    stem = f"model.layers.{layer}."
    shapes |= {
        f"{stem}self_attn.{name}_proj": (rows, 32)
        for name, rows in zip("qkvo", (32, 16, 16, 32), strict=True)
    }
    shapes |= {
        f"{stem}mlp.gate_proj": (64, 32),
        f"{stem}mlp.up_proj": (64, 32),
        f"{stem}mlp.down_proj": (32, 64),
    }
    shapes |= {f"{stem}input_layernorm": (32,), f"{stem}post_attention_layernorm": (32,)}
draw = numpy.random.default_rng(0)
weights = {f"{name}.weight": draw.normal(size=shape).astype("float32") for name, shape in shapes.items()}
save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
