"""Two sets of the engine's arguments, key by key: every difference, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftctl.importing.draft import SECRET, public
from ftctl.importing.llamafactory_names import defaults

# Why a key may differ after an import; a key that is not here has no business to.
REASONS: Mapping[str, str] = {
    "dataset": "ftctl's own dataset_info.json names the files train_0, train_1, …",
    "eval_dataset": "ftctl's own dataset_info.json names the files eval_0, eval_1, …",
    "dataset_dir": "the run's own folder holds dataset_info.json",
    "output_dir": "a run has a folder of its own",
    "overwrite_output_dir": "a run's folder is new",
    "overwrite_cache": "a run prepares its rows anew, in a cache of its own",
    "do_train": "a job with a train block trains",
    "do_eval": "eval_strategy says it",
    "do_predict": "nothing is predicted while it trains",
    "resume_from_checkpoint": "ftctl resume takes up a run's own checkpoints",
    "export_dir": "ftctl merges an adapter by itself",
    "warmup_ratio": "rendered as warmup_steps, which takes a share too and which transformers 5.2 wants",
    "warmup_steps": "the original's warmup_ratio, which wins over its warmup_steps",
    "lora_alpha": "written out: twice the rank is the engine's default too",
    "logging_steps": "ftctl reports every step unless train.log_every says otherwise",
    "include_num_input_tokens_seen": "ftctl counts tokens, for its tokens per second",
    "ddp_timeout": "ftctl waits long for a slow rank",
    "report_to": "ftctl keeps its own record unless train.report_to says otherwise",
    "per_device_eval_batch_size": "evaluation takes the training's micro batch",
    "eval_strategy": "rows that are held out are evaluated on",
    "eval_steps": "the engine takes logging_steps where it is not set, or has no use for it",
    "save_steps": "has no effect with this save_strategy",
    "val_size": "ftctl holds the rows out itself, unless eval_dataset is there or it holds nothing out",
    "interleave_probs": "as shares of one, or not one for each dataset",
    "model_revision": "the Hub's default",
    "model_name_or_path": "the path as the job file sees it",
    "adapter_name_or_path": "the path as the job file sees it",
    "max_steps": "−1 is no limit",
    "gradient_accumulation_steps": "the global batch is shared by the devices of resources.gpus",
    "lora_target": "the same names, in another writing",
    "freeze_trainable_modules": "the same names, in another writing",
    "per_device_train_batch_size": "follows from the global batch",
    "packing": "written out: neat_packing packs",
    "use_cpu": "resources.gpus says it",
    "preprocessing_num_workers": "data.workers says it",
    "double_quantization": "written out: the engine's own default",
}


FILES = frozenset({"deepspeed"})


@dataclass(frozen=True)
class Difference:
    """A key that the two sets hold otherwise. None: the set does not have it. `why` may be empty."""

    key: str
    original: Any
    rendered: Any
    why: str


def compare(original: Mapping[str, Any], rendered: Mapping[str, Any]) -> list[Difference]:
    """Every difference between a config and what its imported job renders to, in the original's order.

    A key that only one of the two has is no difference where its value is the engine's default; null in
    the original is the same as leaving the key out.
    """
    found = []
    for key in dict.fromkeys((*original, *rendered)):
        one, two = public(original.get(key)), rendered.get(key)
        if one is None and (two is None or same(two, defaults().get(key))):
            continue
        if (
            same(one, two)
            or (key in FILES and _same_file(one, two))
            or (two is None and key in defaults() and same(one, defaults()[key]))
        ):
            continue
        secret = SECRET.search(key) is not None
        why = "a secret is kept out of a run" if secret else REASONS.get(key, "")
        why = why or (
            "the number that the text stands for" if two is not None and _number(one) == two else ""
        )
        found.append(Difference(key, "…" if secret else one, two, why))
    return found


def same(one: Any, two: Any) -> bool:
    """Whether the engine would read both values as one: 3 and 3.0, a list and the same with commas."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, int | float) and isinstance(two, int | float):
        return one == two or repr(one) == repr(two)  # not a number is as good as itself
    if isinstance(one, list) or isinstance(two, list):
        return _words(one) == _words(two)
    if isinstance(one, str) and isinstance(two, str):
        return one == two or _words(one) == _words(two)
    return bool(one == two) or repr(one) == repr(two)


def _number(value: Any) -> float | None:
    """The number that a text stands for; None for anything else."""
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _same_file(one: Any, two: Any) -> bool:
    """Whether a path was only made absolute, as a run in a folder of its own needs it."""
    return isinstance(one, str) and isinstance(two, str) and two.startswith("/") and two.endswith(f"/{one}")


def _words(value: Any) -> list[str]:
    items = value if isinstance(value, list) else str(value).split(",")
    return [str(item).strip() for item in items]
