"""Speculative decoding: `speculative_config`, and the three arguments that are short for its keys."""

from __future__ import annotations

from ftctl.rules.condition import Condition, fact, given, lacks, more, on, unless, when
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting

VERIFY = "config/speculative.py:_verify_args"
POST_INIT = "config/speculative.py:__post_init__"
# Methods that vLLM schedules asynchronously too.
ASYNCHRONOUS = (
    "eagle",
    "eagle3",
    "extract_hidden_states",
    "mtp",
    "ngram_gpu",
    "draft_model",
    "dspark",
    "dflash",
)


def method(setting: Setting) -> str | None:
    """The method as it is written; the engine may find it out by itself from the draft model."""
    found = setting.get("spec_method") or setting.get("speculative_config.method")
    return found if isinstance(found, str) else None


def speculative_tokens(setting: Setting) -> float | None:
    """Tokens that are drafted at a time, where that is written."""
    found = setting.number("spec_tokens")
    return setting.number("speculative_config.num_speculative_tokens") if found is None else found


def _method(*names: str) -> Condition:
    said = f"speculation by {' or '.join(names)}"
    return fact(said, lambda setting: method(setting) in names)


ASKED = given("speculative_config") | given("spec_method") | given("spec_model") | given("spec_tokens")
TOKENS = fact("a number of draft tokens", lambda setting: speculative_tokens(setting) is not None)
MODEL = on("spec_model") | on("speculative_config.model")
ABOUT = ("speculative_config", "spec_method")
NGRAM = {"method": "ngram", "num_speculative_tokens": 2}


