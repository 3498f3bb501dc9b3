"""Broken at random: whatever a file holds, the answer is a Job or a JobError."""

from __future__ import annotations

import random
from pathlib import Path

from ftctl.errors import JobError
from ftctl.job.load import load

VALID = """\
name: support-bot
model: {path: Qwen/Qwen3-0.6B, template: qwen3}
data:
  train: [rows.jsonl, {path: rows.jsonl, format: openai, columns: {messages: turns}}]
  eval: 0.05
train:
  method: lora
  epochs: 3
  learning_rate: 1e-4
  batch_size: 64
  packing: neat
  warmup: 0.1
  lora: {rank: 16, targets: [q_proj]}
  quantization: {bits: 4}
  checkpoints: {every: 500, keep: 2}
  native: &n {seed: 5}
resources: {gpus: [0, 1]}
deploy: {engine: vllm, kv_cache_memory: 64MiB, native: *n}
"""
BITS = [
    *"[]{}:,-?&*!|>'\"%@`#~\t\n \\$", "99999999999999999999", "''", ": ", "${env:X}",
    "null", "true", "1e999", ".nan", "-1", "[[]]", "{}", "é", "客", "\x00",
    "<<: *n", "!!int ", "!x ", "&a ", "*n", "0x", "---\n", "...", "? ", "- ",
]  # fmt: skip
OVERRIDES = [
    "train=1", "train.lora=null", "data.train[0]=", "a.b.c=d", "model.path.x=1", "deploy=[",
    "train.native={a: b}", "data.train.1.columns.messages=x", "resources.gpus=[", "name=", "data=null",
    "model=[1]",
]  # fmt: skip


def broken(choice: random.Random) -> str:
    """The valid job with a few characters, words or lines changed."""
    text = VALID
    for _ in range(choice.randint(1, 4)):
        at = choice.randrange(len(text))
        until = at + choice.choice([0, 0, 1, 3, 12])
        text = text[:at] + choice.choice(BITS) + text[until:]
    lines = text.splitlines(keepends=True)
    if choice.random() < 0.3:
        choice.shuffle(lines)
    if choice.random() < 0.3:
        lines.append(choice.choice(lines))
    return "".join(lines)


def test_no_traceback(tmp_path: Path) -> None:
    choice = random.Random(20240229)
    (tmp_path / "rows.jsonl").write_text("{}\n")
    path = tmp_path / "job.yaml"
    refused = 0
    for _ in range(500):
        path.write_text(broken(choice), encoding="utf-8")
        overrides = tuple(choice.sample(OVERRIDES, choice.choice([0, 0, 0, 1, 2])))
        try:
            load(path, overrides, environ={"HOME": "/"})
        except JobError as error:
            refused += 1
            assert error.problems
            assert all(problem.message for problem in error.problems)
    assert 250 < refused < 500
