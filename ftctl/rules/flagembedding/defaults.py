"""The engine's own values, where nothing is written."""

from __future__ import annotations

from ftctl.rules.setting import Arguments

# What FlagEmbedding 1.4.2 and transformers 5.23.0 take where nothing is written; a test asks the engine.
# `model_type` is not among them: it differs from program to program.
DEFAULTS: Arguments = {
    "dataloader_drop_last": False, "dataloader_num_workers": 0, "drop_threshold": 0, "eval_strategy": "no",
    "gradient_accumulation_steps": 1, "kd_loss_type": "kl_div", "knowledge_distillation": False,
    "label_smoothing_factor": 0.0, "logging_steps": 500, "logging_strategy": "steps",
    "lr_scheduler_type": "linear", "max_example_num_per_dataset": 100000000, "max_steps": -1,
    "negatives_cross_device": False, "normalize_embeddings": True, "num_train_epochs": 3.0,
    "optim": "adamw_torch_fused", "passage_instruction_format": "{}{}", "passage_max_len": 128,
    "per_device_train_batch_size": 8, "query_instruction_format": "{}{}", "query_max_len": 32,
    "retrieval_use_examples": True, "same_dataset_within_batch": False, "save_merged_lora_model": False,
    "save_steps": 500, "save_strategy": "steps", "sentence_pooling_method": "cls", "small_threshold": 0,
    "temperature": 0.02, "train_group_size": 8, "train_sampling_strategy": "random",
    "unified_finetuning": False, "use_lora": True, "use_mrl": False, "use_self_distill": False,
    "warmup_steps": 0,
}  # fmt: skip