def _twice(argument: str, key: str) -> Rule:
    return Rule(
        f"{argument.replace('_', '-')}-once", "engine/arg_utils.py:create_speculative_config",
        given(argument) & fact(f"`speculative_config` with {key}", lambda setting: (
            setting.get(f"speculative_config.{key}") is not None
        )),
        (argument, "speculative_config"),
        f"and {key} in {{speculative_config}} are both set", "keep one",
        {argument: {"spec_tokens": 2}.get(argument, "ngram"),
         "speculative_config": {**NGRAM, "model": "ngram"}},
        {"speculative_config": NGRAM},
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _twice("spec_method", "method"),
    _twice("spec_model", "model"),
    _twice("spec_tokens", "num_speculative_tokens"),
    Rule(
        "draft-tokens-needed", VERIFY, _method("ngram", "ngram_gpu") & ~TOKENS, ABOUT,
        "drafts by ngram and does not say how many tokens", "add num_speculative_tokens to it",
        {"speculative_config": {"method": "ngram", "model": "ngram"}}, {"speculative_config": NGRAM},
    ),
    Rule(
        "draft-model-needed", POST_INIT,
        _method("draft_model", "eagle", "eagle3", "medusa", "mlp_speculator") & TOKENS & ~MODEL, ABOUT,
        "takes a draft model and names none", "add model to it",
        {"speculative_config": {"method": "draft_model", "num_speculative_tokens": 2}},
        {"speculative_config": {"method": "draft_model", "num_speculative_tokens": 2, "model": "base"}},
    ),
    Rule(
        "lookup-range", POST_INIT,
        _method("ngram", "ngram_gpu")
        & more("speculative_config.prompt_lookup_min", "speculative_config.prompt_lookup_max"),
        ABOUT,
        "has a prompt_lookup_min over its prompt_lookup_max", "lower prompt_lookup_min",
        {"speculative_config": {**NGRAM, "prompt_lookup_min": 4, "prompt_lookup_max": 2}},
        {"speculative_config": {**NGRAM, "prompt_lookup_min": 2, "prompt_lookup_max": 4}},
    ),
    Rule(
        "draft-ranks-named-so", VERIFY, given("speculative_config.tensor_parallel_size"), ABOUT,
        "has tensor_parallel_size, which is not what the draft model's ranks are called",
        "write draft_tensor_parallel_size in it",
        {"speculative_config": {**NGRAM, "tensor_parallel_size": 1}}, {"speculative_config": NGRAM},
    ),
    Rule(
        "draft-ranks", "config/speculative.py:_verify_and_get_draft_tp",
        MODEL & given("speculative_config.draft_tensor_parallel_size")
        & fact("draft ranks other than 1 or `tensor_parallel_size`", lambda setting: (
            setting.get("speculative_config.draft_tensor_parallel_size")
            not in (1, setting.get("tensor_parallel_size"))
        )),
        (*ABOUT, "tensor_parallel_size"),
        "gives the draft model other ranks than 1 or {tensor_parallel_size}",
        "set its draft_tensor_parallel_size to 1",
        {"speculative_config": {"method": "draft_model", "num_speculative_tokens": 2, "model": "base",
                                "draft_tensor_parallel_size": 2}},
        {"speculative_config": {"method": "draft_model", "num_speculative_tokens": 2, "model": "base",
                                "draft_tensor_parallel_size": 1}},
    ),
    Rule(
        "synthetic-acceptance-only", VERIFY,
        (given("speculative_config.synthetic_acceptance_rates")
         | given("speculative_config.synthetic_acceptance_length"))
        & unless("speculative_config.rejection_sample_method", "synthetic"),
        ABOUT,
        "has synthetic acceptance without rejection_sample_method: synthetic", "remove it from there",
        {"speculative_config": {**NGRAM, "synthetic_acceptance_length": 2.0}}, {"speculative_config": NGRAM},
    ),
    Rule(
        "synthetic-acceptance-one", "config/speculative.py:_resolve_synthetic_acceptance_rates",
        when("speculative_config.rejection_sample_method", "synthetic")
        & fact("both or none of the synthetic rates and length", lambda setting: (
            (setting.get("speculative_config.synthetic_acceptance_rates") is None)
            == (setting.get("speculative_config.synthetic_acceptance_length") is None)
        )),
        ABOUT,
        "samples rejections synthetically and wants either the rates or the length",
        "give one of synthetic_acceptance_rates and synthetic_acceptance_length in it",
        {"speculative_config": {**NGRAM, "rejection_sample_method": "synthetic"}},
        {"speculative_config": {**NGRAM, "rejection_sample_method": "synthetic",
                                "synthetic_acceptance_length": 2.0}},
    ),
    Rule(
        "mixed-vocabulary-needs-draft-model", VERIFY,
        on("speculative_config.use_heterogeneous_vocab")
        & _method("ngram", "ngram_gpu", "eagle", "eagle3", "mtp"),
        ABOUT,
        "has use_heterogeneous_vocab, which only method draft_model knows", "remove it from there",
        {"speculative_config": {**NGRAM, "use_heterogeneous_vocab": True}}, {"speculative_config": NGRAM},
    ),
    Rule(
        "asynchronous-speculation", "config/vllm.py:__post_init__",
        when("async_scheduling", True)
        & fact("a method that is scheduled step by step", lambda setting: (
            method(setting) not in (None, *ASYNCHRONOUS)
        )),
        ("async_scheduling", *ABOUT),
        "does not go with this way of speculating", "remove it, or speculate by one of "
        + ", ".join(ASYNCHRONOUS),
        {"async_scheduling": True, "speculative_config": NGRAM}, {"speculative_config": NGRAM},
    ),
    Rule(
        "draft-metrics-need-speculation", "config/vllm.py:__post_init__",
        unless("per_request_spec_decode_metrics", "none", None) & ~ASKED,
        ("per_request_spec_decode_metrics", "speculative_config"),
        "needs {speculative_config}", "set {speculative_config}, or remove it",
        {"per_request_spec_decode_metrics": "summary"},
        {"per_request_spec_decode_metrics": "summary", "speculative_config": NGRAM},
    ),
    Rule(
        "suffix-needs-arctic", "config/speculative.py:_validate_suffix_decoding",
        _method("suffix") & lacks("arctic-inference"), ABOUT,
        "drafts by suffix, which needs the package arctic-inference", "install it, or draft by ngram",
        {"speculative_config": {"method": "suffix"}}, {"speculative_config": NGRAM},
        place=Place(packages=frozenset()),
    ),
)  # fmt: skip
