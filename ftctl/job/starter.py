"""The job that `ftctl init` writes."""

from __future__ import annotations

import json
import re
import shlex

_TEMPLATE = """\
# Run it with:    ftctl train {command}
# Check it with:  ftctl validate {command}
# yaml-language-server: $schema={schema}

name: {name}                  # names the run's folder and the model in the API
model: {model}                # a Hub id (owner/name), or a folder such as ./models/base

data:
  train: {data}               # JSON or JSONL: alpaca, sharegpt or openai messages; or a list of files
  eval: 0.05                  # a share of train, a count of rows, or a file

train:
  method: lora                # full, freeze or lora; with quantization: 4 it is QLoRA
  # quantization: 4           # hold the base model in 4 bits (needs a GPU for speed)
  epochs: 3
  learning_rate: 1e-4         # for lora; full training wants about 1e-5
  batch_size: 16              # rows per optimizer step, over all devices
  max_length: 2048            # tokens; longer rows are cut
  eval_every: epoch
  # lora: {{rank: 16, alpha: 32}}
  # native: {{}}              # any other argument of LLaMA-Factory, by its own name

# resources:
#   gpus: 1                   # a count, a list such as [0, 2], all, or 0 for the CPU; not set: all there are

deploy:                       # remove this block to train only
  engine: auto                # vLLM; the key for its API is made for you
  adapter: merge              # or attach: the base model plus the adapter
"""


def starter(*, file: str, stem: str, model: str, data: str, schema: str) -> str:
    """A commented job that validates once its model and its data are there.

    `file` is how the user calls the job, `stem` its name without folder and ending, `schema` the path that
    an editor finds the schema at.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "job"
    text = _TEMPLATE.format(
        command=shlex.quote(file), schema=schema, name=plain(name), model=plain(model), data=plain(data)
    )
    return "".join(_aligned(line) for line in text.splitlines(keepends=True))


def plain(text: str) -> str:
    """The text as a YAML scalar: bare where that is safe, in double quotes (JSON's) elsewhere."""
    safe = re.fullmatch(r"[A-Za-z~./][A-Za-z0-9._/~+@-]*", text) and text.lower() not in _WORDS
    return text if safe and not re.fullmatch(r"[.0-9eE+-]+", text) else json.dumps(text, ensure_ascii=False)


_WORDS = frozenset(("null", "~", "true", "false", ".inf", ".nan"))


def _aligned(line: str) -> str:
    """A line with its comment at column 31, or two spaces after a longer value."""
    match = re.match(r"(\s*(?:# )?[\w]+:.*?)\s{2,}(# .*\n)", line)
    return f"{match[1]:<28}  {match[2]}" if match else line
