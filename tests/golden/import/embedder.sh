export WANDB_MODE=disabled
train_data="\
    data/retrieval.jsonl \
    data/sts.jsonl "
num_gpus=2
model_args="\
    --model_name_or_path acme/embedder-base \
    --cache_dir $HF_HUB_CACHE \
"
data_args="--train_data $train_data --train_group_size 8 --query_max_len 512 --passage_max_len 512 \
    --query_instruction_for_retrieval 'Find what answers: ' --query_instruction_format '{}{}'"
training_args="\
    --output_dir ./out/embedder --overwrite_output_dir \
    --learning_rate 1e-5 --fp16 --num_train_epochs 2 --per_device_train_batch_size 4 \
    --dataloader_drop_last True --warmup_ratio 0.1 --gradient_checkpointing \
    --deepspeed ds/zero0.json --logging_steps 1 --save_steps 1000 \
    --negatives_cross_device --temperature 0.02 --sentence_pooling_method cls \
    --normalize_embeddings True --kd_loss_type kl_div \
"
cmd="torchrun --nproc_per_node $num_gpus \
    -m FlagEmbedding.finetune.embedder.encoder_only.base \
    $model_args \
    $data_args \
    $training_args \
"
echo $cmd
eval $cmd
