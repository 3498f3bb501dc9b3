"""Run by LLaMA-Factory's interpreter: the token ids that it would train on, for every dataset of a folder.

encode_rows.py MODEL FOLDER prints {name: [ids, …]} for the names in FOLDER/dataset_info.json, and under
"chat" what the tokenizer's own chat template makes of FOLDER/chats.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

model, folder = sys.argv[1], Path(sys.argv[2])
ids = {}
for name in json.loads((folder / "dataset_info.json").read_text()):
    arguments = {
        "model_name_or_path": model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset_dir": str(folder),
        "dataset": name,
        "cutoff_len": 512,
        "output_dir": str(folder / "output"),
        "use_cpu": True,
        "report_to": "none",
    }
    model_args, data_args, training_args, _, _ = get_train_args(arguments)
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    data = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)
    ids[name] = [row["input_ids"] for row in data["train_dataset"]]
chats = json.loads((folder / "chats.json").read_text())
ids["chat"] = [loaded["tokenizer"].apply_chat_template(chat)["input_ids"] for chat in chats]
Path(folder / "ids.json").write_text(json.dumps(ids))
