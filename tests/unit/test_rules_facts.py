"""Every measured constraint of LLaMA-Factory 0.9.5 has a rule, or a named place that says it otherwise."""

from __future__ import annotations

import json
from pathlib import Path

from ftctl.rules.llamafactory.table import BOOK

RULE_OF = {
    "F1": "method-known", "F2": "reference-model-bits", "F3": "reward-model-bits",
    "F4": "ppo-needs-reward-model", "F5": "ppo-lora-reward", "F6": "ppo-oft-reward",
    "F7": "label-smoothing-needs-sigmoid", "F8": "llama-pro-not-full", "F9": "lora-without-memory-optimizer",
    "F10": "one-memory-optimizer", "F11": "pissa-stage", "F11b": "pissa-reference-model",
    "F12": "loraplus-needs-lora", "F13": "rslora-needs-lora", "F14": "dora-needs-lora",
    "F15": "pissa-needs-lora", "D1": "held-out-needs-data", "D2": "held-out-or-own-data",
    "D3": "interleave-needs-strategy", "D4": "interleave-shares-dataset",
    "D5": "interleave-shares-eval-dataset", "D6": "streaming-held-out-count",
    "D7": "streaming-without-max-samples", "D8": "mask-history-or-prompt", "M1": "model-needed",
    "M3": "special-token-descriptions", "M4": "image-pixels", "M5": "video-pixels",
    "M6": "export-quantization-data", "M7": "vllm-config-json", "M8": "sglang-config-json",
    "M9": "adapter-name-or-path-is-text", "H_enum_eval_strategy": "eval-strategy-known",
    "H_enum_logging_strategy": "logging-strategy-known", "H_enum_save_strategy": "save-strategy-known",
    "H_enum_hub_strategy": "hub-strategy-known", "H_enum_lr_scheduler_type": "lr-scheduler-type-known",
    "H1": "eval-steps-needed", "H2": "empty-cache-steps", "H3": "logging-steps-not-zero",
    "H4": "logging-steps-whole", "H5": "eval-steps-whole", "H6": "save-steps-whole",
    "H7": "best-needs-equal-strategies", "H8": "best-needs-a-multiple", "H9": "best-needs-one-kind-of-steps",
    "H10": "bf16-needs-a-device", "H11": "fp16-or-bf16", "H12": "fp16-full-eval-or-bf16-full-eval",
    "H13": "reduce-needs-evaluation", "H14": "greedy-needs-evaluation", "H15": "warmup-not-negative",
    "H16": "prefetch-needs-workers", "H17": "tf32-needs-a-gpu", "H19": "deepspeed-zero-needed",
    "H20": "fsdp-offload-alone", "H21": "fsdp-one-strategy", "H22": "fsdp-one-wrapping",
    "H23": "fsdp-or-deepspeed", "H24": "best-model-needs-optimizer", "H25": "find-batch-size-not-zero3",
    "H26": "best-checkpoint-needs-metric", "H27": "backend-needs-processes", "H28": "report-package",
    "P1": "predict-with-generate-needs-sft", "P2": "neat-packing-needs-sft", "P3": "mask-history-needs-sft",
    "P4": "predict-needs-generate", "P5": "best-model-not-for-rewards", "P6": "ppo-trains",
    "P7": "ppo-without-shift-attention", "P8": "ppo-lora-reward-without-kt",
    "P9": "ppo-lora-reward-without-unsloth", "P10": "ppo-loggers", "P12": "deepspeed-needs-processes",
    "P13": "streaming-needs-max-steps", "P14": "train-needs-dataset", "P15": "evaluation-needs-rows",
    "P16": "predict-with-generate-not-zero3", "P17": "generate-or-accuracy",
    "P18": "quantization-device-map", "P19": "pissa-init-not-zero3", "P20": "pure-bf16-needs-a-gpu",
    "P21": "pure-bf16-not-zero3", "P22": "galore-layerwise-one-process",
    "P23": "apollo-layerwise-one-process", "P24": "badam-ratio-one-process",
    "P25": "badam-layer-needs-zero3", "P26": "memory-optimizer-not-deepspeed", "P27": "fp8-not-quantized",
    "P28": "train-backend", "P29": "unsloth-not-zero3", "P30": "kt-not-zero3", "P31": "adapter-needs-lora",
    "P32": "quantization-needs-adapter", "P33": "quantization-without-pissa",
    "P34": "quantization-without-resize", "P35": "quantization-no-second-adapter",
    "P36": "quantization-one-adapter", "P37": "trackio-needs-project", "P38": "output-has-weights",
    "P39": "output-resumes-unasked", "P40": "resume-not-for-full-rewards",
    "P41": "resume-rewards-with-adapter", "dep_use_kt": "use-kt-needs-kt-kernel",
    "dep_use_unsloth": "use-unsloth-needs-unsloth",
    "dep_enable_liger_kernel": "enable-liger-kernel-needs-liger-kernel",
    "dep_mixture_of_depths": "mixture-of-depths-needs-mixture-of-depth",
    "dep_use_swanlab": "use-swanlab-needs-swanlab", "dep_use_galore": "use-galore-needs-galore-torch",
    "dep_use_apollo": "use-apollo-needs-apollo-torch", "dep_use_badam": "use-badam-needs-badam",
    "dep_use_adam_mini": "use-adam-mini-needs-adam-mini", "dep_deepspeed": "deepspeed-needs-deepspeed",
    "dep_pwg": "predict-with-generate-needs-jieba", "Q1": "bnb-bits",
    "Q2": "quantized-sharding-needs-4-bits", "Q3": "hqq-bits", "Q4": "eetq-bits",
    "Q6": "quantization-not-on-the-fly", "A3": "dora-not-quantized", "A4": "kt-needs-lora",
    "A5": "unsloth-not-oft", "A6": "zero3-one-adapter", "A7": "oft-one-size",
    "S4": "tokenized-not-streaming", "S5": "tokenized-path-wins", "S6": "streaming-needs-workers",
    "S7": "train-on-prompt-template", "S9": "held-out-count-above-one", "O1": "galore-optimizer",
    "O2": "apollo-optimizer", "O3": "galore-layerwise-accumulation", "O4": "badam-ratio-optimizer",
    "O5": "one-optimizer", "O6": "one-special-loss", "O7": "early-stopping-needs-metric", "O8": "ppo-dead",
    "O9": "reward-api-address", "O10": "ppo-no-evaluation", "O11": "preference-loss-real",
    "O14": "shift-attention-family", "O15": "hyper-parallel-sft-full", "O16": "kt-without-generate",
    "O17": "attention-known",
}  # fmt: skip
# What is no question to the arguments, and where ftctl answers it.
ELSEWHERE = {
    "H_enum_optim": "the schema of the engine's arguments", "P42": "the schema of the engine's arguments",
    "H18": "a look at the DeepSpeed file", "M2": "a look at the file of special tokens",
    "P11": "ftctl starts torchrun itself", "dep_plot": "matplotlib comes with the engine",
    "Q5": "a look at the model's config.json", "A1": "a look at the model's weights",
    "A2": "a look at the model's config.json", "S1": "the dataset_info.json is rendered for the stage",
    "S2": "the dataset_info.json is rendered for the stage", "S3": "a look at the rows",
    "S8": "the plan knows the templates", "O12": "a look at the model's config.json",
    "O13": "the plan chooses the precision",
    # ftctl's one export is the merge of its own adapter, and a job has no word in it.
    **dict.fromkeys(("X1", "X2", "X3", "X4"), "ftctl writes every argument of its merge itself"),
    # A training may not name a backend at all (train-backend), and ftctl serves by the servers themselves.
    **dict.fromkeys(("I1", "I2", "I3", "I4", "dep_vllm", "dep_sglang"), "ftctl never serves by this engine"),
}  # fmt: skip


def test_every_rule_that_is_named_here_is_in_the_table() -> None:
    assert set(RULE_OF.values()) <= {rule.name for rule in BOOK.rules}


def test_every_measured_constraint_is_said(shared: Path) -> None:
    measured = {fact["id"] for fact in json.loads((shared / "facts" / "rules.json").read_text())}
    assert measured == RULE_OF.keys() | ELSEWHERE.keys()
    assert not RULE_OF.keys() & ELSEWHERE.keys()
