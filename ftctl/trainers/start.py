"""How a training command starts, whatever the engine: the runner's arguments and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftctl.job.training import Train
from ftctl.plan.model import Plan, TrainPlan

FILE = "native/train.yaml"
INSIDE = Path(__file__).resolve().parent.parent / "inside"
CACHE = "cache"  # in the run directory: each run's copy of the data would pile up in the user's cache


def training(plan: Plan) -> tuple[Train, TrainPlan]:
    """What the job asks of its training and what is decided of it."""
    if plan.job.train is None or plan.train is None:
        raise ValueError("a plan without training was given to a trainer")
    return plan.job.train, plan.train


def interpreter(plan: Plan) -> Path:
    """The engine's Python."""
    if plan.facts.trainer is None:
        raise ValueError("a plan without an engine was given to a trainer")
    return plan.facts.trainer.python


def command(plan: Plan, *target: str) -> tuple[str, ...]:
    """One process runs the target itself; several are started by torchrun's module, as a tuple."""
    _, decided = training(plan)
    python = str(interpreter(plan))
    if decided.world_size == 1:
        return (python, *target)
    distributed = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={decided.world_size}")
    return (python, *distributed, *target)


def environment(plan: Plan) -> dict[str, str | None]:
    """What the environment variables of every training must and must not be."""
    train, decided = training(plan)
    env: dict[str, str | None] = {
        "CUDA_VISIBLE_DEVICES": ",".join(str(device) for device in decided.devices),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the order in which nvidia-smi counts
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": None,
        "HF_DATASETS_CACHE": CACHE,
        "TOKENIZERS_PARALLELISM": "false",
    }
    if train.stop_on != "nan":  # what the runner does by itself
        env["FTCTL_STOP_ON"] = train.stop_on
    if plan.job.model.local:
        env |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if not decided.devices and decided.world_size > 1:
        env["OMP_NUM_THREADS"] = str(max(1, plan.facts.machine.cpus // decided.world_size))
    if train.report_to:
        from ftctl.trainers.tracking import tracking_environment  # few jobs report

        env |= tracking_environment(train, plan.job.name)
    return env


def reporting(plan: Plan) -> dict[str, Any]:
    """Which trackers transformers is to call, as it names them."""
    train, _ = training(plan)
    if not train.report_to:
        return {"report_to": "none"}
    from ftctl.trainers.tracking import tracking_arguments  # few jobs report

    return tracking_arguments(train, plan.job.name)


def optimization(train: Train, decided: TrainPlan) -> dict[str, Any]:
    """Batch, rate, length, optimizer, precision and device, as transformers' TrainingArguments names them."""
    return {
        "per_device_train_batch_size": decided.micro_batch_size,
        "gradient_accumulation_steps": decided.accumulation,
        "learning_rate": decided.learning_rate,
        "num_train_epochs": train.epochs,
        "lr_scheduler_type": train.scheduler,
        "warmup_steps": train.warmup,  # a share where it is below 1
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "optim": train.optimizer,
        "seed": train.seed,
        "bf16": decided.precision == "bf16",
        "fp16": decided.precision == "fp16",
        # Without it two processes of FlagEmbedding on the CPU train two copies, each alone, into one folder.
        "use_cpu": not decided.devices,
    }


def strategy(kind: str, every: int | str) -> dict[str, Any]:
    """transformers' pair of arguments for something done now and then: `save`, every epoch or N steps."""
    if isinstance(every, int):
        return {f"{kind}_strategy": "steps", f"{kind}_steps": every}
    return {f"{kind}_strategy": every}
