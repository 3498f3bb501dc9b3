"""Rules of the rows and the texts: groups, lengths, instructions, and batches from one file."""

from __future__ import annotations

from ftctl.rules.condition import Condition, above, absent, below, fact, given, off, on, when
from ftctl.rules.flagembedding.programs import EMBEDDERS, PROGRAMS, RERANKERS, of
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Setting

EMBEDDER_DATA = "abc/finetune/embedder/AbsDataset.py:"
RERANKER_DATA = "abc/finetune/reranker/AbsDataset.py:"
GROUPED = on("same_dataset_within_batch")
INSTRUCTION, TEXT = "\x01", "\x02"


def _filled(setting: Setting, argument: str) -> str | None:
    """The format with an instruction and a text in it; None where Python cannot fill it."""
    try:
        return str(setting.get(argument)).format(INSTRUCTION, TEXT)
    except (IndexError, KeyError, ValueError, AttributeError):
        return None


def _unfilled(argument: str) -> Condition:
    return fact(f"`{argument}` asking for more than two values", lambda setting:
                setting.get(argument) is not None and _filled(setting, argument) is None)  # fmt: skip


def _lossy(argument: str) -> Condition:
    def holds(setting: Setting) -> bool:
        made = _filled(setting, argument)
        return made is not None and not (INSTRUCTION in made and TEXT in made)

    return fact(f"`{argument}` without two places", holds)


def _formats(which: str, end: str, source: str) -> tuple[Rule, ...]:
    """The format of an instruction before a query or a passage; `end` is how its argument ends."""
    argument, instruction = f"{which}_instruction_format", f"{which}_instruction_for_{end}"
    told = {instruction: "Find it: "}
    kind = "embedder" if end == "retrieval" else "reranker"
    return (
        Rule(
            f"{kind}-{which}-format-filled", source, given(instruction) & _unfilled(argument),
            (argument, instruction),
            "cannot be filled: the engine gives the instruction and the text, in this order, without names",
            "write two {}, for example {}{}",
            {**told, argument: "{instruction}{query}"}, {**told, argument: "Instruct: {}\nQuery: {}"},
            proof="later",
        ),
        Rule(
            f"{kind}-{which}-format-keeps-all", source, given(instruction) & _lossy(argument),
            (argument, instruction),
            f"has one place: the instruction fills it, and the {which} itself is left out in silence",
            "write two {}, for example {}{}",
            {**told, argument: "Instruct: {}"}, {**told, argument: "Instruct: {} {}"}, proof="silent",
        ),
        Rule(
            f"{kind}-{which}-format-unread", source,
            given(argument) & fact(f"`{argument}` other than {{}}{{}}", lambda s: s.get(argument) != "{}{}")
            & absent(instruction) & (off("same_dataset_within_batch") | fact(
                "passages", lambda setting: which == "passage"
            )),
            (argument, instruction),
            "is read only where there is an instruction", f"set {{{instruction}}}, or remove it",
            {argument: "Instruct: {}\nText: {}"}, {argument: "Instruct: {}\nText: {}", **told},
            severity="warning", proof="silent",
        ),
    )  # fmt: skip


def _length(argument: str) -> Rule:
    return Rule(
        argument.replace("_", "-").replace("len", "length-positive"),
        "tokenization_utils_tokenizers.py:set_truncation_and_padding", below(argument, 1), (argument,),
        "is below 1", "write the longest text in tokens", {argument: -1}, {argument: 16}, proof="later",
    )  # fmt: skip


