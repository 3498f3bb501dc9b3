"""Make a tiny, untrained Qwen3 whose byte-level BPE tokenizer comes from the texts it is given.

Run by the interpreter of an engine (numpy, safetensors and tokenizers are in each of them):

    PYTHON make_tiny_model.py OUT_DIR --text FILE [FILE ...] [--seed 0] [--hidden 128] [--layers 2]

The folder is what any engine expects of a model: config, fp32 safetensors, tokenizer, ChatML template.
torch is not imported: drawing the weights with numpy takes a tenth of the time of that import.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STAMP = "tiny-model.json"
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def texts(path: Path) -> list[str]:
    """The texts of a .json, .jsonl or plain file. Raises ValueError for JSON that is not."""
    content = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return list(strings(json.loads(content)))
    lines = [line for line in content.splitlines() if line.strip()]
    if path.suffix == ".jsonl":
        return [text for line in lines for text in strings(json.loads(line))]
    return lines


def write_tokenizer(folder: Path, corpus: list[str], vocab: int, max_length: int) -> dict[str, int | None]:
    """Train the tokenizer and write its files; returns the ids of the special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "bos_token": None,
        "unk_token": None,
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    write_json(folder / "tokenizer_config.json", config)
    return {token: tokenizer.token_to_id(token) for token in (PAD, START, END)}


def model_config(options: argparse.Namespace, ids: dict[str, int | None]) -> dict[str, Any]:
    """config.json of a Qwen3 of the size that was asked for."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": options.vocab,
        "hidden_size": options.hidden,
        "intermediate_size": options.intermediate or 3 * options.hidden,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.kv_heads,
        "head_dim": options.head_dim,
        "max_position_embeddings": options.max_length,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": options.tie,
        "use_cache": True,
        "use_sliding_window": False,
        "eos_token_id": ids[END],
        "pad_token_id": ids[PAD],
        "bos_token_id": None,
        "torch_dtype": "float32",
    }


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight of a Qwen3ForCausalLM."""
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    named: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], hidden)}
    for index in range(config["num_hidden_layers"]):
        layer = {
            "input_layernorm": (hidden,),
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "self_attn.q_norm": (head,),
            "self_attn.k_norm": (head,),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        named.update({f"model.layers.{index}.{name}.weight": shape for name, shape in layer.items()})
    named["model.norm.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        named["lm_head.weight"] = (config["vocab_size"], hidden)
    return named


def write_weights(folder: Path, config: dict[str, Any], seed: int) -> int:
    """Draw the weights (norms are ones, the rest normal) and write them; returns their count."""
    import numpy
    from safetensors.numpy import save_file

    draw = numpy.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes(config).items():
        if len(shape) == 1:
            tensors[name] = numpy.ones(shape, dtype=numpy.float32)
        else:
            tensors[name] = draw.standard_normal(shape, dtype=numpy.float32) * config["initializer_range"]
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return sum(tensor.size for tensor in tensors.values())


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def stamp_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the folder is made from: this script, the options and the texts, as hashes and values."""
    sizes = {key: value for key, value in vars(options).items() if key not in ("out", "text", "force")}
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in options.text]
    return {"script": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(), "texts": hashes, **sizes}


def same_stamp(folder: Path, stamp: dict[str, Any]) -> bool:
    try:
        return bool(json.loads((folder / STAMP).read_text()) == stamp)
    except (OSError, ValueError):
        return False


def build(options: argparse.Namespace, folder: Path) -> int:
    """Write the whole model into an empty folder; returns its number of parameters."""
    corpus = [text for path in options.text for text in texts(path)]
    ids = write_tokenizer(folder, corpus, options.vocab, options.max_length)
    config = model_config(options, ids)
    write_json(folder / "config.json", config)
    generation = {"do_sample": False, "eos_token_id": [ids[END], ids[PAD]], "pad_token_id": ids[PAD]}
    write_json(folder / "generation_config.json", generation)
    return write_weights(folder, config, options.seed)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a tiny, untrained Qwen3 from some texts.")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--text", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocab", type=int, default=1024, help="tokens, at least 259: bytes and specials")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--intermediate", type=int, default=None, help="default: three times --hidden")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--head-dim", type=int, default=32, help="vLLM on the CPU takes 32, 64, 128 and more")
    parser.add_argument("--max-length", type=int, default=2048, help="positions, in tokens")
    parser.add_argument("--tie", action=argparse.BooleanOptionalAction, default=True, help="tie embeddings")
    parser.add_argument("--force", action="store_true", help="replace what is in OUT_DIR")
    options = parser.parse_args()
    if options.vocab < 259:
        parser.error("--vocab must be at least 259: 256 bytes and 3 special tokens")
    if options.heads % options.kv_heads:
        parser.error("--heads must be a multiple of --kv-heads")
    return options


def main() -> int:
    options = arguments()
    out: Path = options.out.absolute()
    try:
        stamp = stamp_of(options)
    except OSError as error:
        print(f"cannot read the text {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if out.exists() and same_stamp(out, stamp):
        print(f"{out} already holds this model")
        return 0
    if out.exists() and not (out.is_dir() and not any(out.iterdir())) and not options.force:
        print(f"{out} holds something else; pass --force to replace it", file=sys.stderr)
        return 2
    out.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed, so that a kill leaves no half of a model behind.
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        count = build(options, folder)
        write_json(folder / STAMP, stamp)
        if out.exists():
            shutil.rmtree(out) if out.is_dir() and not out.is_symlink() else out.unlink()
        folder.rename(out)
    print(f"made {out}: an untrained Qwen3 with {count:,} parameters")
    print("It shows the pipeline; it is no useful chatbot.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
