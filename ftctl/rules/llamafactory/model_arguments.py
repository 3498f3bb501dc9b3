"""Rules of ModelArguments and of what the parser asks of a model: tokens, pixels, adapters, quantization."""

from __future__ import annotations

import json

from ftctl.rules.condition import Condition, absent, fact, given, on, unless, when
from ftctl.rules.rule import DROP, Rule

SOURCE = "hparams/model_args.py:__post_init__"
VERIFY = "hparams/parser.py:_verify_model_args"
PARSER = "hparams/parser.py:get_train_args"
QUANTIZED = given("quantization_bit")
SEVERAL_ADAPTERS = fact(
    "several adapters in `adapter_name_or_path`",
    lambda setting: len(setting.words("adapter_name_or_path")) > 1
)  # fmt: skip


def _smaller(kind: str) -> Condition:
    most, least = f"{kind}_max_pixels", f"{kind}_min_pixels"
    return fact(
        f"`{most}` < `{least}`",
        lambda setting: (setting.number(most) or 0) < (setting.number(least) or 0),
    )


def _one_text(name: str) -> Rule:
    """A list where the engine splits a text at its commas."""
    return Rule(
        f"{name.replace('_', '-')}-is-text", SOURCE,
        fact(f"`{name}` a list", lambda setting: isinstance(setting.get(name), list | tuple)), (name,),
        "is a list, and the engine wants one text", "write the parts with commas between them, in one text",
        {name: ["one", "two"]}, {name: "one,two"},
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
        "begins as JSON and is none", "mend its quotes and brackets", {name: "{x"}, {name: '{"a": 1}'},
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _config("vllm_config"),
    _config("sglang_config"),
    Rule(
        "export-quantization-data", "hparams/model_args.py:__post_init__",
        given("export_quantization_bit") & absent("export_quantization_dataset"),
        ("export_quantization_dataset", "export_quantization_bit"),
        "is missing", "name rows to calibrate with; ftctl exports unquantized, so remove both",
        {"export_quantization_bit": 4},
        {"export_quantization_bit": 4, "export_quantization_dataset": "rows.json"},
    ),
    Rule(
        "model-needed", SOURCE, absent("model_name_or_path"), ("model_name_or_path",),
        "is missing", "name a folder or a Hub id",
        {"model_name_or_path": DROP}, {},
    ),
    Rule(
        "special-token-descriptions", SOURCE,
        when("init_special_tokens", "desc_init", "desc_init_w_noise") & absent("new_special_tokens_config"),
        ("init_special_tokens", "new_special_tokens_config"),
        "has no descriptions to start from: the engine uses noise instead",
        "set {new_special_tokens_config}, or write noise_init",
        {"init_special_tokens": "desc_init"}, {"init_special_tokens": "noise_init"},
        severity="warning", proof="silent",
    ),
    Rule(
        "image-pixels", SOURCE, _smaller("image"), ("image_max_pixels", "image_min_pixels"),
        "is smaller than {image_min_pixels}", "raise it, or lower the other",
        {"image_max_pixels": 1}, {"image_max_pixels": 4096},
    ),
    Rule(
        "video-pixels", SOURCE, _smaller("video"), ("video_max_pixels", "video_min_pixels"),
        "is smaller than {video_min_pixels}", "raise it, or lower the other",
        {"video_max_pixels": 1}, {"video_max_pixels": 4096},
    ),
    _one_text("adapter_name_or_path"),
    _one_text("add_tokens"),
    _one_text("add_special_tokens"),
    Rule(
        "adapter-needs-lora", VERIFY, given("adapter_name_or_path") & unless("finetuning_type", "lora"),
        ("adapter_name_or_path", "finetuning_type"),
        "goes on from a LoRA adapter, and {finetuning_type} is not lora", "remove it, or write lora",
        {"adapter_name_or_path": "one", "finetuning_type": "oft"}, {"adapter_name_or_path": "one"},
    ),
    Rule(
        "quantization-needs-adapter", VERIFY, QUANTIZED & unless("finetuning_type", "lora", "oft"),
        ("quantization_bit", "finetuning_type"),
        "holds the weights fixed, and {finetuning_type} trains them", "write lora or oft, or remove it",
        {"quantization_bit": 4, "finetuning_type": "full"}, {"quantization_bit": 4, "finetuning_type": "oft"},
    ),
    Rule(
        "quantization-without-pissa", VERIFY, QUANTIZED & on("pissa_init"),
        ("pissa_init", "quantization_bit"),
        "changes the weights, and they are quantized",
        "remove it, or start from a model that PiSSA was applied to",
        {"quantization_bit": 4, "pissa_init": True}, {"quantization_bit": 4},
    ),
    Rule(
        "quantization-without-resize", VERIFY, QUANTIZED & on("resize_vocab"),
        ("resize_vocab", "quantization_bit"),
        "changes the embeddings, and they are quantized", "remove one of the two",
        {"quantization_bit": 4, "resize_vocab": True}, {"quantization_bit": 4},
    ),
    Rule(
        "quantization-no-second-adapter", VERIFY,
        QUANTIZED & given("adapter_name_or_path") & on("create_new_adapter"),
        ("create_new_adapter", "adapter_name_or_path", "quantization_bit"),
        "would merge the adapter into quantized weights",
        "go on with the adapter that is there, or merge it first",
        {"quantization_bit": 4, "adapter_name_or_path": "one", "create_new_adapter": True},
        {"quantization_bit": 4, "adapter_name_or_path": "one"},
    ),
    Rule(
        "quantization-one-adapter", VERIFY, QUANTIZED & SEVERAL_ADAPTERS,
        ("adapter_name_or_path", "quantization_bit"),
        "names several adapters, and quantized weights take one", "merge them first",
        {"quantization_bit": 4, "adapter_name_or_path": "one,two"},
        {"quantization_bit": 4, "adapter_name_or_path": "one"},
    ),
    Rule(
        "quantization-device-map", PARSER, on("do_train") & when("quantization_device_map", "auto"),
        ("quantization_device_map",),
        "is for inference", "remove it",
        {"quantization_device_map": "auto", "quantization_bit": 4}, {"quantization_bit": 4},
    ),
    Rule(
        "fp8-not-quantized", PARSER, on("fp8") & QUANTIZED, ("fp8", "quantization_bit"),
        "and {quantization_bit} are both set", "remove one of the two",
        {"fp8": True, "quantization_bit": 4}, {"quantization_bit": 4},
    ),
    Rule(
        "train-backend", PARSER, unless("infer_backend", "huggingface"), ("infer_backend",),
        "is for serving, and this job trains", "remove it",
        {"infer_backend": "vllm"}, {},
    ),
    Rule(
        "resize-trains-embeddings", PARSER,
        on("do_train") & on("resize_vocab") & when("finetuning_type", "lora") & absent("additional_target")
        & absent("quantization_bit"),
        ("resize_vocab", "additional_target"),
        "adds tokens whose embeddings LoRA does not train", "add the embedding layers to {additional_target}",
        {"resize_vocab": True}, {"resize_vocab": True, "additional_target": "embed_tokens,lm_head"},
        severity="warning", proof="silent",
    ),
)  # fmt: skip
