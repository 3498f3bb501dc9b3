"""Rules of loading a model: quantization, adapters, attention; the parser lets all of it through."""

from __future__ import annotations

from ftctl.rules.condition import fact, given, on, unless, when
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Setting

QUANTIZATION = "model/model_utils/quantization.py:configure_quantization"
ADAPTER = "model/adapter.py:_setup_lora_tuning"
ON_THE_FLY = ("bnb", "hqq", "eetq")
# The templates with efficient_eos.
SHARED_END = (
    "aeva", "bailing", "bailing_v2", "breeze", "chatglm3", "dots_ocr", "falcon", "fewshot", "gemma2",
    "glm4", "glm4_5v", "glm4_7", "glm4_moe", "glm4v", "glm_ocr", "glmz1", "gpt_oss", "index", "solar",
    "yi_vl",
)  # fmt: skip


def _bits(method: str, known: tuple[int, ...], allowed: int) -> Rule:
    listed = ", ".join(map(str, known))
    return Rule(
        f"{method}-bits", QUANTIZATION,
        given("quantization_bit") & when("quantization_method", method) & unless("quantization_bit", *known),
        ("quantization_bit", "quantization_method"),
        f"is none of {listed}, which {method} takes", f"write {known[0]}",
        {"quantization_bit": 7, "quantization_method": method},
        {"quantization_bit": allowed, "quantization_method": method}, proof="later",
    )  # fmt: skip


def _one_adapter(name: str, shown: str) -> Rule:
    return Rule(
        f"{name.removeprefix('use_')}-one-adapter", ADAPTER,
        on(name) & fact("several adapters", lambda setting: len(setting.words("adapter_name_or_path")) > 1),
        ("adapter_name_or_path", name),
        f"names several adapters, and {shown} takes one", "merge them first",
        {name: True, "adapter_name_or_path": "one,two"}, {name: True, "adapter_name_or_path": "one"},
        proof="later",
    )  # fmt: skip


def _oft_sizes(setting: Setting) -> bool:
    return bool(setting.get("oft_rank")) == bool(setting.get("oft_block_size"))


