"""Decide how an artifact is served: each derived value with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.errors import Missing, UsageError
from ftctl.facts.model import EngineFacts, MachineFacts, ModelFacts
from ftctl.job.model import Deploy
from ftctl.plan.kv_cache import kv_need
from ftctl.plan.model import Choice, RetrievalPlan, ServePlan
from ftctl.plan.serve_devices import Decided, devices, tensor_parallel
from ftctl.plan.serve_gaps import gaps
from ftctl.plan.serve_kind import ENDPOINTS, Served, served_as

MIB = 2**20
CPU_LENGTH = 4096  # tokens: a longer context on the CPU costs memory that few ask for
CPU_EXACT = 2 * 2**30  # bytes of weights up to which float32 is worth its memory on the CPU
TINY = 256 * MIB  # bytes of weights under which more threads only wait for each other
GPU_SHARE = 0.90


def plan_serve(
    deploy: Deploy,
    *,
    name: str,
    model: ModelFacts,
    machine: MachineFacts,
    adapter: str = "none",
    engine: EngineFacts | None = None,
    trust_remote_code: bool = False,
    chat_template: str | None = None,
    adapters: Mapping[str, str] | None = None,
    lora_rank: int | None = None,
    trained: RetrievalPlan | None = None,
) -> tuple[ServePlan, tuple[Choice, ...]]:
    """How `model` is served under `name`, and every choice.

    `adapter` is none, merge or attach; `engine` is the server's environment (None: not known yet). `adapters`
    are the folders of further ones by name, `lora_rank` the largest of their ranks. `trained` is how the
    model is going to be trained as an embedder or a reranker. Raises UsageError for values that contradict
    each other, Missing for a GPU that is not there.
    """
    served = served_as(model, trained)
    if served.kind != "generate" and adapter == "attach":
        raise UsageError(
            "an embedder's or a reranker's adapter is served merged into its base",
            "set deploy.adapter: merge",
        )
    server = _engine(deploy, engine)
    for key, message, remedy in gaps(server.value, deploy, kind=served.kind, adapter=adapter):
        raise UsageError(f"deploy.{key}: {message}", remedy)
    gpus = devices(deploy, machine, server.value, None if engine is None else engine.variant)
    on_cpu = not gpus.value
    tensor = tensor_parallel(deploy, len(gpus.value))
    length = _max_length(deploy, model, on_cpu, served.kind)
    dtype = _dtype(deploy, model, on_cpu)
    need = kv_need(model.kv_token_values, dtype.value, length.value)
    cache = _cpu_cache(deploy, model, machine, need) if on_cpu else _gpu_cache(deploy)
    decided = {
        "engine": server,
        **_kind(served),
        "name": Decided(name, "set in the job" if deploy.name == name else "the job's or the model's name"),
        "gpus": gpus,
        "tensor_parallel": tensor,
        "dtype": dtype,
        "max_length": length,
        "kv_cache_memory": cache,
        "gpu_memory_share": _gpu_share(deploy, on_cpu, cache.value, server.value),
        "threads": _threads(model, machine, on_cpu),
        "eager": Decided(
            on_cpu, "compiling costs the CPU more than it gains" if on_cpu else "the engine compiles"
        ),
        "adapter": Decided(adapter, _adapter_reason(adapter)),
        **_adapters(adapters),
    }
    plan = ServePlan(
        engine=server.value,
        name=name,
        adapter=adapter,
        devices=gpus.value,
        tensor_parallel=tensor.value,
        dtype=dtype.value,
        max_length=length.value,
        pipeline_parallel=deploy.pipeline_parallel or 1,
        data_parallel=deploy.data_parallel or 1,
        gpu_memory_share=decided["gpu_memory_share"].value,
        kv_cache_memory=cache.value,
        eager=on_cpu,
        threads=decided["threads"].value,
        trust_remote_code=trust_remote_code,
        chat_template=chat_template,
        kind=served.kind,
        pooling=served.pooling,
        normalize=served.normalize,
        head=served.head,
        query_prompt=served.query_prompt,
        query_suffix=served.query_suffix,
        passage_prompt=served.passage_prompt,
        architecture=model.architecture,
        adapters=adapters,
        lora_rank=lora_rank,
    )
    choices = tuple(Choice(f"deploy.{key}", _text(item.value), item.reason) for key, item in decided.items())
    return plan, choices


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "the CPU"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "left to the engine" if value is None else str(value)


def _kind(served: Served) -> dict[str, Decided]:
    """What a model is served as, where it is no generator of text."""
    if served.kind == "generate":
        return {}
    asked = " and ".join(ENDPOINTS[served.kind])
    decided = {"kind": Decided(served.kind, f"{served.reason}; asked on {asked}")}
    if served.kind == "embed":
        vectors = "normalised" if served.normalize else "as they come"
        decided["pooling"] = Decided(f"{served.pooling}, {vectors}", served.reason)
    return decided | _added(served)


def _added(served: Served) -> dict[str, Decided]:
    """What has to be added to every query and every passage, and by whom."""
    by = "in the server's template" if served.head == "yes" else "the client adds it: the server adds nothing"
    places = {
        "query_prompt": (served.query_prompt, "in front of queries"),
        "query_suffix": (served.query_suffix, "at the end of queries"),
        "passage_prompt": (served.passage_prompt, "in front of passages"),
    }
    return {key: Decided(repr(text), f"{place}; {by}") for key, (text, place) in places.items() if text}


def _engine(deploy: Deploy, engine: EngineFacts | None) -> Decided:
    if deploy.engine != "auto":
        return Decided(deploy.engine, "set in the job")
    if engine is None:
        return Decided("vllm", "it serves on the CPU and on GPUs")
    return Decided(engine.name, engine.why or "its environment is the one that was found")


def _adapters(adapters: Mapping[str, str] | None) -> dict[str, Decided]:
    if adapters is None:
        return {}
    named = tuple(adapters) or "none yet"
    return {"adapters": Decided(named, "each a model in the API; more may be attached while the server runs")}


def _adapter_reason(adapter: str) -> str:
    if adapter == "attach":
        return "the base model with the adapter beside it, as the job asks"
    return "merged into the base: served at full speed" if adapter == "merge" else "whole weights, no adapter"


def _max_length(deploy: Deploy, model: ModelFacts, on_cpu: bool, kind: str) -> Decided:
    limit = model.max_positions if kind == "generate" else _readable(model)
    if deploy.max_length is not None:
        stretched = {"hf_overrides", "hf-overrides", "rope_scaling", "rope-scaling"} & set(deploy.native)
        if limit is not None and deploy.max_length > limit and not stretched:
            raise UsageError(
                f"deploy.max_length is {deploy.max_length} and the model has {limit} positions",
                f"set it to {limit} or less",
            )
        return Decided(deploy.max_length, "set in the job")
    if on_cpu and (limit is None or limit > CPU_LENGTH):
        return Decided(
            CPU_LENGTH if limit else None,
            f"the model's {limit}, held to {CPU_LENGTH} on the CPU"
            if limit
            else "the model does not say; the engine finds out",
        )
    return Decided(
        limit, "the model's own length" if limit else "the model does not say; the engine finds out"
    )


def _readable(model: ModelFacts) -> int | None:
    """Tokens that an embedder or a reranker reads: its positions, fewer where it was trained on fewer."""
    known = (model.retrieval.length, model.retrieval.positions or model.max_positions)
    return min((length for length in known if length is not None), default=None)


def _dtype(deploy: Deploy, model: ModelFacts, on_cpu: bool) -> Decided:
    if deploy.dtype != "auto":
        return Decided(deploy.dtype, "set in the job")
    if not on_cpu:
        return Decided("auto", "the weights' own type")
    if model.weight_bytes is not None and model.weight_bytes <= CPU_EXACT:
        return Decided("float32", "exact, and a small model on the CPU is no slower for it")
    return Decided("bfloat16", "halves the memory of a large model on the CPU")


def _gpu_cache(deploy: Deploy) -> Decided:
    if deploy.kv_cache_memory is not None:
        return Decided(deploy.kv_cache_memory, "set in the job")
    return Decided(None, "what the GPU share leaves after the weights")


def _cpu_cache(deploy: Deploy, model: ModelFacts, machine: MachineFacts, need: int | None) -> Decided:
    if deploy.kv_cache_memory is not None:
        return Decided(deploy.kv_cache_memory, "set in the job")
    if need is None:
        small = model.weight_bytes is not None and model.weight_bytes <= TINY
        return Decided(
            64 * MIB if small else 2048 * MIB, "a usual size; the model does not say what a token takes"
        )
    if need > machine.memory // 2 > 0:
        raise Missing(
            f"one request of full length takes {need // MIB} MiB of KV cache, more than half of memory",
            "set a smaller deploy.max_length",
        )
    room = max(need, min(4 * need, machine.memory // 8))
    size = max(64 * MIB, -(-room // MIB) * MIB)
    return Decided(size, f"room for {size // need} requests of full length")


def _gpu_share(deploy: Deploy, on_cpu: bool, cache: int | None, engine: str) -> Decided:
    if deploy.gpu_memory_share is not None and not on_cpu:
        return Decided(deploy.gpu_memory_share, "set in the job")
    if on_cpu:
        return Decided(None, "no GPU")
    if cache is not None:
        return Decided(None, "the KV cache has its own size")
    if engine == "lmdeploy":
        return Decided(None, "LMDeploy's own: 0.8 of what the weights leave free, for the KV cache")
    return Decided(GPU_SHARE, "of the whole GPU; leaves a tenth to others")


def _threads(model: ModelFacts, machine: MachineFacts, on_cpu: bool) -> Decided:
    if not on_cpu:
        return Decided(None, "the GPU computes")
    if model.weight_bytes is not None and model.weight_bytes <= TINY:
        return Decided(1, "a small model gains nothing from more")
    return Decided(machine.cpus, "every core")
