"""Rules of the decoder-only programs: LoRA, merging, pooling, and learning from examples."""

from __future__ import annotations

from ftctl.rules.condition import above, absent, below, fact, given, names, off, on, unless, when
from ftctl.rules.flagembedding.programs import DECODER_EMBEDDERS, DECODER_RERANKER, DECODERS, ICL, of
from ftctl.rules.rule import DROP, Rule
from ftctl.rules.setting import Setting

LOAD = "load_model.py:get_model"
MERGE = "load_model.py:save_merged_model"
EXAMPLES = "finetune/embedder/decoder_only/icl/dataset.py:_create_batch_data"
LORA = ("lora_rank", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save")
NEW_ADAPTER = on("use_lora") & absent("from_peft")
ROOM = 512  # tokens that the program keeps free of examples, whatever query_max_len is


def _all_linear(setting: Setting) -> bool:
    words = setting.words("target_modules")
    return any(word.replace("_", "-") == "all-linear" for word in words)


UNMERGED: tuple[Rule, ...] = of(
    (*DECODER_EMBEDDERS, DECODER_RERANKER),
    Rule(
        "lora-unmerged", "runner.py:run", on("use_lora") & off("save_merged_lora_model"),
        ("save_merged_lora_model", "use_lora"),
        "is off: the result is an adapter alone, and not a model that can be served",
        "set {save_merged_lora_model}: true",
        {"save_merged_lora_model": False}, {"save_merged_lora_model": True},
        severity="warning", proof="silent",
    ),
)  # fmt: skip

LORA_RULES: tuple[Rule, ...] = UNMERGED + of(
    DECODERS,
    Rule(
        "nothing-to-merge", MERGE,
        off("use_lora") & absent("from_peft") & on("save_merged_lora_model"),
        ("save_merged_lora_model", "use_lora"),
        "looks for an adapter after the training, and {use_lora} is off: the engine fails at its end",
        "remove it",
        {"use_lora": False, "save_merged_lora_model": True},
        {"use_lora": False, "save_merged_lora_model": False}, proof="later",
    ),
    Rule(
        "lora-arguments-unread", LOAD, (off("use_lora") | given("from_peft")) & fact(
            "an argument of LoRA", lambda setting: any(setting.get(name) is not None for name in LORA)
        ),
        LORA,
        "is read only where a new adapter is made: train.method lora, and no from_peft", "remove it",
        {"use_lora": False, "save_merged_lora_model": False, "lora_rank": 8}, {"lora_rank": 8},
        severity="warning", proof="silent", each=given,
    ),
    Rule(
        "lora-rank-positive", "peft/tuners/lora/layer.py:update_layer", NEW_ADAPTER & below("lora_rank", 1),
        ("lora_rank",),
        "is below 1", "write 8, 16, 32 or 64",
        {"lora_rank": 0}, {"lora_rank": 8}, proof="later",
    ),
    Rule(
        "lora-alpha-not-zero", "peft/tuners/lora/layer.py:update_layer",
        NEW_ADAPTER & when("lora_alpha", 0), ("lora_alpha",),
        "is 0, which multiplies all that the adapter learns by 0", "write 16 or more",
        {"lora_alpha": 0}, {"lora_alpha": 16}, proof="silent",
    ),
    Rule(
        "lora-dropout-a-share", "torch/nn/modules/dropout.py:__init__",
        NEW_ADAPTER & above("lora_dropout", 1),
        ("lora_dropout",),
        "is over 1", "write a share, such as 0.1",
        {"lora_dropout": 5}, {"lora_dropout": 0.1}, proof="later",
    ),
    Rule(
        "lora-targets-by-name", LOAD, NEW_ADAPTER & fact("`target_modules` all-linear", _all_linear),
        ("target_modules",),
        "is all-linear in a list, which the engine takes for the name of a layer",
        "name the layers, such as [q_proj, v_proj]",
        {"target_modules": ["all-linear"]}, {"target_modules": ["q_proj", "v_proj"]}, proof="later",
    ),
)  # fmt: skip

EMBEDDER_RULES: tuple[Rule, ...] = of(
    DECODER_EMBEDDERS,
    Rule(
        "decoder-cls-is-empty", "finetune/embedder/decoder_only/base/modeling.py:_sentence_embedding",
        when("sentence_pooling_method", "cls"), ("sentence_pooling_method",),
        "is cls: the first position of a decoder sees no text (it is padding in every shorter row)",
        "write last_token",
        {"sentence_pooling_method": "cls"}, {"sentence_pooling_method": "last_token"}, proof="silent",
    ),
    Rule(
        "tokens-not-merged", MERGE,
        given("additional_special_tokens") & on("save_merged_lora_model"),
        ("additional_special_tokens", "save_merged_lora_model"),
        "makes {save_merged_lora_model} fail after the training: the engine reads a tokenizer that it has not"
        " loaded yet",
        "remove one of the two",
        {"additional_special_tokens": ["<one>"]},
        {"additional_special_tokens": ["<one>"], "save_merged_lora_model": False}, proof="later",
    ),
    Rule(
        "only-merge-trains-nothing", "runner.py:run", on("only_merge_lora_model"),
        ("only_merge_lora_model",),
        "skips the training", "remove it",
        {"only_merge_lora_model": True, "save_merged_lora_model": False}, {}, proof="silent",
    ),
    Rule(
        "peft-path-unread", LOAD, on("peft_model_path"), ("peft_model_path",),
        "is never read", "write from_peft, which goes on with that adapter",
        {"peft_model_path": "adapter"}, {}, proof="silent",
    ),
    Rule(
        "slow-tokenizer-unread", "runner.py:load_tokenizer_and_model", on("use_slow_tokenizer"),
        ("use_slow_tokenizer",),
        "is never read", "remove it",
        {"use_slow_tokenizer": True}, {}, severity="warning", proof="silent",
    ),
    Rule(
        "raw-peft-needs-embeddings", LOAD, given("raw_peft"), ("raw_peft",),
        "asks for embedding/emb.pth in the adapter's folder, a whole module, which this torch does not load",
        "merge the adapter into the model first",
        {"raw_peft": "adapter"}, {}, proof="later",
    ),
    Rule(
        "embeddings-not-a-target", LOAD,
        NEW_ADAPTER & names("target_modules", "embed_tokens") & absent("additional_special_tokens"),
        ("target_modules", "additional_special_tokens"),
        "names embed_tokens, which the engine takes out unless there are {additional_special_tokens}",
        "remove it from the list",
        {"target_modules": ["q_proj", "embed_tokens"]}, {"target_modules": ["q_proj"]}, proof="silent",
    ),
    Rule(
        "no-positions-to-fix", "runner.py:load_tokenizer_and_model", on("fix_position_embedding"),
        ("fix_position_embedding",),
        "finds no position embeddings in a decoder, and fixes nothing", "remove it",
        {"fix_position_embedding": True}, {}, severity="warning", proof="silent",
    ),
)  # fmt: skip

ICL_RULES: tuple[Rule, ...] = of(
    (ICL,),
    Rule(
        "examples-need-one-dataset", "finetune/embedder/decoder_only/icl/runner.py:load_train_dataset",
        off("same_dataset_within_batch"), ("same_dataset_within_batch",),
        "is off, and this program takes its examples from batches of one dataset",
        "set {same_dataset_within_batch}: true",
        {"same_dataset_within_batch": DROP}, {"same_dataset_within_batch": True}, proof="later",
    ),
    Rule(
        "examples-need-room", EXAMPLES,
        on("retrieval_use_examples") & fact(
            f"`query_max_len` {ROOM} or less",
            lambda setting: (setting.number("query_max_len") or 0) <= ROOM,
        ),
        ("query_max_len", "retrieval_use_examples"),
        f"leaves no room: the engine adds examples only within its length less {ROOM} tokens, so none at all",
        "write 1024 or more, or set {retrieval_use_examples}: false",
        {"query_max_len": 512}, {"query_max_len": 1024}, severity="warning", proof="silent",
    ),
    Rule(
        "icl-reads-the-last-token", "inference/embedder/decoder_only/icl.py:__init__",
        unless("sentence_pooling_method", "last_token", "cls"), ("sentence_pooling_method",),
        "is not last_token, the only pooling that FlagEmbedding can use such a model with",
        "write last_token",
        {"sentence_pooling_method": "mean"}, {"sentence_pooling_method": "last_token"}, proof="silent",
    ),
)  # fmt: skip
