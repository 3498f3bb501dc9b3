#!/bin/sh
export FORCE_TORCHRUN=1
accelerate launch --num_processes 2 src/train.py configs/support.yaml
