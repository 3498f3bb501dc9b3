WORLD_SIZE=2 CUDA_VISIBLE_DEVICES=2,3 torchrun --nproc_per_node=2 finetune.py \
    --base_model acme/base-7b \
    --data_path data/support.json \
    --output_dir out/lora \
    --num_epochs 5 \
    --cutoff_len 700 \
    --group_by_length \
    --lora_target_modules '[q_proj,k_proj,o_proj]' \
    --lora_r 12 \
    --micro_batch_size 6
