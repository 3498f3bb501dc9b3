"""Put right in a trainer of FlagEmbedding what release 1.4.2 does wrong on transformers 5.23.0."""

import json
import math
import pathlib
import random
import sys
from typing import Any

import torch
from safetensors import safe_open
from training_events import require_number  # type: ignore[import-not-found] # beside this file
from transformers import TrainerCallback

HEADS = ("colbert_linear", "sparse_linear")  # m3 saves them beside the model, each in a file of its own


class Secret(str):
    """A text that a log does not show: the release logs all arguments, the Hub's token among them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hide_token(model_arguments: Any) -> None:
    if model_arguments.token:
        model_arguments.token = Secret(model_arguments.token)


class Mended:
    """Goes before the class of a trainer, whose `model` wraps the real model as `model.model`."""

    model: Any
    args: Any
    state: Any
    processing_class: Any

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the weights of a checkpoint into the model inside the wrapper.

        transformers would load them into the wrapper, where every name has a prefix that the checkpoint's
        lack: nothing is loaded, nothing is said, and the training goes on from the base weights.
        """
        inner = self.model.model
        if hasattr(inner, "peft_config"):
            super()._load_from_checkpoint(resume_from_checkpoint, model=inner)  # type: ignore[misc]
        else:
            saved = type(inner).from_pretrained(resume_from_checkpoint)
            inner.load_state_dict(saved.state_dict())
        for name in HEADS:
            file = pathlib.Path(resume_from_checkpoint, f"{name}.pt")
            if hasattr(self.model, name) and file.exists():
                getattr(self.model, name).load_state_dict(torch.load(file, weights_only=True))

    def _save_processing_class(self, output_dir: str) -> None:
        """Save the tokenizer without the padding and the truncation of the last batch that it read."""
        backend = getattr(self.processing_class, "backend_tokenizer", None)
        if backend is not None:
            backend.no_truncation()
            backend.no_padding()
        super()._save_processing_class(output_dir)  # type: ignore[misc]

    def training_step(self, *arguments: Any, **named: Any) -> Any:
        loss = super().training_step(*arguments, **named)  # type: ignore[misc]
        require_number("loss", loss.item(), self.state.global_step + 1)
        return loss


class Drawn:
    """A dataset whose choices (which positive, which negatives) depend on the seed, the epoch and the row.

    The release takes them from one generator that runs on: a resumed training would make other choices
    than the uninterrupted one, for a batch is drawn ahead of its step, and so would two processes.
    """

    def __init__(self, dataset: Any, seed: int, rank: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.rank = rank
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: int) -> Any:
        counts = hasattr(self.dataset, "refresh_epoch")  # it ignores `item` and counts its batches by itself
        row = f"{self.dataset.step}/{self.rank}" if counts else str(item)
        before = random.getstate()
        random.seed(f"{self.seed}/{self.epoch}/{row}")
        try:
            return self.dataset[item]
        finally:
            random.setstate(before)


class Watch(TrainerCallback):
    """Puts the data where a resumed training left it."""

    def __init__(self, model: Any, drawn: Drawn) -> None:
        self.model = model
        self.drawn = drawn
        self.dataset = drawn.dataset

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.drawn.epoch = int((state.epoch or 0.0) + 1e-6)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.global_step:
            return
        drawn = state.global_step * args.gradient_accumulation_steps
        if hasattr(self.model, "step"):
            self.model.step = drawn  # m3 counts by itself when its self-distillation starts
        if hasattr(self.dataset, "refresh_epoch"):
            self.replay(args, state)

    def replay(self, args: Any, state: Any) -> None:
        """Order the batches as they were and go to where the training stood, for a dataset that counts."""
        batches = len(self.dataset.batch_datas)
        steps = math.ceil(batches / args.gradient_accumulation_steps)
        for _ in range(state.global_step // steps):
            self.dataset.refresh_epoch()
        self.dataset.step = state.global_step % steps * args.gradient_accumulation_steps


def mended(runner: Any) -> Any:
    """The class of a runner, its module made to build the trainer with the mends."""
    module = sys.modules[runner.__module__]
    (name,) = [name for name in vars(module) if name.endswith("Trainer")]
    setattr(module, name, type(name, (Mended, getattr(module, name)), {}))
    return runner


def watch(trainer: Any) -> None:
    """Put right what the trainer's arguments and its data have wrong, before it trains."""
    trainer.model._keys_to_ignore_on_save = None  # transformers asks a model for it that its wrapper lacks
    trainer.train_dataset = Drawn(trainer.train_dataset, trainer.args.seed, trainer.args.process_index)
    trainer.add_callback(Watch(trainer.model, trainer.train_dataset))


def mend_merged(folder: pathlib.Path) -> None:
    """Write the true size of the embedding into the configuration of a merged model.

    The icl program writes the tokenizer's length there. Where the model has more rows, as Qwen has, the
    folder cannot be loaded again.
    """
    file = folder / "config.json"
    if not file.exists():
        return
    config = json.loads(file.read_text(encoding="utf-8"))
    for shard in folder.glob("*.safetensors"):
        with safe_open(shard, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - not a mapping
                if name.endswith("embed_tokens.weight"):
                    config["vocab_size"] = weights.get_slice(name).get_shape()[0]
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def require_finite(folder: pathlib.Path) -> None:
    """Raise FloatingPointError where a weight saved in `folder`, or merged below it, is NaN or infinite."""
    files = [*folder.glob("*.safetensors"), *folder.glob("merged_model/*.safetensors")]
    if not files:
        raise FileNotFoundError(f"the training has ended and left no weights in {folder}")
    for file in sorted(files):
        with safe_open(file, framework="pt") as weights:
            names = weights.keys()
            lost = [name for name in names if not weights.get_tensor(name).isfinite().all()]
        if lost:
            raise FloatingPointError(f"{file}: {len(lost)} tensors hold NaN or infinity, {lost[0]} the first")
    for name in HEADS:
        head = folder / f"{name}.pt"
        if head.exists() and not all(
            weight.isfinite().all() for weight in torch.load(head, weights_only=True).values()
        ):
            raise FloatingPointError(f"{head} holds NaN or infinity")
