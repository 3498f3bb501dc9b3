#!/bin/bash
# a command line in place of a file
export CUDA_VISIBLE_DEVICES=0
llamafactory-cli train \
    --stage sft --do_train True \
    --model_name_or_path acme/base-7b \
    --dataset support --dataset_dir data \
    --finetuning_type lora --lora_rank 8 \
    --output_dir out/cli --per_device_train_batch_size 2 \
    --learning_rate 5e-05 --bf16 True
