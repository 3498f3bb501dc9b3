"""Rules of the engine's export, which merges an adapter into its base, and of its inference arguments."""

from __future__ import annotations

import json

from ftctl.rules.condition import EXPORTS, Condition, absent, fact, given, unless, when
from ftctl.rules.rule import DROP, Proof, Rule

PARSER = "hparams/parser.py:get_infer_args"
TUNER = "train/tuner.py:export_model"
VLLM = when("infer_backend", "vllm")
QUANTIZED = {"export_quantization_bit": 4, "export_quantization_dataset": "rows.json"}


def _vllm(name: str, broken: Condition, subject: str, message: str, refused: dict[str, object]) -> Rule:
    return Rule(
        name, PARSER, EXPORTS & VLLM & broken, (subject, "infer_backend"), message,
        "remove it, or the backend",
        {"infer_backend": "vllm", **refused}, {"infer_backend": "vllm"}, command="export",
    )  # fmt: skip


def _bad_json(name: str) -> Condition:
    return fact(f"`{name}` no JSON", lambda setting: _unreadable(setting.get(name)))


def _unreadable(text: object) -> bool:
    if not isinstance(text, str) or not text.startswith("{"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def _config(name: str) -> Rule:
    return Rule(
        f"{name.replace('_', '-')}-json", "hparams/model_args.py:__post_init__", _bad_json(name), (name,),
        "begins as JSON and is none", "mend its quotes and brackets",
        {name: "{x"}, {name: '{"a": 1}'}, command="export",
    )  # fmt: skip


def _quantized(
    name: str, broken: Condition, about: tuple[str, ...], message: str, remedy: str,
    refused: dict[str, object], allowed: dict[str, object], proof: Proof = "later",
) -> Rule:  # fmt: skip
    return Rule(
        name, TUNER if proof == "later" else "hparams/model_args.py:__post_init__",
        EXPORTS & broken, about, message, remedy, refused, allowed, proof=proof, command="export",
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _vllm("vllm-needs-sft", unless("stage", "sft"), "stage",
          "serves language models alone", {"stage": "dpo"}),
    _vllm(
        "vllm-not-quantizing", given("quantization_bit"), "quantization_bit",
        "does not go with vLLM, which reads weights that are quantized already", {"quantization_bit": 4},
    ),
    _vllm("vllm-without-rope", given("rope_scaling"), "rope_scaling", "does not go with vLLM",
          {"rope_scaling": "linear"}),
    _vllm(
        "vllm-one-adapter",
        fact("several adapters", lambda setting: len(setting.words("adapter_name_or_path")) > 1),
        "adapter_name_or_path", "names several adapters, and vLLM takes one",
        {"adapter_name_or_path": "one,two"},
    ),
    _config("vllm_config"),
    _config("sglang_config"),
    _quantized(
        "export-quantization-data", given("export_quantization_bit") & absent("export_quantization_dataset"),
        ("export_quantization_dataset", "export_quantization_bit"),
        "is missing", "name rows to calibrate with",
        {"export_quantization_bit": 4}, QUANTIZED, "parser",
    ),
    _quantized(
        "export-dir-needed", absent("export_dir"), ("export_dir",), "is missing", "set it",
        {"export_dir": DROP}, {},
    ),
    _quantized(
        "export-merge-first", given("export_quantization_bit") & given("adapter_name_or_path"),
        ("export_quantization_bit", "adapter_name_or_path"),
        "quantizes, and there is an adapter to merge", "merge first, then quantize the result",
        {**QUANTIZED, "adapter_name_or_path": "one"}, QUANTIZED,
    ),
    _quantized(
        "export-not-quantized", given("adapter_name_or_path") & given("quantization_bit"),
        ("quantization_bit", "adapter_name_or_path"),
        "holds the base quantized, and an adapter cannot be merged into that", "remove it",
        {"quantization_bit": 4, "adapter_name_or_path": "one"}, {"adapter_name_or_path": "one"},
    ),
    _quantized(
        "export-bits", given("export_quantization_bit") & unless("export_quantization_bit", 2, 3, 4, 8),
        ("export_quantization_bit",), "is none of 2, 3, 4 and 8", "write 4",
        {**QUANTIZED, "export_quantization_bit": 5}, QUANTIZED,
    ),
)  # fmt: skip
