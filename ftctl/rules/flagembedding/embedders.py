"""Rules of the embedders' loss, and of the programs that train one from an encoder."""

from __future__ import annotations

from ftctl.rules.condition import ALONE, above, below, fact, given, off, on, when
from ftctl.rules.flagembedding.programs import DECODER_EMBEDDER, EMBEDDER, EMBEDDERS, ENCODERS, ICL, M3, of
from ftctl.rules.rule import TWO, Rule
from ftctl.rules.setting import Setting

MODEL = "abc/finetune/embedder/AbsModeling.py:"
M3_MODEL = "finetune/embedder/encoder_only/m3/modeling.py:"
RUNNER = "finetune/embedder/encoder_only/base/runner.py:load_tokenizer_and_model"
HEADS = on("unified_finetuning")


def _dims(setting: Setting) -> tuple[object, ...]:
    value = setting.get("mrl_dims")
    return tuple(value) if isinstance(value, list | tuple) else ()


def _bad_dim(setting: Setting) -> bool:
    return any(isinstance(dim, int) and dim < 1 for dim in _dims(setting))


LOSS: tuple[Rule, ...] = of(
    EMBEDDERS,
    Rule(
        "temperature-not-zero", MODEL + "forward", when("temperature", 0), ("temperature",),
        "is 0: the engine ends without an error, and the weights are not numbers (NaN)", "write 0.01 to 0.1",
        {"temperature": 0}, {"temperature": 0.01}, proof="silent",
    ),
    Rule(
        "temperature-not-negative", MODEL + "forward", below("temperature", 0), ("temperature",),
        "is below 0: the engine trains queries away from their positives", "write 0.01 to 0.1",
        {"temperature": -0.02}, {"temperature": 0.02}, proof="silent",
    ),
    Rule(
        "embedder-nothing-to-compare", MODEL + "_compute_in_batch_neg_loss",
        when("train_group_size", 1) & when("per_device_train_batch_size", 1) & off("negatives_cross_device"),
        ("train_group_size", "per_device_train_batch_size"),
        "and {per_device_train_batch_size} are both 1: with nothing to compare the loss is always 0",
        "write 2 or more in one of the two",
        {"train_group_size": 1, "per_device_train_batch_size": 1},
        {"train_group_size": 1, "per_device_train_batch_size": 2}, proof="silent",
    ),
    Rule(
        "plain-vectors-are-hot", MODEL + "forward",
        fact("`normalize_embeddings` false", lambda setting: setting.get("normalize_embeddings") is False)
        & below("temperature", 1),
        ("normalize_embeddings", "temperature"),
        "is off, and {temperature} is made for vectors of length 1: the loss starts at many times its size",
        "set {temperature}: 1, or normalize",
        {"normalize_embeddings": False}, {"normalize_embeddings": False, "temperature": 1.0},
        severity="warning", proof="silent",
    ),
    Rule(
        "negatives-across-needs-processes", MODEL + "__init__", on("negatives_cross_device") & ALONE,
        ("negatives_cross_device",),
        "shares negatives between processes, and there is one", "remove it, or use several",
        {"negatives_cross_device": True}, {}, proof="later",
    ),
    Rule(
        "distillation-loss-unread", MODEL + "_compute_in_batch_neg_loss",
        off("knowledge_distillation") & when("kd_loss_type", "m3_kd_loss"),
        ("kd_loss_type", "knowledge_distillation"),
        "is read only with {knowledge_distillation}", "set {knowledge_distillation}: true, or remove it",
        {"kd_loss_type": "m3_kd_loss"}, {}, severity="warning", proof="silent",
    ),
)  # fmt: skip

MRL: tuple[Rule, ...] = of(
    (EMBEDDER, DECODER_EMBEDDER, ICL),
    Rule(
        "mrl-needs-dims", MODEL + "__init__",
        on("use_mrl") & fact("no `mrl_dims`", lambda setting: not _dims(setting)), ("mrl_dims", "use_mrl"),
        "is missing, and {use_mrl} trains the vector cut to those sizes", "write them, for example [256, 64]",
        {"use_mrl": True}, {"use_mrl": True, "mrl_dims": [8, 4]}, proof="later",
    ),
    Rule(
        "mrl-dims-positive", "finetune/embedder/encoder_only/base/modeling.py:encode",
        on("use_mrl") & fact("one of `mrl_dims` below 1", _bad_dim), ("mrl_dims",),
        "has a size below 1: 0 trains on nothing, and -1 cuts the end off", "write sizes of 1 or more",
        {"use_mrl": True, "mrl_dims": [8, 0]}, {"use_mrl": True, "mrl_dims": [8, 4]}, proof="silent",
    ),
    Rule(
        "mrl-dims-unread", MODEL + "forward",
        off("use_mrl") & fact("`mrl_dims`", lambda setting: bool(_dims(setting))), ("mrl_dims", "use_mrl"),
        "is read only with {use_mrl}", "set {use_mrl}: true, or remove it",
        {"mrl_dims": [8, 4]}, {"use_mrl": True, "mrl_dims": [8, 4]}, severity="warning", proof="silent",
    ),
)  # fmt: skip

