"""The engine's rules of a job that has mistakes: only those whose verdict rests on no wrong key.

What a rule says follows from the arguments that it asks for and from the place. So it is told where no
argument that it asked for comes from a key in doubt, and where it is broken in every place that may be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from ftctl.engine_schema.table import DESCRIBED
from ftctl.job.doubt import Doubt
from ftctl.job.native import own_keys
from ftctl.rules.book import Book
from ftctl.rules.check import broken
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting

_METHOD = ("train.method",)
_BATCH = ("train.batch_size", "train.micro_batch_size", "resources", "model.path")
# What an argument is derived from besides the keys that say the same (`job.native`), as trainers render it.
_DERIVED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"learning_rate|use_rslora|use_dora|lora_.*|freeze_.*", _METHOD),
    (r"lora_alpha", ("train.lora.rank",)),
    (r"bf16|fp16", ("resources.gpus", "train.method", "model.path")),
    (r"(disable_)?gradient_checkpointing", ("train.gradient_checkpointing", "model.path")),
    (r"per_device_.*_batch_size|gradient_accumulation_steps", (*_BATCH, "data.eval")),
    (r"eval_.*|val_size", ("data.eval", "train.eval_every")),
    (r"eval_dataset", ("data.train",)),
    (r"interleave_probs|mix_strategy", ("data.train", "data.mix")),
    (r"include_num_input_tokens_seen", ("train.packing",)),
    (r"(quantization|double_quantization).*", ("train.quantization",)),
    (r"ddp_.*|use_cpu", ("resources",)),
)
_SERVED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"dtype|max_model_len|kv_cache_.*|enforce_eager|gpu_memory_utilization", ("model.path",)),
    (r"(tensor|pipeline|data)_parallel_size|kv_cache_.*|enforce_eager", ("deploy.gpus", "resources")),
    (r"enable_lora|lora_modules|max_lora_rank", ("train.lora", "train.method")),
)
_FOLLOWS = {"train": _DERIVED, "deploy": _SERVED}
_ENGINE = {"train": ("train.engine", "train.task"), "deploy": ("deploy.engine",)}
_DEVICES = {"train": ("resources",), "deploy": ("resources", "deploy.gpus")}
PLACES = (Place(), Place(world_size=2), Place(gpus=1, bf16=True), Place(gpus=2, world_size=2, bf16=True))


def certain(
    setting: Setting, book: Book, doubt: Doubt, written: Set[str]
) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """The broken rules that stay broken whatever is mended, with the arguments that they speak about.

    `written` are the job's keys that are set.
    """
    block = _block(book.engine)
    if doubt.within(*_ENGINE[block]):
        return
    places = PLACES if doubt.within(*_DEVICES[block]) else ()
    for rule in book.rules:
        asked: set[str] = set()
        watched = replace(setting, arguments=_Asked(setting.arguments, asked))
        for found, about in broken(watched, (rule,)):
            if found.each is not None:
                asked = set()  # each argument is asked by itself
            elsewhere = (replace(setting, place=_placed(setting.place, place)) for place in places)
            sure = all((found, about) in broken(other, (rule,)) for other in elsewhere)
            if sure and not any(
                doubt.within(*sources(name, written, book.engine)) for name in {*asked, *about}
            ):
                yield found, about


def sources(argument: str, written: Set[str], engine: str = "llamafactory") -> tuple[str, ...]:
    """The job's keys that an argument of the engine follows from: `native` alone where that has it.

    Of an engine whose arguments are not listed here, any key may be one.
    """
    block, argument = _block(engine), argument.replace("-", "_")
    forms = (f"{block}.native.{argument}", f"{block}.native.{argument.replace('_', '-')}")
    if native := tuple(form for form in forms if form in written):
        return native
    if engine == "flagembedding":
        return ("train", "model", "data", "resources")
    derived = (keys for names, keys in _FOLLOWS[block] if re.fullmatch(names, argument))
    return (*forms, *own_keys(argument, block), *(key for keys in derived for key in keys))


def _block(engine: str) -> str:
    """The block of the job that speaks to the engine."""
    return "deploy" if DESCRIBED[engine].kind == "serving" else "train"


def _placed(known: Place, other: Place) -> Place:
    return replace(known, gpus=other.gpus, world_size=other.world_size, bf16=other.bf16)


class _Asked(Mapping[str, Any]):
    """Arguments that take down which of them were asked for."""

    def __init__(self, arguments: Mapping[str, Any], names: set[str]) -> None:
        self.arguments = arguments
        self.names = names

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return self.arguments[name]

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return name in self.arguments

    def __iter__(self) -> Iterator[str]:
        self.names.update(self.arguments)
        return iter(self.arguments)

    def __len__(self) -> int:
        return len(self.arguments)
