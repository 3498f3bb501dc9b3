"""Rules of the rerankers: whole batches, the kind of model, and the layerwise program's heads."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.rules.condition import above, absent, fact, given, off, on, unless, when
from ftctl.rules.flagembedding.programs import DECODER_RERANKER, LAYERWISE, RERANKER, RERANKERS, of
from ftctl.rules.rule import DROP, Rule
from ftctl.rules.setting import Place, Setting

MODEL = "abc/finetune/reranker/AbsModeling.py:forward"
RUNNER = "abc/finetune/reranker/AbsRunner.py:"
LAYERS = "finetune/reranker/decoder_only/layerwise/load_model.py:"


def _splits(setting: Setting) -> bool:
    config = setting.get("accelerator_config")
    return isinstance(config, Mapping) and bool(config.get("split_batches"))


RULES: tuple[Rule, ...] = (
    *of(
        RERANKERS,
        Rule(
            "reranker-whole-batches", MODEL,
            off("dataloader_drop_last") & above("per_device_train_batch_size", 1), ("dataloader_drop_last",),
            "is off: the model cuts a shorter last batch into groups of the wrong size, with loss 0 or with"
            " negatives taken for positives",
            "set {dataloader_drop_last}: true",
            {"dataloader_drop_last": False}, {"dataloader_drop_last": True}, proof="silent",
        ),
        Rule(
            "reranker-batch-size-fixed", MODEL, on("auto_find_batch_size"), ("auto_find_batch_size",),
            "changes the batch size, and the model cuts its groups by the first one", "remove it",
            {"auto_find_batch_size": True}, {}, proof="silent",
        ),
        Rule(
            "reranker-batch-not-split", MODEL,
            fact("`accelerator_config` with split_batches", _splits), ("accelerator_config",),
            "splits a batch over the processes, and the model cuts its groups by the whole", "remove it",
            {"accelerator_config": {"split_batches": True}},
            {"accelerator_config": {"split_batches": False}}, proof="silent",
        ),
        Rule(
            "reranker-max-len-unread", "abc/finetune/reranker/AbsDataset.py:create_one_example",
            given("max_len"), ("max_len",),
            "is never read: a pair is as long as query_max_len and passage_max_len together",
            "remove it, and set train.query_max_length and train.passage_max_length",
            {"max_len": 256}, {}, proof="silent",
        ),
        Rule(
            "reranker-sub-batch-unread", MODEL, given("sub_batch_size"), ("sub_batch_size",),
            "is never read by a reranker", "remove it; train.micro_batch_size takes less memory",
            {"sub_batch_size": 1}, {}, proof="silent",
        ),
    ),
    *of(
        (RERANKER,),
        Rule(
            "encoder-reranker-model-type", RUNNER + "load_train_dataset",
            unless("model_type", "encoder", None),
            ("model_type",),
            "is not encoder: the engine writes a decoder's prompt into every pair, without separators",
            "remove it",
            {"model_type": "decoder"}, {"model_type": "encoder"}, proof="silent",
        ),
        Rule(
            "encoder-separator-unread", RUNNER + "load_train_dataset", given("sep_token"), ("sep_token",),
            "is for decoders: this program takes the tokenizer's own separator", "remove it",
            {"sep_token": " "}, {}, severity="warning", proof="silent",
        ),
    ),
    *of(
        (DECODER_RERANKER,),
        Rule(
            "decoder-reranker-model-type", RUNNER + "load_train_dataset", unless("model_type", "decoder"),
            ("model_type",),
            "is encoder where it is not set: the engine then leaves the prompt out of every pair in silence",
            "write decoder",
            {"model_type": DROP}, {"model_type": "decoder"}, proof="silent",
        ),
    ),
    *of(
        (LAYERWISE,),
        Rule(
            "layerwise-needs-transformers-4",
            "finetune/reranker/decoder_only/layerwise/modeling_minicpm_reranker.py:_init_rope",
            fact("this program with transformers 5", lambda setting: True), ("model_name_or_path",),
            "cannot be loaded by this program beside transformers 5: its copy of MiniCPM asks for"
            " settings that are gone",
            "set train.variant: decoder-only-base; beside transformers 4, silence this",
            {}, proof="later", place=Place(packages=frozenset({"transformers"})),
        ),
        Rule(
            "layerwise-model-type", LAYERS + "get_model",
            unless("model_type", "from_raw_model", "from_finetuned_model", None), ("model_type",),
            "is no kind of this program: the engine takes it for from_finetuned_model",
            "write from_raw_model or from_finetuned_model",
            {"model_type": "decoder"}, {"model_type": "from_raw_model"}, proof="silent",
        ),
        Rule(
            "layerwise-head-type", LAYERS + "get_model",
            given("head_type") & unless("head_type", "simple", "complex"), ("head_type",),
            "is no head of this program: the engine makes a simple one", "write simple or complex",
            {"head_type": "linear"}, {"head_type": "simple"}, proof="silent",
        ),
        Rule(
            "layerwise-merge-foreign-config", LAYERS + "save_merged_model",
            on("save_merged_lora_model") & (when("model_type", "from_raw_model") | absent("model_type")),
            ("save_merged_lora_model", "model_type"),
            "fetches the configuration of BAAI/bge-reranker-v2-minicpm-layerwise after the training, and"
            " lays it over the model",
            "remove it, and merge the adapter afterwards",
            {"save_merged_lora_model": True, "model_type": "from_raw_model"},
            {"save_merged_lora_model": True, "model_type": "from_finetuned_model"}, proof="later",
        ),
        Rule(
            "layerwise-layers-unread", LAYERS + "get_model",
            when("model_type", "from_finetuned_model") & fact(
                "`head_multi` or `head_type`",
                lambda s: any(s.get(name) is not None for name in ("head_multi", "head_type")),
            ),
            ("head_multi", "head_type", "model_type"),
            "is read only with model_type from_raw_model: a fine-tuned model brings its own", "remove it",
            {"model_type": "from_finetuned_model", "head_multi": True},
            {"model_type": "from_finetuned_model"}, severity="warning", proof="silent",
            each=lambda name: given(name) & fact("a head", lambda _: name != "model_type"),
        ),
    ),
)  # fmt: skip