RULES: tuple[Rule, ...] = (
    _bits("bnb", (4, 8), 4),
    _bits("hqq", (1, 2, 3, 4, 5, 6, 8), 4),
    _bits("eetq", (8,), 8),
    Rule(
        "quantization-not-on-the-fly", QUANTIZATION,
        given("quantization_bit") & unless("quantization_method", *ON_THE_FLY),
        ("quantization_method", "quantization_bit"),
        "cannot quantize while loading: the engine loads the model unquantized and says nothing",
        "write bnb, hqq or eetq, or start from a model that is quantized already",
        {"quantization_bit": 4, "quantization_method": "gptq"}, {"quantization_bit": 4}, proof="silent",
    ),
    Rule(
        "dora-not-quantized", ADAPTER,
        on("use_dora") & given("quantization_bit"),
        ("use_dora", "quantization_bit"),
        "does not work with a quantized model in this version", "remove one of the two",
        {"use_dora": True, "quantization_bit": 4}, {"quantization_bit": 4}, proof="later",
    ),
    Rule(
        "kt-needs-lora", ADAPTER, on("use_kt") & unless("finetuning_type", "lora"),
        ("use_kt", "finetuning_type"),
        "trains LoRA adapters alone", "write {finetuning_type}: lora, or remove it",
        {"use_kt": True, "finetuning_type": "oft", "oft_rank": 8, "oft_block_size": 0}, {"use_kt": True},
        proof="later",
    ),
    _one_adapter("use_kt", "KTransformers"),
    Rule(
        "unsloth-not-oft", ADAPTER, on("use_unsloth") & when("finetuning_type", "oft"),
        ("use_unsloth", "finetuning_type"),
        "does not know OFT", "write {finetuning_type}: lora, or remove it",
        {"use_unsloth": True, "finetuning_type": "oft", "oft_rank": 8, "oft_block_size": 0},
        {"use_unsloth": True}, proof="later",
    ),
    _one_adapter("use_unsloth", "unsloth"),
    Rule(
        "kt-without-generate", "train/sft/workflow.py:run_sft",
        on("use_kt") & on("predict_with_generate", "compute_accuracy"),
        ("predict_with_generate", "compute_accuracy", "use_kt"),
        "does not go with KTransformers", "remove it",
        {"use_kt": True, "compute_accuracy": True, "val_size": 0.1, "do_eval": True}, {"use_kt": True},
        proof="later",
    ),
    Rule(
        "oft-one-size", ADAPTER, when("finetuning_type", "oft") & fact(
            "both or neither of `oft_rank` and `oft_block_size`", _oft_sizes
        ),
        ("oft_rank", "oft_block_size"),
        "and {oft_block_size}: exactly one of them is to be other than 0", "set the other to 0",
        {"finetuning_type": "oft", "oft_rank": 8},
        {"finetuning_type": "oft", "oft_rank": 8, "oft_block_size": 0},
        proof="later",
    ),
    Rule(
        "attention-known", "model/model_utils/attention.py:configure_attn_implementation",
        unless("flash_attn", "auto", "disabled", "sdpa", "fa2"), ("flash_attn",),
        "is no kind of attention that the engine can turn on", "write auto, disabled, sdpa or fa2",
        {"flash_attn": "fa3"}, {"flash_attn": "sdpa"}, proof="later",
    ),
    Rule(
        "train-on-prompt-template", "data/template.py:get_template_and_fix_tokenizer",
        on("train_on_prompt") & when("template", *SHARED_END),
        ("train_on_prompt", "template"),
        "does not go with this template, whose turns end with a mark that the next turn shares",
        "remove it, or take the model's own template",
        {"train_on_prompt": True, "template": "fewshot"}, {"train_on_prompt": True, "template": "qwen3"},
        proof="later",
    ),
    Rule(
        "mixture-of-depths-broken", "model/model_utils/mod.py:load_mod_pretrained_model",
        given("mixture_of_depths"), ("mixture_of_depths",),
        "does not work with the transformers of this engine", "remove it",
        {"mixture_of_depths": "convert"}, {}, proof="later", unproved="the package mixture-of-depth",
    ),
    Rule(
        "shift-attention-family", "model/model_utils/longlora.py:configure_longlora",
        on("shift_attn"), ("shift_attn",),
        "is for models of the LLaMA family: the engine leaves it out for all others, and the length must "
        "divide into its groups",
        "remove it, unless the model is one",
        {"shift_attn": True}, {}, severity="warning", proof="silent",
    ),
    Rule(
        "hyper-parallel-sft-full", "train/tuner.py:_training_function",
        on("use_hyper_parallel") & (unless("stage", "sft") | unless("finetuning_type", "full")),
        ("use_hyper_parallel", "stage", "finetuning_type"),
        "is for full supervised fine-tuning alone", "remove it, or train in full",
        {"use_hyper_parallel": True}, {"use_hyper_parallel": True, "finetuning_type": "full"},
        proof="later", unproved="the package hyper_parallel",
    ),
    Rule(
        "ppo-dead", "train/ppo/trainer.py:__init__", when("stage", "ppo"), ("stage",),
        "is PPO, which cannot run in LLaMA-Factory 0.9.5: it needs trl up to 0.9.6 and imports what only trl "
        "from 0.18 on has",
        "use dpo or kto",
        {"stage": "ppo", "reward_model": "judge", "reward_model_type": "full"}, {"stage": "dpo"},
        proof="later",
    ),
    Rule(
        "reward-api-address", "train/ppo/ppo_utils.py:get_rewards_from_server",
        when("reward_model_type", "api") & given("reward_model") & fact(
            "`reward_model` no http address", lambda s: not str(s.get("reward_model")).startswith("http")
        ),
        ("reward_model", "reward_model_type"),
        "is no http address, and {reward_model_type} is api", "write the server's address",
        {"reward_model_type": "api", "reward_model": "judge"},
        {"reward_model_type": "api", "reward_model": "http://127.0.0.1:9"}, proof="later",
    ),
    Rule(
        "ppo-no-evaluation", "train/ppo/trainer.py:__init__",
        when("stage", "ppo") & (given("eval_dataset") | on("resume_from_checkpoint")),
        ("eval_dataset", "resume_from_checkpoint", "stage"),
        "does not go with PPO", "remove it",
        {"stage": "ppo", "reward_model": "judge", "reward_model_type": "full", "eval_dataset": "two"},
        {"stage": "dpo", "eval_dataset": "two", "eval_strategy": "epoch"}, proof="later",
    ),
    Rule(
        "resume-auto", "trainer.py:_load_from_checkpoint", when("resume_from_checkpoint", "auto"),
        ("resume_from_checkpoint",),
        "is auto, which the engine takes for a folder's name", "write true, or the folder of a checkpoint",
        {"resume_from_checkpoint": "auto"}, {"resume_from_checkpoint": True}, proof="later",
    ),
)  # fmt: skip