def _pair_length(argument: str) -> Rule:
    return Rule(
        f"reranker-{argument.replace('_', '-')}gth-positive", RERANKER_DATA + "create_one_example",
        below(argument, 1), (argument,),
        "is below 1, and the engine cuts the pair somewhere else in silence",
        "write the longest text in tokens", {argument: -1}, {argument: 16}, proof="silent",
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    *of(
        PROGRAMS,
        Rule(
            "group-not-empty", EMBEDDER_DATA + "__getitem__", below("train_group_size", 1),
            ("train_group_size",),
            "is below 1, and a group has one positive at least", "write 2 or more",
            {"train_group_size": 0}, {"train_group_size": 2}, proof="later",
        ),
        Rule(
            "rows-not-none", EMBEDDER_DATA + "__init__", below("max_example_num_per_dataset", 1),
            ("max_example_num_per_dataset",),
            "leaves no row", "write 1 or more, or remove it",
            {"max_example_num_per_dataset": 0}, {"max_example_num_per_dataset": 2}, proof="later",
        ),
        Rule(
            "padding-multiple-positive", "tokenization_utils_base.py:_pad", below("pad_to_multiple_of", 1),
            ("pad_to_multiple_of",),
            "is below 1", "write 8, or remove it",
            {"pad_to_multiple_of": 0}, {"pad_to_multiple_of": 8}, proof="later",
        ),
        Rule(
            "shuffle-ratio-a-share", EMBEDDER_DATA + "_shuffle_text",
            below("shuffle_ratio", 0) | above("shuffle_ratio", 1), ("shuffle_ratio",),
            "is no share: below 0 the engine shuffles nothing, above 1 everything",
            "write a share from 0 to 1",
            {"shuffle_ratio": 50}, {"shuffle_ratio": 0.5}, severity="warning", proof="silent",
        ),
    ),
    *of(
        EMBEDDERS,
        *map(_length, ("query_max_len", "passage_max_len")),
        *_formats("query", "retrieval", EMBEDDER_DATA + "__getitem__"),
        *_formats("passage", "retrieval", EMBEDDER_DATA + "__getitem__"),
        Rule(
            "no-none-before-queries", EMBEDDER_DATA + "_create_batch_data",
            GROUPED & absent("query_instruction_for_retrieval"),
            ("query_instruction_for_retrieval", "same_dataset_within_batch"),
            'is missing, and {same_dataset_within_batch} then writes "None" before every query',
            'write the instruction, or "" for none',
            {"same_dataset_within_batch": True},
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": ""}, proof="silent",
        ),
        Rule(
            "workers-not-with-one-dataset", "abc/finetune/embedder/AbsRunner.py:load_train_dataset",
            GROUPED & above("dataloader_num_workers", 0) & absent("dataloader_prefetch_factor"),
            ("dataloader_num_workers", "same_dataset_within_batch"),
            "is set to 0 by {same_dataset_within_batch}", "remove it",
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": "",
             "dataloader_num_workers": 1},
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": ""},
            severity="warning", proof="silent",
        ),
        Rule(
            "prefetch-not-with-one-dataset", "trainer.py:_get_dataloader",
            GROUPED & given("dataloader_prefetch_factor") & above("dataloader_num_workers", 0),
            ("dataloader_prefetch_factor", "same_dataset_within_batch"),
            "needs workers, and {same_dataset_within_batch} sets them to 0", "remove it",
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": "",
             "dataloader_num_workers": 1, "dataloader_prefetch_factor": 2},
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": "",
             "dataloader_num_workers": 1}, proof="later",
        ),
        Rule(
            "small-files-left-out", EMBEDDER_DATA + "__init__", GROUPED & above("small_threshold", 0),
            ("small_threshold", "same_dataset_within_batch"),
            "leaves out every file with fewer rows: the engine merges small files of a folder alone",
            "remove it",
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": "", "small_threshold": 3},
            {"same_dataset_within_batch": True, "query_instruction_for_retrieval": ""},
            severity="warning", proof="silent",
        ),
        Rule(
            "thresholds-need-one-dataset", EMBEDDER_DATA + "__init__",
            off("same_dataset_within_batch")
            & (above("small_threshold", 0) | above("drop_threshold", 0)),
            ("small_threshold", "drop_threshold", "same_dataset_within_batch"),
            "is read only with {same_dataset_within_batch}", "remove it",
            {"small_threshold": 3}, {}, severity="warning", proof="silent",
        ),
    ),
    *of(
        RERANKERS,
        *map(_pair_length, ("query_max_len", "passage_max_len")),
        *_formats("query", "rerank", RERANKER_DATA + "__getitem__"),
        *_formats("passage", "rerank", RERANKER_DATA + "__getitem__"),
        Rule(
            "reranker-group-of-one", "abc/finetune/reranker/AbsModeling.py:forward",
            when("train_group_size", 1), ("train_group_size",),
            "is 1: with nothing to compare the loss is always 0", "write 2 or more",
            {"train_group_size": 1}, {"train_group_size": 2}, proof="silent",
        ),
    ),
)  # fmt: skip
