"""Choose the server where the job leaves it open: by the model, the block, the GPUs and what is installed."""

from __future__ import annotations

from ftctl.job.model import Deploy
from ftctl.plan.serve_gaps import gaps

VLLM, LMDEPLOY = "vllm", "lmdeploy"


def choose_server(deploy: Deploy, *, kind: str, gpus: bool, installed: frozenset[str]) -> tuple[str, str]:
    """The engine that serves, and why. `kind` is what the model is served as, `gpus` whether it gets any."""
    against = _against_lmdeploy(deploy, kind, gpus)
    if against:
        return VLLM, against
    for key, message, _ in gaps(VLLM, deploy, kind=kind):
        return LMDEPLOY, f"deploy.{key}: {message}"
    if LMDEPLOY in installed and VLLM not in installed:
        return LMDEPLOY, "it is installed, and vLLM is not"
    if installed == {VLLM}:
        return VLLM, "it is installed, and LMDeploy is not"
    return VLLM, "it serves the most kinds of models, and adapters come and go while it runs"


def _against_lmdeploy(deploy: Deploy, kind: str, gpus: bool) -> str:
    """Why LMDeploy is out of the question; empty where it is not."""
    if not gpus:
        return "it is to serve on the CPU, and LMDeploy needs a GPU"
    if kind != "generate":
        return "LMDeploy serves no embedders and no rerankers"
    if deploy.engine_python is not None:
        return "engine_python is taken for vLLM's"
    if deploy.native:
        return "native is taken for vLLM's"
    return next((f"deploy.{key}: {said}" for key, said, _ in gaps(LMDEPLOY, deploy, kind=kind)), "")
