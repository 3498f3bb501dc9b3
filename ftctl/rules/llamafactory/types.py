"""The engine's arguments that are yes or no, and those that are numbers: it checks neither.

Source: the dataclasses of llamafactory 0.9.5 and transformers 5.6.0; a test compares them.
"""

from __future__ import annotations

BOOLEANS: tuple[str, ...] = (
    "apollo_layerwise", "apollo_scale_front", "auto_find_batch_size", "average_tokens_across_devices",
    "batch_eval_metrics", "bf16", "bf16_full_eval", "block_diag_attn", "compute_accuracy",
    "create_new_adapter", "crop_to_patches", "data_shared_file_system", "dataloader_drop_last",
    "dataloader_persistent_workers", "dataloader_pin_memory", "ddp_broadcast_buffers",
    "ddp_find_unused_parameters", "ddp_static_graph", "disable_gradient_checkpointing",
    "disable_shuffling", "disable_tqdm", "do_eval", "do_predict", "do_sample", "do_train",
    "double_quantization", "enable_jit_checkpoint", "enable_liger_kernel", "enable_thinking",
    "enable_torch_profiler", "eval_do_concat_batches", "eval_on_each_dataset", "eval_on_start",
    "eval_use_gather_object", "export_legacy_format", "fp16", "fp16_full_eval", "fp8",
    "fp8_enable_fsdp_float8_all_gather", "freeze_language_model", "freeze_multi_modal_projector",
    "freeze_vision_tower", "full_determinism", "galore_layerwise", "gradient_checkpointing",
    "greater_is_better", "hub_always_push", "hub_private_repo", "ignore_data_skip",
    "ignore_pad_token_for_loss", "image_do_pan_and_scan", "include_effective_tokens_per_second",
    "kt_use_lora_experts", "load_best_model_at_end", "log_on_each_node", "logging_first_step",
    "logging_nan_inf_filter", "low_cpu_mem_usage", "mask_history", "neat_packing", "overwrite_cache",
    "overwrite_output_dir", "packing", "pissa_convert", "pissa_init", "plot_loss", "ppo_score_norm",
    "ppo_whiten_rewards", "predict_with_generate", "prediction_loss_only", "preserve_thinking",
    "print_param_status", "profiler_profile_memory", "profiler_record_shapes", "profiler_with_stack",
    "pure_bf16", "push_to_hub", "remove_unused_columns", "resize_vocab",
    "restore_callback_states_from_checkpoint", "save_on_each_node", "save_only_model", "shift_attn",
    "skip_memory_metrics", "skip_special_tokens", "sortish_sampler", "split_special_tokens", "streaming",
    "tf32", "torch_compile", "train_from_scratch", "train_on_prompt", "trust_remote_code",
    "upcast_layernorm", "upcast_lmhead_output", "use_adam_mini", "use_apollo", "use_asft_loss",
    "use_audio_in_video", "use_badam", "use_cache", "use_cpu", "use_dft_loss", "use_dora",
    "use_eaft_loss", "use_fast_tokenizer", "use_galore", "use_hyper_parallel", "use_kt", "use_kv_cache",
    "use_liger_kernel", "use_llama_pro", "use_mca", "use_muon", "use_reentrant_gc", "use_rslora",
    "use_swanlab", "use_unsloth", "use_unsloth_gc", "use_v1_kernels", "vllm_enforce_eager",
)  # fmt: skip

NUMBERS: tuple[str, ...] = (
    "adam_beta1", "adam_beta2", "adam_epsilon", "apollo_rank", "apollo_scale", "apollo_update_interval",
    "asft_alpha", "audio_sampling_rate", "badam_start_block", "badam_switch_interval",
    "badam_update_ratio", "badam_verbose", "buffer_size", "cutoff_len", "data_seed",
    "dataloader_num_workers", "dataloader_prefetch_factor", "ddp_bucket_cap_mb", "ddp_timeout",
    "dpo_label_smoothing", "eaft_alpha", "early_stopping_steps", "eval_accumulation_steps", "eval_delay",
    "eval_num_beams", "eval_steps", "export_quantization_bit", "export_quantization_maxlen",
    "export_quantization_nsamples", "export_size", "freeze_trainable_layers", "galore_rank",
    "galore_scale", "galore_update_interval", "generation_max_length", "generation_num_beams",
    "gradient_accumulation_steps", "image_max_pixels", "image_min_pixels",
    "kt_lora_expert_intermediate_size", "kt_lora_expert_num", "kto_chosen_weight", "kto_rejected_weight",
    "label_smoothing_factor", "ld_alpha", "learning_rate", "length_penalty", "local_rank",
    "logging_steps", "lora_alpha", "lora_dropout", "lora_rank", "loraplus_lr_embedding",
    "loraplus_lr_ratio", "max_grad_norm", "max_length", "max_new_tokens", "max_samples", "max_steps",
    "model_max_length", "module_dropout", "moe_aux_loss_coef", "neftune_noise_alpha", "num_beams",
    "num_train_epochs", "oft_block_size", "oft_rank", "per_device_eval_batch_size",
    "per_device_train_batch_size", "pissa_iter", "ppo_buffer_size", "ppo_epochs", "ppo_target",
    "pref_bco_weight", "pref_beta", "pref_ftx", "preprocessing_batch_size", "preprocessing_num_workers",
    "profiler_active_steps", "profiler_repeat", "profiler_wait_steps", "profiler_warmup_steps",
    "quantization_bit", "ray_num_workers", "ref_model_quantization_bit", "repetition_penalty",
    "reward_model_quantization_bit", "save_steps", "save_total_limit", "seed", "sglang_maxlen",
    "sglang_mem_fraction", "sglang_tp_size", "simpo_gamma", "temperature", "top_k", "top_p",
    "torch_empty_cache_steps", "val_size", "video_fps", "video_max_pixels", "video_maxlen",
    "video_min_pixels", "vllm_gpu_util", "vllm_max_lora_rank", "vllm_maxlen", "warmup_ratio",
    "warmup_steps", "weight_decay",
)  # fmt: skip
