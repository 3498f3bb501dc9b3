"""Ranks, nodes and experts."""

from __future__ import annotations

from ftctl.rules.condition import (
    ON_CPU,
    above,
    absent,
    fact,
    given,
    lacks,
    more,
    on,
    unless,
    when,
    written,
)
from ftctl.rules.rule import Rule
from ftctl.rules.setting import Place, Setting

CREATE = "engine/arg_utils.py:create_engine_config"
VALIDATE = "config/parallel.py:_validate_parallel_config"
POST_INIT = "config/parallel.py:__post_init__"
NODES = above("nnodes", 1)
EXTERNAL = on("data_parallel_external_lb") | given("data_parallel_rank")


def _product(setting: Setting, *names: str) -> int:
    found = 1
    for name in names:
        found *= int(setting.number(name) or 1)
    return found


def _ranks(setting: Setting) -> int:
    return _product(setting, "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size",
                    "prefill_context_parallel_size")  # fmt: skip


def _decode_context(setting: Setting) -> bool:
    """Whether the decode context does not fit the tensor and prefill context ranks."""
    tensor = _product(setting, "tensor_parallel_size")
    prefill, decode = _product(setting, "prefill_context_parallel_size"), _product(
        setting, "decode_context_parallel_size")  # fmt: skip
    return tensor % decode != 0 if prefill == 1 else decode not in (1, prefill, tensor * prefill)


