data=data/pairs.jsonl
torchrun --nproc_per_node 4 --master_port=4000 \
    -m FlagEmbedding.finetune.reranker.decoder_only.layerwise \
    --model_name_or_path acme/ranker-2b --trust_remote_code True \
    --use_lora True --lora_rank 16 --lora_alpha 24 --target_modules q_proj v_proj \
    --model_type from_finetuned_model --start_layer 6 --head_multi True --head_type simple \
    --train_data $data --train_group_size 6 --query_max_len 48 --passage_max_len 300 \
    --knowledge_distillation True --query_instruction_for_rerank 'Q: ' --query_instruction_format '{}{}' \
    --output_dir out/ranker --learning_rate 9e-5 --bf16 --num_train_epochs 2 \
    --per_device_train_batch_size 3 --gradient_accumulation_steps 2 --deepspeed configs/zero1.json
