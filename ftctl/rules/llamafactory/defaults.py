"""The engine's own values, where nothing is written."""

from __future__ import annotations

from ftctl.rules.setting import Arguments

# What LLaMA-Factory 0.9.5 and transformers 5.6.0 take where nothing is written; a test asks the engine.
DEFAULTS: Arguments = {
    "badam_mode": "layer", "badam_update_ratio": 0.05, "cutoff_len": 2048, "dataloader_num_workers": 0,
    "dpo_label_smoothing": 0.0, "eval_strategy": "no", "finetuning_type": "lora", "flash_attn": "auto",
    "freeze_trainable_layers": 2, "fp8_backend": "auto", "gradient_accumulation_steps": 1,
    "hub_strategy": "every_save", "image_max_pixels": 589824, "image_min_pixels": 1024,
    "infer_backend": "huggingface", "init_special_tokens": "noise_init", "logging_steps": 500,
    "logging_strategy": "steps", "lora_alpha": None, "lora_rank": 8, "lr_scheduler_type": "linear",
    "max_steps": -1, "mix_strategy": "concat", "oft_block_size": 32, "oft_rank": 0,
    "optim": "adamw_torch_fused", "pref_loss": "sigmoid", "project": "huggingface",
    "quantization_method": "bnb", "reward_model_type": "lora", "save_steps": 500, "save_strategy": "steps",
    "stage": "sft", "val_size": 0.0, "video_max_pixels": 65536, "video_min_pixels": 256,
    "warmup_steps": 0,
}  # fmt: skip