RULES: tuple[Rule, ...] = (
    Rule(
        "local-copies-within-copies", VALIDATE,
        more("data_parallel_size_local", "data_parallel_size"),
        ("data_parallel_size_local", "data_parallel_size"),
        "is over {data_parallel_size}", "lower it, or raise {data_parallel_size}",
        {"data_parallel_size_local": 2}, {"data_parallel_size_local": 2, "data_parallel_size": 2},
    ),
    Rule(
        "one-load-balancer", CREATE, on("data_parallel_hybrid_lb") & on("data_parallel_external_lb"),
        ("data_parallel_hybrid_lb", "data_parallel_external_lb"),
        "and {data_parallel_external_lb} are both set", "keep one",
        {"data_parallel_hybrid_lb": True, "data_parallel_external_lb": True},
        {"data_parallel_hybrid_lb": True, "data_parallel_size": 2, "data_parallel_size_local": 2},
    ),
    Rule(
        "hybrid-balancer-needs-local-copies", CREATE,
        on("data_parallel_hybrid_lb") & absent("data_parallel_size_local") & ~EXTERNAL & ~NODES,
        ("data_parallel_hybrid_lb", "data_parallel_size_local"),
        "needs {data_parallel_size_local}, the ranks of this machine", "set {data_parallel_size_local}",
        {"data_parallel_hybrid_lb": True, "data_parallel_size": 2},
        {"data_parallel_hybrid_lb": True, "data_parallel_size": 2, "data_parallel_size_local": 2},
    ),
    Rule(
        "external-balancer-needs-a-rank", CREATE,
        on("data_parallel_external_lb") & absent("data_parallel_rank") & ~NODES
        & fact("one data parallel rank", lambda setting: _product(setting, "data_parallel_size") == 1),
        ("data_parallel_external_lb", "data_parallel_rank"),
        "needs {data_parallel_rank}", "set {data_parallel_rank}, or remove it",
        {"data_parallel_external_lb": True}, {},
    ),
    Rule(
        "one-copy-by-external-rank", CREATE,
        given("data_parallel_rank") & unless("data_parallel_size_local", None, 1),
        ("data_parallel_size_local", "data_parallel_rank"),
        "is not 1, and a server with {data_parallel_rank} is one copy", "remove it",
        {"data_parallel_rank": 0, "data_parallel_size_local": 2, "data_parallel_size": 2},
        {"data_parallel_size_local": 2, "data_parallel_size": 2},
    ),
    Rule(
        "external-rank-needs-copies", VALIDATE,
        given("data_parallel_rank") & when("data_parallel_size", 1)
        & when("data_parallel_size_local", None, 1),
        ("data_parallel_rank", "data_parallel_size"),
        "is one of several copies, and {data_parallel_size} is 1", "raise {data_parallel_size}, or remove it",
        {"data_parallel_rank": 0}, {},
    ),
    Rule(
        "fault-tolerance-needs-external-balancer", CREATE,
        on("enable_fault_tolerance") & ~EXTERNAL,
        ("enable_fault_tolerance", "data_parallel_external_lb"),
        "needs a balancer outside: {data_parallel_external_lb} or a rank", "remove it",
        {"enable_fault_tolerance": True}, {},
    ),
    Rule(
        "nodes-need-mp", CREATE, NODES & unless("data_parallel_backend", "mp"),
        ("data_parallel_backend", "nnodes"),
        "has to be mp with {nnodes}", "remove it",
        {"nnodes": 2, "data_parallel_backend": "ray", "data_parallel_size": 2},
        {"nnodes": 2, "data_parallel_size": 2},
    ),
    Rule(
        "nodes-share-the-ranks", CREATE,
        NODES & fact("ranks that the nodes do not divide", lambda setting: (
            _ranks(setting) % int(setting.number("nnodes") or 1) != 0
        )),
        ("nnodes", "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"),
        "does not divide the number of ranks", "set a {nnodes} that divides them, or remove it",
        {"nnodes": 2}, {"nnodes": 2, "tensor_parallel_size": 2},
    ),
    Rule(
        "node-rank-within-nodes", CREATE,
        NODES & fact("`node_rank` ≥ `nnodes`", lambda setting: (
            (setting.number("node_rank") or 0) >= (setting.number("nnodes") or 1)
        )),
        ("node_rank", "nnodes"),
        "is not below {nnodes}: nodes count from 0", "lower it",
        {"nnodes": 2, "tensor_parallel_size": 2, "node_rank": 2},
        {"nnodes": 2, "tensor_parallel_size": 2, "node_rank": 1},
    ),
    Rule(
        "stages-need-their-own-executor", "engine/arg_utils.py:_check_feature_supported",
        above("pipeline_parallel_size", 1) & when("distributed_executor_backend", "uni"),
        ("distributed_executor_backend", "pipeline_parallel_size"),
        "uni runs one rank, and {pipeline_parallel_size} asks for more", "remove it",
        {"pipeline_parallel_size": 2, "distributed_executor_backend": "uni"}, {"pipeline_parallel_size": 2},
    ),
    Rule(
        "nsight-needs-ray", "config/parallel.py:_verify_args",
        on("ray_workers_use_nsight") & unless("distributed_executor_backend", "ray"),
        ("ray_workers_use_nsight", "distributed_executor_backend"),
        "needs {distributed_executor_backend} ray", "remove it",
        {"ray_workers_use_nsight": True}, {},
    ),
    Rule(
        "ray-needs-ray", "v1/executor/ray_utils.py:assert_ray_available",
        when("distributed_executor_backend", "ray") & lacks("ray"), ("distributed_executor_backend",),
        "ray needs the package ray", "install it, or remove it",
        {"distributed_executor_backend": "ray"}, {"distributed_executor_backend": "mp"},
        place=Place(packages=frozenset()),
    ),
    Rule(
        "heads-share-ranks", "config/model.py:verify_with_parallel_config",
        fact("attention heads that `tensor_parallel_size` does not divide", lambda setting: (
            (setting.place.heads or 0) % _product(setting, "tensor_parallel_size") != 0
        )),
        ("tensor_parallel_size",),
        "does not divide the model's attention heads", "take a divisor of them, such as 1, 2 or 4",
        {"tensor_parallel_size": 3}, {"tensor_parallel_size": 2}, place=Place(heads=4),
    ),
    Rule(
        "devices-once", "engine/arg_utils.py:_resolve_device_ids",
        fact("an index twice in `device_ids`", lambda setting: (
            len(setting.words("device_ids")) != len(set(setting.words("device_ids")))
        )),
        ("device_ids",),
        "names a device twice", "name each once; deploy.gpus is the usual way to choose them",
        {"device_ids": "0,0"}, {"device_ids": "0,1"},
    ),
    Rule(
        "context-ranks-on-the-cpu", "config/vllm.py:_validate_v1_model_runner",
        above("prefill_context_parallel_size", 1) & ON_CPU, ("prefill_context_parallel_size",),
        "needs GPUs", "remove it",
        {"prefill_context_parallel_size": 2}, {},
    ),
    Rule(
        "sequence-ranks-on-the-cpu", "config/model.py:verify_with_parallel_config",
        on("enable_hc_sp") & above("tensor_parallel_size", 1) & ON_CPU,
        ("enable_hc_sp", "tensor_parallel_size"),
        "needs GPUs", "remove it",
        {"enable_hc_sp": True, "tensor_parallel_size": 2}, {"tensor_parallel_size": 2},
    ),
    Rule(
        "context-ranks-fit", VALIDATE,
        fact("decode context ranks that do not fit the others", _decode_context),
        ("decode_context_parallel_size", "tensor_parallel_size", "prefill_context_parallel_size"),
        "does not fit the tensor and prefill context ranks",
        "set it to 1, or to a divisor of {tensor_parallel_size}",
        {"decode_context_parallel_size": 2}, {"decode_context_parallel_size": 1},
    ),
    Rule(
        "numa-nodes-need-binding", VALIDATE, given("numa_bind_nodes") & ~on("numa_bind"),
        ("numa_bind_nodes", "numa_bind"),
        "needs {numa_bind}", "set {numa_bind}: true, or remove it",
        {"numa_bind_nodes": [0]}, {},
    ),
    Rule(
        "numa-cores-need-binding", VALIDATE, given("numa_bind_cpus") & ~on("numa_bind"),
        ("numa_bind_cpus", "numa_bind"),
        "needs {numa_bind}", "set {numa_bind}: true, or remove it",
        {"numa_bind_cpus": ["0-1"]}, {},
    ),
    Rule(
        "loading-workers-ignored", POST_INIT, written("max_parallel_loading_workers"),
        ("max_parallel_loading_workers",),
        "does nothing: this version ignores it", "remove it",
        {"max_parallel_loading_workers": 2}, {}, proof="silent",
    ),
)  # fmt: skip
