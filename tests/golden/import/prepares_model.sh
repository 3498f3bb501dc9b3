python scripts/grow_blocks.py --model_name_or_path acme/base-7b --num_expand 4
