"""The checkpoints of a run's training, and which of them a training can go on from.

What belongs to one is what transformers 5's Trainer writes (`Trainer._save_checkpoint`): the weights, then
the optimizer, the scheduler and the random numbers' state, and trainer_state.json last of all.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ftctl.artifacts.safetensors import BrokenWeights, read_header
from ftctl.artifacts.weights import INDEX, SINGLE, read_weights

OUTPUT = "output"  # where every trainer writes, relative to the run directory
NAMED = re.compile(r"checkpoint-(\d+)")
WEIGHTS_ONLY = "it holds the weights alone, without the optimizer"
ADAPTER = "adapter_model.safetensors"
# Where the engine's own sharding keeps weights and optimizer: DeepSpeed's and FSDP's folders.
SHARDED = ("global_step*", "pytorch_model_fsdp_*", "optimizer_*")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint's folder. `fault` says why no training can go on from it; None: one can."""

    path: Path
    step: int
    fault: str | None = None


def checkpoints(output: Path, processes: int = 1) -> tuple[Checkpoint, ...]:
    """The checkpoints in a training's output, by their step; `processes` is how many trained together."""
    try:
        named = [(found, path) for path in output.iterdir() if (found := NAMED.fullmatch(path.name))]
    except FileNotFoundError:
        return ()
    ordered = sorted((int(found[1]), path) for found, path in named if path.is_dir())
    return tuple(Checkpoint(path, step, fault_of(path, step, processes)) for step, path in ordered)


def fault_of(folder: Path, step: int, processes: int) -> str | None:
    """What is missing or broken in a checkpoint; None where it is complete."""
    sharded = any(any(part.iterdir()) for name in SHARDED for part in folder.glob(name) if part.is_dir())
    kept = [folder / "optimizer.pt", folder / "scheduler.pt", *_random(folder, processes)]
    state = _state_fault(folder / "trainer_state.json", step)
    if state is None and not sharded and not any(path.exists() for path in kept[:2]):
        return WEIGHTS_ONLY
    weights = None if sharded else _weights_fault(folder)
    wanted = kept[2:] if sharded else kept
    return weights or next((fault for path in wanted if (fault := _saved_fault(path))), None) or state


def _random(folder: Path, processes: int) -> list[Path]:
    """Where the state of the random numbers lies: a file each where several processes trained."""
    if processes == 1:
        return [folder / "rng_state.pth"]
    return [folder / f"rng_state_{number}.pth" for number in range(processes)]


def _saved_fault(path: Path) -> str | None:
    """What is wrong with a file of torch.save: a zip archive, whose directory is written at its end."""
    if not path.is_file():
        return f"it has no {path.name}"
    return None if zipfile.is_zipfile(path) else f"its {path.name} is cut short"


def _weights_fault(folder: Path) -> str | None:
    try:
        if (folder / "adapter_config.json").exists() or (folder / ADAPTER).exists():
            read_header(folder / ADAPTER)
        elif (folder / SINGLE).exists() or (folder / INDEX).exists():
            read_weights(folder)
        else:
            return f"it has no {SINGLE}"
    except BrokenWeights as error:
        return error.message
    return None


def _state_fault(path: Path, step: int) -> str | None:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"it has no {path.name}"
    except (OSError, ValueError):
        return f"its {path.name} is cut short"
    if not isinstance(state, dict) or state.get("global_step") != step:
        return f"its {path.name} is not of step {step}"
    return None
