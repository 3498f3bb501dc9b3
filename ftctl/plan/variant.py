"""Which of FlagEmbedding's classes a model is trained as: it follows from the model's own config.json."""

from __future__ import annotations

from ftctl.facts.model import ModelFacts
from ftctl.job.training import Train
from ftctl.plan.decisions import Decisions

# Text models that read both ways, by `model_type` (transformers 5.23.0; the last lines: code of their own).
ENCODERS = frozenset(
    """
    albert bert bert-generation big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert
    electra ernie esm eurobert fnet funnel ibert layoutlm longformer luke megatron-bert mobilebert modernbert
    mpnet mra nezha nomic_bert nystromformer rembert roberta roberta-prelayernorm roc_bert roformer
    squeezebert xlm-roberta xlm-roberta-xl xmod yoso
    new gte jina_bert xlm-roberta-flash
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily than so many quoted names
)
# Text models that read left to right, for folders whose architecture does not say ForCausalLM.
DECODERS = frozenset(
    """
    bloom cohere cohere2 deepseek_v2 deepseek_v3 falcon gemma gemma2 gemma3_text glm glm4 gpt2 gpt_bigcode
    gpt_neo gpt_neox gptj granite internlm2 llama minicpm ministral mistral mixtral mpt nemotron olmo olmo2
    olmo3 opt phi phi3 qwen2 qwen2_moe qwen3 qwen3_moe smollm3 stablelm starcoder2
    """.split()  # noqa: SIM905 - as above
)
CAUSAL = ("ForCausalLM", "LMHeadModel")
SCORING = "ForSequenceClassification"
LAYERWISE = "minicpm"  # the one model that FlagEmbedding 1.4.2 has layerwise code for


def choose_variant(train: Train, model: ModelFacts, made: Decisions) -> str:
    """The class of the model, with its reason. The answer means nothing where something is refused."""
    if model.architecture is None:
        return _unseen(train, model, made)
    kind = kind_of(model)
    found = _found(train.task, kind, model)
    if train.variant is None and found is None:
        what = f"does not follow from {model.architecture} (model_type {model.model_type})"
        made.refuse("train.variant", what, "set it, if FlagEmbedding can train such a model")
    elif train.variant is None and found is not None:
        made.chose("train.variant", *found)
    elif (wrong := _misfit(str(train.variant), kind, model)) is not None:
        remedy = f"write {found[0]}, or remove it" if found else "remove it, or use another model"
        made.refuse("train.variant", f"{train.variant} {wrong}", remedy)
    chosen = train.variant or (found[0] if found else "encoder-only-base")
    if train.task == "reranker":
        _head(chosen, model, made)
    elif model.retrieval.others:
        what = (
            f"ends in {', '.join(model.retrieval.others)} (modules.json), which FlagEmbedding does not train"
        )
        made.refuse("model", what, "use a model of Transformer, Pooling and Normalize alone")
    return chosen


def kind_of(model: ModelFacts) -> str | None:
    """encoder or decoder; None where that cannot be told."""
    if model.model_type in ENCODERS:
        return "encoder"
    if (model.architecture or "").endswith(CAUSAL) or model.model_type in DECODERS:
        return "decoder"
    return None


def _unseen(train: Train, model: ModelFacts, made: Decisions) -> str:
    """Of a Hub id nothing is known; of a broken folder everything has been said."""
    if train.variant is None and not model.local:
        what = "cannot be told: the config.json of a model on the Hub is not here"
        made.refuse("train.variant", what, "set it, name the model's folder, or use --offline")
    return train.variant or "encoder-only-base"


def _found(task: str, kind: str | None, model: ModelFacts) -> tuple[str, str] | None:
    """The variant that follows from the model, and why."""
    name = model.architecture
    if task == "embedding" and kind == "encoder" and model.retrieval.m3:
        return "encoder-only-m3", "colbert_linear.pt and sparse_linear.pt lie beside the weights"
    if task == "reranker" and model.retrieval.start_layer is not None:
        return "decoder-only-layerwise", "its config.json has start_layer and head_type"
    if kind == "encoder":
        return "encoder-only-base", f"{name} is an encoder"
    return ("decoder-only-base", f"{name} is a decoder") if kind == "decoder" else None


def _misfit(asked: str, kind: str | None, model: ModelFacts) -> str | None:
    """Why a variant that was asked for cannot be; None where it can."""
    if kind is not None and not asked.startswith(kind):
        return f"does not fit {model.architecture}, which is {'an' if kind == 'encoder' else 'a'} {kind}"
    if asked == "encoder-only-m3" and model.model_type != "xlm-roberta":
        return f"is for XLM-RoBERTa, and the model is {model.model_type}"
    if asked == "decoder-only-layerwise" and model.model_type != LAYERWISE:
        return f"is for MiniCPM, and the model is {model.model_type}"
    if asked == "decoder-only-base" and model.retrieval.start_layer is not None:
        return "does not fit a model that scores at several layers"
    return None


def _head(variant: str, model: ModelFacts, made: Decisions) -> None:
    """What a reranker's score comes from: an encoder's own head, a decoder's word for yes."""
    name, labels = model.architecture or "", model.retrieval.labels
    if variant.startswith("encoder"):
        if not name.endswith(SCORING):
            made.chose("the score", "a new head", f"{name} has none; it begins at random")
        elif labels not in (None, 1):
            what = f"its head gives {labels} numbers, and a reranker gives one score"
            made.refuse("model", what, "use a cross-encoder of one label, or an encoder without a head")
    elif not name.endswith(CAUSAL):
        what = f"{name} has no language model's head, whose word for yes is the score of a decoder"
        made.refuse("model", what, "use a model whose architecture ends in ForCausalLM")
