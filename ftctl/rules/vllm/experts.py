"""Experts spread over ranks, and batches that are split to hide the traffic between them."""

from __future__ import annotations

from ftctl.rules.condition import ON_CPU, ON_GPU, Condition, above, fact, off, on, unless, when, written
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting

VALIDATE = "config/parallel.py:_validate_parallel_config"
POST_INIT = "config/parallel.py:__post_init__"
GPU = Place(gpus=1)
MICROBATCHES: Condition = (on("enable_dbo") & ON_GPU) | above("ubatch_size", 1)


def _one_rank_of_experts(setting: Setting) -> bool:
    names = ("tensor_parallel_size", "data_parallel_size", "prefill_context_parallel_size")
    return all(setting.number(name) == 1 for name in names)


RULES: tuple[Rule, ...] = (
    Rule(
        "expert-balancing-needs-a-gpu", VALIDATE, on("enable_eplb") & ON_CPU, ("enable_eplb",),
        "needs GPUs", "remove it",
        {"enable_eplb": True}, {},
    ),
    Rule(
        "expert-balancing-needs-expert-ranks", VALIDATE,
        on("enable_eplb") & ~on("enable_expert_parallel") & ON_GPU,
        ("enable_eplb", "enable_expert_parallel"),
        "needs {enable_expert_parallel}", "set {enable_expert_parallel}: true, or remove it",
        {"enable_eplb": True, "tensor_parallel_size": 2},
        {"enable_eplb": True, "tensor_parallel_size": 2, "enable_expert_parallel": True},
        proof="gpu", place=GPU,
    ),
    Rule(
        "expert-balancing-needs-several-ranks", VALIDATE,
        on("enable_eplb") & fact("one rank", _one_rank_of_experts) & ON_GPU,
        ("enable_eplb", "tensor_parallel_size", "data_parallel_size"),
        "needs more than one rank", "raise {tensor_parallel_size}, or remove it",
        {"enable_eplb": True, "enable_expert_parallel": True},
        {"enable_eplb": True, "tensor_parallel_size": 2, "enable_expert_parallel": True},
        proof="gpu", place=GPU,
    ),
    Rule(
        "spare-experts-need-balancing", VALIDATE,
        above("eplb_config.num_redundant_experts", 0) & ~on("enable_eplb"), ("eplb_config", "enable_eplb"),
        "asks for redundant experts, which need {enable_eplb}", "set {enable_eplb}: true, or remove it",
        {"eplb_config": {"num_redundant_experts": 2}}, {},
    ),
    Rule(
        "asynchronous-balancing-over-nccl", "config/parallel.py:_validate_eplb_config",
        when("eplb_config.communicator", "torch_nccl", "pynccl") & unless("eplb_config.use_async", False),
        ("eplb_config",),
        "moves experts asynchronously over NCCL, which does not go together",
        "add use_async: false to it, or leave communicator out",
        {"eplb_config": {"communicator": "pynccl"}},
        {"eplb_config": {"communicator": "pynccl", "use_async": False}},
    ),
    Rule(
        "elastic-needs-balancing", POST_INIT, on("enable_elastic_ep") & ~on("enable_eplb"),
        ("enable_elastic_ep", "enable_eplb"),
        "needs {enable_eplb}", "set {enable_eplb}: true on GPUs, or remove it",
        {"enable_elastic_ep": True}, {},
    ),
    Rule(
        "microbatch-thresholds", "config/parallel.py:_verify_args",
        above("ubatch_size", 1) & fact("a threshold under `ubatch_size`", lambda setting: (
            min(setting.number(f"dbo_{phase}_token_threshold") or 0 for phase in ("decode", "prefill"))
            < (setting.number("ubatch_size") or 0)
        )),
        ("dbo_decode_token_threshold", "dbo_prefill_token_threshold", "ubatch_size"),
        "lets batches in that are too small to be split into {ubatch_size} parts",
        "raise it to {ubatch_size}",
        {"ubatch_size": 4, "dbo_decode_token_threshold": 2},
        {"ubatch_size": 0, "dbo_decode_token_threshold": 2},
    ),
    Rule(
        "microbatches-need-deepep", "config/vllm.py:__post_init__",
        MICROBATCHES
        & unless("all2all_backend", "deepep_low_latency", "deepep_high_throughput", "nixl_ep"),
        ("ubatch_size", "enable_dbo", "all2all_backend"),
        "needs {all2all_backend} deepep_low_latency, deepep_high_throughput or nixl_ep",
        "set {all2all_backend}, or remove it",
        {"ubatch_size": 2}, {"ubatch_size": 2, "all2all_backend": "deepep_low_latency"},
    ),
    Rule(
        "overlap-on-the-cpu", "platforms/cpu.py:check_and_update_config", on("enable_dbo") & ON_CPU,
        ("enable_dbo",),
        "does nothing on the CPU: the engine turns it off", "remove it",
        {"enable_dbo": True, "all2all_backend": "deepep_low_latency"}, {}, proof="silent",
    ),
    Rule(
        "balancing-settings-without-balancing", "config/parallel.py:EPLBConfig",
        written("eplb_config") & off("eplb_config.num_redundant_experts") & ~on("enable_eplb"),
        ("eplb_config", "enable_eplb"),
        "does nothing without {enable_eplb}", "set {enable_eplb}: true, or remove it",
        {"eplb_config": {"window_size": 100}}, {}, severity="warning", proof="silent",
    ),
)  # fmt: skip