ENCODER_RULES: tuple[Rule, ...] = (
    *of(
        ENCODERS,
        Rule(
            "encoder-tokenizer-unread", RUNNER, given("tokenizer_name"), ("tokenizer_name",),
            "is never read by this program: it takes the tokenizer of the model", "remove it",
            {"tokenizer_name": "other"}, {}, proof="silent",
        ),
    ),
    *of(
        (EMBEDDER, M3),
        Rule(
            "encoder-config-unread", RUNNER, given("config_name"), ("config_name",),
            "is only written to the log by this program: it takes the configuration of the model",
            "remove it",
            {"config_name": "encoder"}, {}, proof="silent",
        ),
        Rule(
            "encoder-last-token", "finetune/embedder/encoder_only/base/modeling.py:_sentence_embedding",
            when("sentence_pooling_method", "last_token"), ("sentence_pooling_method",),
            "is last_token, which is for models that read from left to right", "write cls or mean",
            {"sentence_pooling_method": "last_token"}, {"sentence_pooling_method": "mean"},
            severity="warning", proof="silent",
        ),
    ),
)  # fmt: skip

M3_RULES: tuple[Rule, ...] = of(
    (M3,),
    Rule(
        "m3-without-mrl", M3_MODEL + "__init__", on("use_mrl"), ("use_mrl",),
        "is not made for this program", "remove it, or set train.variant: encoder-only-base",
        {"use_mrl": True, "mrl_dims": [8, 4]}, {}, proof="later",
    ),
    Rule(
        "m3-sub-batch-positive", M3_MODEL + "encode",
        below("sub_batch_size", 1) & fact("`sub_batch_size` other than -1", lambda setting:
                                          setting.get("sub_batch_size") != -1),
        ("sub_batch_size",),
        "is below 1, which this program takes at its word", "write 1 or more, or remove it",
        {"sub_batch_size": 0}, {"sub_batch_size": -1}, proof="later",
    ),
    Rule(
        "m3-heads-in-one-batch", M3_MODEL + "encode", HEADS & above("sub_batch_size", 0),
        ("sub_batch_size", "unified_finetuning"),
        "pads its parts to different lengths, which {unified_finetuning} cannot join again", "remove it",
        {"unified_finetuning": True, "sub_batch_size": 1}, {"unified_finetuning": True}, proof="later",
    ),
    Rule(
        "m3-encoder-and-heads-fixed", "trainer.py:_inner_training_loop", on("fix_encoder") & ~HEADS,
        ("fix_encoder", "unified_finetuning"),
        "leaves nothing to train without {unified_finetuning}",
        "set {unified_finetuning}: true, or remove it",
        {"fix_encoder": True}, {"fix_encoder": True, "unified_finetuning": True}, proof="later",
    ),
    Rule(
        "m3-self-distillation-unread", M3_MODEL + "forward", on("use_self_distill") & ~HEADS,
        ("use_self_distill", "unified_finetuning"),
        "has an effect only with {unified_finetuning}", "set {unified_finetuning}: true, or remove it",
        {"use_self_distill": True}, {"use_self_distill": True, "unified_finetuning": True}, proof="silent",
    ),
    Rule(
        "m3-start-step-unread", M3_MODEL + "forward",
        given("self_distill_start_step") & ~on("use_self_distill"),
        ("self_distill_start_step", "use_self_distill"),
        "is read only with {use_self_distill}", "set {use_self_distill}: true, or remove it",
        {"self_distill_start_step": 10},
        {"self_distill_start_step": 10, "use_self_distill": True, "unified_finetuning": True},
        severity="warning", proof="silent",
    ),
    Rule(
        "m3-colbert-unread", M3_MODEL + "__init__", above("colbert_dim", 0) & ~HEADS,
        ("colbert_dim", "unified_finetuning"),
        "is the size of a head that only {unified_finetuning} trains and saves",
        "set {unified_finetuning}: true, or remove it",
        {"colbert_dim": 8}, {"colbert_dim": 8, "unified_finetuning": True}, proof="silent",
    ),
    Rule(
        "m3-heads-see-own-negatives", M3_MODEL + "forward", HEADS & on("negatives_cross_device") & ~ALONE,
        ("negatives_cross_device", "unified_finetuning"),
        "reaches the dense vectors alone: {unified_finetuning} turns it off for the other two heads",
        "remove it, or train the dense vectors alone",
        {"unified_finetuning": True, "negatives_cross_device": True}, {"negatives_cross_device": True},
        severity="warning", proof="silent", place=TWO,
    ),
)  # fmt: skip
