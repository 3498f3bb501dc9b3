"""LMDeploy's API server: a plan to its command line (arguments as of 0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.plan.serve_gaps import needs_pytorch
from ftctl.rendered import Rendered
from ftctl.servers import lmdeploy_faults
from ftctl.servers.native import nested
from ftctl.servers.words import INSIDE, isolated, more_than_one, words

TITLE = "LMDeploy"
FAULTS = lmdeploy_faults.FAULTS
PHASES = lmdeploy_faults.PHASES
RUNNER = INSIDE / "lmdeploy_server.py"

# The model's folder with another chat template, as links in the deployment's folder (deployments/overlay.py).
OVERLAY = "model"

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
    """The command of one LMDeploy server."""
    attach = plan.adapter == "attach"
    weights = str(artifact.base) if attach else str(artifact.path)
    flags = arguments(plan, deploy)
    if attach:
        flags["adapters"] = [f"{plan.name}={artifact.path}", *flags["adapters"][1:]]
    # It would choose a template by a word in the path: a folder called vicuna-qwen got Vicuna's.
    template = "base" if artifact.has_chat_template is False and plan.chat_template is None else "hf"
    fixed: Flags = {
        "chat-template": flags.pop("chat_template", None) or template,
        "model-name": f"{plan.name}-base" if attach else plan.name,
        "server-name": deploy.host,
        "server-port": port,
        "disable-fastapi-docs": True,
        "ssl": True if deploy.tls else None,
    }
    named = {key.replace("_", "-"): value for key, value in flags.items()}
    served = OVERLAY if serves_overlay(plan) else weights
    told = (word for part in (named, fixed) for key, value in part.items() for word in words(key, value))
    # The model stands first: an argument that takes several words would swallow it.
    argv = (str(python), str(RUNNER), "serve", "api_server", served, *told)
    return Rendered(argv, _environment(plan, deploy, local=Path(weights).is_absolute()))


def serves_overlay(plan: ServePlan) -> bool:
    """Whether the model is served from a folder in which its chat template is another: LMDeploy takes the
    template from there alone, and has no argument for what a template is told unasked."""
    return plan.chat_template is not None or bool(plan.template_kwargs)


def ahead(plan: ServePlan, *, python: Path, local: bool, machine: MachineFacts) -> Rendered | None:
    """None: its command imports what it needs when it is asked to serve."""
    return None


def arguments(plan: ServePlan, deploy: Deploy) -> Flags:
    """What the server is told, by its own names."""
    told = {**_flags(plan, deploy), **nested(deploy.native)}
    return {key: value for key, value in told.items() if value is not None}


def _flags(plan: ServePlan, deploy: Deploy) -> Flags:
    own = [f"{plan.name}="] if plan.adapter == "attach" else []
    named = [*own, *(f"{name}={path}" for name, path in (plan.adapters or {}).items())]
    return {
        "backend": "pytorch" if needs_pytorch(deploy, plan.adapter) else None,
        "dtype": deploy.dtype,
        "session_len": plan.max_length,
        "tp": more_than_one(plan.tensor_parallel),
        "dp": more_than_one(plan.data_parallel),
        # A share of what the weights leave free, where vLLM's is of the whole GPU: never derived.
        "cache_max_entry_count": deploy.gpu_memory_share,
        "max_batch_size": deploy.max_concurrency,
        "enable_prefix_caching": True if deploy.prefix_caching is not False else None,
        "quant_policy": None if deploy.kv_cache_dtype == "auto" else deploy.kv_cache_dtype,
        "model_format": deploy.quantization,
        "tool_call_parser": deploy.tool_parser,
        "reasoning_parser": deploy.reasoning_parser,
        "trust_remote_code": True if plan.trust_remote_code else None,
        "log_level": "REQUEST" if deploy.log_requests else None,
        "adapters": named or None,
        **_speculative(deploy.speculative or {}),
    }


def _speculative(asked: Mapping[str, Any]) -> Flags:
    names = {"method": "algorithm", "model": "draft_model", "tokens": "num_draft_tokens"}
    return {f"speculative_{names[key]}": value for key, value in asked.items()}


def _environment(plan: ServePlan, deploy: Deploy, *, local: bool) -> dict[str, str | None]:
    tls = deploy.tls or {}
    return {
        **isolated(plan, local=local),
        # Set, they would take the place of the certificate that the job names, or add one that it does not.
        "SSL_CERTFILE": str(tls["certificate"]) if tls else None,
        "SSL_KEYFILE": str(tls["key"]) if tls else None,
        # TurboMind knows no level REQUEST.
        "TM_LOG_LEVEL": "INFO" if deploy.log_requests else None,
    }
