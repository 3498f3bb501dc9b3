"""The broken jobs of tests/golden/broken_jobs as somebody would write them for LLaMA-Factory itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.measure import ROOT

CASES = ROOT / "tests" / "golden" / "broken_jobs"
ROWS = CASES / "data" / "rows.jsonl"
PAIRS = {"columns": {"prompt": "instruction", "response": "output"}}
TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
TALK = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": TAGS}

# What each changes of a small training that runs (SOUND). None: the argument is left out.
SOUND = "sound"
CHANGES: Mapping[str, Mapping[str, Any]] = {
    SOUND: {},
    "typo_learning_rate": {"lerning_rate": 1e-4},
    "typo_epochs": {"num_train_epoch": 1},
    "typo_cutoff": {"cutoff_length": 1024},
    "typo_method": {"finetuning_type": "loraa"},
    "typo_scheduler": {"lr_scheduler_type": "cosin"},
    "typo_optimizer": {"optim": "adamw_troch"},
    "typo_lora_rank": {"lora_rnk": 8},
    "typo_template": {"template": "qwen33"},
    "typo_model": {"model_name_or_path": None, "modle_name_or_path": "MODEL"},
    "typo_format": {"dataset": "typo_format"},
    "typo_mix": {"dataset": "rows,talk", "mix_strategy": "interleaved"},
    "typo_column": {"dataset": "typo_column"},
    "type_epochs": {"num_train_epochs": "three", "max_steps": None},
    "type_learning_rate": {"learning_rate": "1e-4/s"},
    "type_batch_size": {"per_device_train_batch_size": [8]},
    "type_max_length": {"cutoff_len": "2k"},
    "type_seed": {"seed": "forty-two"},
    "type_dropout": {"lora_dropout": "10%"},
    "type_model": {"model_name_or_path": 7},
    "type_fraction": {"max_steps": 1.5},
    "range_warmup": {"warmup_steps": -1},
    "range_dropout": {"lora_dropout": 1.5},
    "range_rank": {"lora_rank": 0},
    "range_quantization": {"quantization_bit": 7},
    "range_log_every": {"logging_steps": 0},
    "range_eval": {"val_size": 1.5},
    "range_micro_batch": {"per_device_train_batch_size": 0},
    "range_seed": {"seed": -3},
    "range_learning_rate": {"learning_rate": -1e-4},
    "range_max_length": {"cutoff_len": 0},
    "range_eval_leaves_none": {"val_size": 8},
    "conflict_quantized_full": {"finetuning_type": "full", "quantization_bit": 4},
    "conflict_dora_quantized": {"quantization_bit": 4, "use_dora": True},
    "conflict_rslora_full": {"finetuning_type": "full", "use_rslora": True},
    "conflict_dora_freeze": {"finetuning_type": "freeze", "use_dora": True},
    "conflict_weights_concat": {"dataset": "rows,talk", "interleave_probs": "0.7,0.3"},
    "conflict_some_weights": {
        "dataset": "rows,talk",
        "mix_strategy": "interleave_under",
        "interleave_probs": "0.7",
    },
    "conflict_eval_every": {"eval_strategy": "steps", "eval_steps": 10},
    "conflict_kernels_cpu": {"enable_liger_kernel": True},
    "conflict_unsloth_cpu": {"use_unsloth": True},
    "conflict_eetq_bits": {"quantization_method": "eetq", "quantization_bit": 4},
    "conflict_said_twice": {},
    "conflict_native": {},
    "native_best_model": {"load_best_model_at_end": True},
    "native_two_masks": {"mask_history": True, "train_on_prompt": True},
    "native_galore_lora": {"use_galore": True, "optim": "adamw_torch"},
    "native_streaming": {"streaming": True, "max_steps": None},
    "native_loraplus_full": {"finetuning_type": "full", "loraplus_lr_ratio": 4.0},
    "native_pissa_quantized": {"quantization_bit": 4, "pissa_init": True},
    "native_deepspeed": {"deepspeed": "zero9.json"},
    "native_logging": {"logging_steps": 1.5},
    "file_no_data": {"dataset": "file_no_data"},
    "file_no_eval": {"eval_dataset": "file_no_data", "eval_strategy": "steps"},
    "file_no_model": {"model_name_or_path": "./models/none"},
    "file_no_config": {"model_name_or_path": str(CASES / "data")},
    "file_no_weights": {"model_name_or_path": "no_weights"},
    "file_no_tokenizer": {"model_name_or_path": "no_tokenizer"},
    "file_cut_weights": {"model_name_or_path": "cut_weights"},
    "file_not_yaml": {},
    "file_tab": {},
    **{f"data_{path.stem}": {"dataset": path.stem} for path in sorted((CASES / "data").iterdir())
       if path.stem not in ("rows", "talk")},
}  # fmt: skip
TEXT = {
    "conflict_said_twice": "learning_rate: 1e-4\nlearning_rate: 1e-5\n",
    "conflict_native": "learning_rate: 1e-4\nlearning_rate: 1e-5\n",
    "file_not_yaml": "lora_target: [q_proj, v_proj\nlora_rank: 8\n",
    "file_tab": "deepspeed:\n\tstage: 2\n",
}


def write(folder: Path, model: Path) -> None:
    """NAME.yaml for every case into `folder`, with the data's table and the broken copies of `model`."""
    _models(folder, model)
    (folder / "dataset_info.json").write_text(json.dumps(_datasets(), indent=1))
    for name, changes in CHANGES.items():
        arguments = _base(folder, model) | {"output_dir": str(folder / "out" / name), **changes}
        for key, value in arguments.items():
            if key.endswith("model_name_or_path") and isinstance(value, str):
                local = model if value == "MODEL" else folder / value
                arguments[key] = str(local if local.exists() else value)
        # JSON is YAML, a line an argument.
        lines = [f"{key}: {json.dumps(value)}" for key, value in arguments.items() if value is not None]
        (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n" + TEXT.get(name, ""))


def _base(folder: Path, model: Path) -> dict[str, Any]:
    """A training of one step that the engine accepts."""
    return {
        "model_name_or_path": str(model), "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "dataset": "rows", "dataset_dir": str(folder), "template": "qwen3", "cutoff_len": 64,
        "per_device_train_batch_size": 1, "max_steps": 1, "use_cpu": True, "report_to": "none",
        "overwrite_cache": True,
    }  # fmt: skip


def _datasets() -> dict[str, Any]:
    files = {path.stem: path for path in (CASES / "data").iterdir()}
    talks = {"talk", "odd_turns", "unknown_role"}
    info: dict[str, Any] = {
        name: {"file_name": str(path), **(TALK if name in talks else PAIRS)} for name, path in files.items()
    }
    info["typo_format"] = {**info["rows"], "formatting": "alpacca"}
    info["typo_column"] = {"file_name": str(ROWS), "columns": {"promt": "instruction", "response": "output"}}
    info["file_no_data"] = {**PAIRS, "file_name": str(CASES / "data" / "row.jsonl")}
    return info


def _models(folder: Path, model: Path) -> None:
    for name in ("no_weights", "no_tokenizer", "cut_weights"):
        shutil.copytree(model, folder / name)
    for path in (folder / "no_weights").glob("*.safetensors*"):
        path.unlink()
    for path in (folder / "no_tokenizer").glob("token*"):
        path.unlink()
    cut = next((folder / "cut_weights").glob("*.safetensors"))
    cut.write_bytes(cut.read_bytes()[:-1000])
