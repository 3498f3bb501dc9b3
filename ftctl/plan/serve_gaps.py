"""What a deploy block may ask for and one of the servers lacks (vLLM 0.32.0, LMDeploy 0.18.0)."""

from __future__ import annotations

from collections.abc import Iterator

from ftctl.job.model import Deploy

Gap = tuple[str, str, str]  # the key below deploy, what is wrong with it, the way out

LMDEPLOY_FORMATS = ("awq", "gptq", "compressed-tensors", "fp8", "mxfp4")
LMDEPLOY_DRAFTS = ("eagle", "eagle3", "deepseek_mtp", "hy3_mtp", "qwen3_5_mtp", "dflash")
VLLM_DRAFTS = (
    "ngram", "draft_model", "eagle", "eagle3", "mtp", "medusa", "mlp_speculator", "suffix", "dflash",
    "deepseek_mtp", "qwen3_5_mtp",
)  # fmt: skip
TO_VLLM, TO_LMDEPLOY = "or set deploy.engine: vllm", "or set deploy.engine: lmdeploy"


def gaps(engine: str, deploy: Deploy, *, kind: str = "generate", adapter: str = "none") -> Iterator[Gap]:
    """What `engine` cannot do of a block; `kind` is what the model is served as (plan/serve_kind.py)."""
    if kind != "generate" and deploy.adapters is not None:
        yield "adapters", "adapters are attached to language models alone", "serve what was trained, merged"
    if engine == "vllm":
        yield from _of_vllm(deploy)
    elif engine == "dummy":
        for key in ("adapters", "speculative", "tls"):
            if getattr(deploy, key) is not None:
                yield key, "the dummy server has nothing like it", "remove it, or let a real engine serve"
    elif engine == "lmdeploy":
        yield from _of_lmdeploy(deploy, kind, pytorch=needs_pytorch(deploy, adapter))


def needs_pytorch(deploy: Deploy, adapter: str) -> bool:
    """Whether LMDeploy needs its PyTorch engine: TurboMind drops adapters and drafts without a word."""
    return bool(adapter == "attach" or deploy.adapters or deploy.speculative) or (
        (deploy.kv_cache_dtype or "").startswith("fp8")
    )


def _of_vllm(deploy: Deploy) -> Iterator[Gap]:
    if deploy.kv_cache_dtype in ("int4", "int8"):
        yield "kv_cache_dtype", f"vLLM has no {deploy.kv_cache_dtype} cache", f"take fp8, {TO_LMDEPLOY}"
    yield from _drafts(deploy, "vLLM", VLLM_DRAFTS, TO_LMDEPLOY)


def _of_lmdeploy(deploy: Deploy, kind: str, *, pytorch: bool) -> Iterator[Gap]:
    if kind != "generate":
        what = "an embedder" if kind == "embed" else "a reranker"
        yield "engine", f"is lmdeploy, which cannot serve {what}", "set deploy.engine: vllm"
    if (deploy.pipeline_parallel or 1) > 1:
        yield "pipeline_parallel", "LMDeploy has no pipeline of GPUs", f"use tensor_parallel, {TO_VLLM}"
    if deploy.kv_cache_memory is not None:
        said = "LMDeploy takes a share of the free memory, not a size"
        yield "kv_cache_memory", said, f"set gpu_memory_share in its place, {TO_VLLM}"
    if deploy.dtype == "float32":
        yield "dtype", "LMDeploy has no float32", f"take bfloat16, {TO_VLLM}"
    if deploy.quantization is not None and deploy.quantization not in LMDEPLOY_FORMATS:
        said = f"LMDeploy does not read weights in {deploy.quantization}"
        yield "quantization", said, f"it reads {', '.join(LMDEPLOY_FORMATS)}; {TO_VLLM.removeprefix('or ')}"
    if pytorch and (deploy.data_parallel or 1) > 1:
        said = (
            "LMDeploy's PyTorch engine, which adapters, drafts and an fp8 cache need, opens a server per copy"
        )
        yield "data_parallel", said, f"use tensor_parallel, {TO_VLLM}"
    if deploy.adapters is not None and not deploy.adapters:
        said = "LMDeploy takes adapters only at its start, and there are none"
        yield "adapters", said, f"name them here, {TO_VLLM}"
    yield from _drafts(deploy, "LMDeploy", LMDEPLOY_DRAFTS, TO_VLLM)


def _drafts(deploy: Deploy, title: str, known: tuple[str, ...], other: str) -> Iterator[Gap]:
    method = (deploy.speculative or {}).get("method")
    if method is not None and method not in known:
        said = f"{title} cannot draft by {method}"
        yield "speculative", said, f"it drafts by {', '.join(known)}; {other.removeprefix('or ')}"
