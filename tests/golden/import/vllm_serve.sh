#!/usr/bin/env bash
set -euo pipefail
MODEL="acme/chat-7b"   # which one
PORT=${PORT:-8000}
CUDA_VISIBLE_DEVICES=0,1 VLLM_ATTENTION_BACKEND=FLASH_ATTN vllm serve "$MODEL" \
  --served-model-name chat chat-7b \
  --host 0.0.0.0 --port $PORT \
  -tp 2 --max-model-len 32k --gpu-memory-utilization=0.85 \
  --enable-auto-tool-choice --tool-call-parser hermes \
  --no-enable-prefix-caching --enforce-eager \
  --speculative-config '{"method": "ngram", "num_speculative_tokens": 4}' \
  --limit-mm-per-prompt.image 2 \
  --api-key sk-literal-key --dtype half > serve.log 2>&1 &
