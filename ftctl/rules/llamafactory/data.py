"""Rules of DataArguments, and of the loader that reads the data they name."""

from __future__ import annotations

from ftctl.rules.condition import above, below, fact, given, on, unless, when
from ftctl.rules.rule import DROP, Rule
from ftctl.rules.setting import Setting

SOURCE = "hparams/data_args.py:__post_init__"
HELD_OUT = fact("`val_size` > 1e-6", lambda setting: (setting.number("val_size") or 0) > 1e-6)
MIXED = {"dataset": "one,two", "interleave_probs": "0.5,0.5", "mix_strategy": "interleave_under"}


def _unequal(name: str, message: str, remedy: str) -> Rule:
    """As many shares as datasets: for `dataset` and for `eval_dataset`, which is mixed in the same way."""
    wrong = {"dataset": "one"} if name == "dataset" else {"eval_dataset": "one"}
    right = {"eval_dataset": "one,two"} if name == "eval_dataset" else {}
    return Rule(
        f"interleave-shares-{name.replace('_', '-')}", SOURCE,
        given("interleave_probs") & fact(
            f"not one share for each `{name}`",
            lambda setting: 0 != len(setting.words(name)) != len(setting.words("interleave_probs")),
        ),
        (name, "interleave_probs"), message, remedy,
        {**MIXED, **wrong}, {**MIXED, **right},
    )  # fmt: skip


def _all_rows(setting: Setting) -> bool:
    """A share of 1; the whole number is one row."""
    value = setting.get("val_size")
    return isinstance(value, float) and value == 1


RULES: tuple[Rule, ...] = (
    Rule(
        "held-out-needs-data", SOURCE, HELD_OUT & when("dataset", None), ("val_size", "dataset"),
        "holds rows out, and there is no data to hold them out of", "set {dataset}, or remove it",
        {"dataset": DROP, "do_train": False, "val_size": 0.1}, {"val_size": 0.1, "eval_strategy": "epoch"},
    ),
    Rule(
        "held-out-or-own-data", SOURCE, HELD_OUT & given("eval_dataset"), ("val_size", "eval_dataset"),
        "and {eval_dataset} are both set",
        "keep one: rows held out of the training data, or files of their own",
        {"val_size": 0.1, "eval_dataset": "two"}, {"eval_dataset": "two", "eval_strategy": "epoch"},
    ),
    Rule(
        "interleave-needs-strategy", SOURCE, given("interleave_probs") & when("mix_strategy", "concat"),
        ("interleave_probs", "mix_strategy"),
        "has an effect only when files are interleaved",
        "set {mix_strategy} to interleave_under or interleave_over",
        {"interleave_probs": "1.0"}, {"interleave_probs": "1.0", "mix_strategy": "interleave_under"},
    ),
    _unequal("dataset", "has not one file for each share of {interleave_probs}", "write one share for each"),
    _unequal(
        "eval_dataset", "has not as many files as the training data, and the engine mixes both by the same "
        "shares",
        "name as many files, or hold out a share of the training data (data.eval: 0.05)",
    ),
    Rule(
        "streaming-held-out-count", SOURCE, on("streaming") & HELD_OUT & below("val_size", 1),
        ("val_size", "streaming"),
        "is a share, and the length of a stream is not known", "write a count of rows",
        {"streaming": True, "val_size": 0.1, "max_steps": 1},
        {"streaming": True, "val_size": 10, "max_steps": 1, "eval_strategy": "steps"},
    ),
    Rule(
        "streaming-without-max-samples", SOURCE, on("streaming") & given("max_samples"),
        ("max_samples", "streaming"),
        "does not go with streaming", "remove it; max_steps limits a stream",
        {"streaming": True, "max_samples": 5, "max_steps": 1}, {"streaming": True, "max_steps": 1},
    ),
    Rule(
        "mask-history-or-prompt", SOURCE, on("mask_history") & on("train_on_prompt"),
        ("mask_history", "train_on_prompt"),
        "leaves all but the last answer out, and {train_on_prompt} takes everything in",
        "keep one of the two",
        {"mask_history": True, "train_on_prompt": True}, {"mask_history": True},
    ),
    Rule(
        "streaming-needs-max-steps", "hparams/parser.py:get_train_args",
        on("streaming") & when("max_steps", -1), ("max_steps", "streaming"),
        "is missing, and the length of a stream is not known", "set it",
        {"streaming": True}, {"streaming": True, "max_steps": 10},
    ),
    Rule(
        "train-needs-dataset", "hparams/parser.py:get_train_args", on("do_train") & when("dataset", None),
        ("dataset",),
        "is missing", "name the data to train on",
        {"dataset": DROP}, {},
    ),
    Rule(
        "streaming-needs-workers", "data/converter.py:align_dataset",
        on("streaming") & below("dataloader_num_workers", 1), ("dataloader_num_workers", "streaming"),
        "is 0, and local files are streamed by workers: the engine ends with StopIteration",
        "set it to 1 or more",
        {"streaming": True, "max_steps": 1},
        {"streaming": True, "max_steps": 1, "dataloader_num_workers": 1}, proof="later",
    ),
    Rule(
        "tokenized-not-streaming", "data/loader.py:get_dataset", given("tokenized_path") & on("streaming"),
        ("tokenized_path", "streaming"),
        "keeps the whole data on disk, and a stream has no end", "remove one of the two",
        {"tokenized_path": "cache", "streaming": True, "max_steps": 1, "dataloader_num_workers": 1},
        {"streaming": True, "max_steps": 1, "dataloader_num_workers": 1}, proof="later",
    ),
    Rule(
        "held-out-count-above-one", "data/data_utils.py:split_dataset",
        fact("`val_size` 1.0", _all_rows), ("val_size",),
        "is 1.0, which the engine reads as all rows", "write 1 or more rows, or a share below 1",
        {"val_size": 1.0, "eval_strategy": "epoch"}, {"val_size": 2, "eval_strategy": "epoch"}, proof="later",
    ),
    Rule(
        "tokenized-path-wins", "data/loader.py:get_dataset", given("tokenized_path"), ("tokenized_path",),
        "makes the engine forget the data, the template and the length of this job once that folder is there",
        "remove it, unless the folder was made from exactly this job",
        {"tokenized_path": "cache"}, {}, severity="warning", proof="silent",
    ),
    Rule(
        "cutoff-absurd", "hparams/data_args.py:DataArguments", above("cutoff_len", 16_777_216),
        ("cutoff_len",),
        "is longer than any model reads: nothing is cut, and one long row takes all the memory",
        "write the length that the model was trained with",
        {"cutoff_len": 1_000_000_000}, {"cutoff_len": 32_768}, proof="silent",
    ),
    Rule(
        "cutoff-positive", "hparams/data_args.py:DataArguments", below("cutoff_len", 2), ("cutoff_len",),
        "leaves nothing of any row", "write 8 or more",
        {"cutoff_len": 0}, {"cutoff_len": 8}, proof="silent",
    ),
    Rule(
        "mix-strategy-known", "data/data_utils.py:merge_dataset",
        unless("mix_strategy", "concat", "interleave_under", "interleave_over", "interleave_once"),
        ("mix_strategy",),
        "is no way to mix that the engine knows",
        "write concat, interleave_under, interleave_over or interleave_once",
        {"dataset": "one,two", "mix_strategy": "interleave"},
        {"dataset": "one,two", "mix_strategy": "interleave_over"}, proof="later",
    ),
)  # fmt: skip
