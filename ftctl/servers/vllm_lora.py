"""What vLLM 0.32.0 takes of a LoRA adapter (its lora/peft_helper.py), by the adapter's own configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.plan.model import ServePlan

# `--max-lora-rank` takes these values only.
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# Ways to begin that leave the base model's weights alone; the others change them while peft loads.
PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
HEADS = {"classifier", "score"}
LACKING: Mapping[str, str] = {
    "use_dora": "it was trained with DoRA",
    "lora_bias": "it has biases",
    "alora_invocation_tokens": "it is an activated LoRA",
    "layer_replication": "it repeats layers",
    "use_bdlora": "it is block-diagonal",
    "use_qalora": "it is a QALoRA",
}


def refusals(config: Mapping[str, Any]) -> Iterator[str]:
    """Why vLLM would not attach the adapter with this adapter_config.json; nothing where it would."""
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        yield f"it is no LoRA adapter but {kind}"
    if config.get("bias", "none") != "none":
        yield f"it has biases (bias: {config['bias']})"
    yield from (said for key, said in LACKING.items() if config.get(key))
    whole = sorted(set(config.get("modules_to_save") or ()) - HEADS)
    if whole:
        yield f"it carries whole modules ({', '.join(whole)})"
    init = config.get("init_lora_weights", True)
    if isinstance(init, str) and init.lower() not in PLAIN_INITS:
        yield f"its start {init} changes the base model's weights"


def highest_rank(config: Mapping[str, Any]) -> int:
    """The largest rank of any of its modules; 0 where it does not say."""
    patterns = config.get("rank_pattern")
    ranks = [config.get("r"), *(patterns.values() if isinstance(patterns, Mapping) else ())]
    return max((rank for rank in ranks if isinstance(rank, int) and not isinstance(rank, bool)), default=0)


def taken_rank(plan: ServePlan, artifact: Artifact) -> int | None:
    """The largest rank that a server of that plan takes; None where it takes none. Raises UsageError."""
    if not plan.takes_adapters:
        return None
    own = artifact.lora_rank if plan.adapter == "attach" else None
    return lora_rank(max((rank for rank in (plan.lora_rank, own) if rank), default=None))


def lora_rank(rank: int | None) -> int:
    """The smallest rank that vLLM takes and that holds `rank`; 64 where there is no adapter to say it."""
    wanted = rank or 64
    for allowed in LORA_RANKS:
        if wanted <= allowed:
            return allowed
    raise UsageError(
        f"the adapter has rank {rank} and vLLM attaches ranks up to {LORA_RANKS[-1]}",
        "set deploy.adapter: merge",
    )
