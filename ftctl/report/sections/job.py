"""What was asked for, and what followed from it."""

from __future__ import annotations

from ftctl.plan.model import Plan, TrainPlan
from ftctl.report.model import BAD, Block, Code, Facts, Note, Section, Table
from ftctl.report.records import Records
from ftctl.report.words import count


def job(records: Records) -> Section | None:
    """The job: its main keys, what the command line changed, and the file as it was submitted."""
    plan = records.plan
    blocks: list[Block] = [] if plan is None else [Facts(tuple(_facts(plan)))]
    overrides = [str(one) for one in records.identity.get("overrides") or ()]
    changed = [
        text for event in records.events if event.kind == "attempt" for text in event.data.get("set") or ()
    ]
    if overrides or changed:
        blocks.append(Note(f"Changed on the command line: {', '.join([*overrides, *map(str, changed)])}."))
    if records.job:
        blocks.append(Code("The job file, as submitted", records.job))
    return Section("job", "The job", tuple(blocks)) if blocks else None


def _facts(plan: Plan) -> list[tuple[str, str]]:
    job, train = plan.job, plan.job.train
    rows = [("Model", job.model.path)]
    if job.model.revision:
        rows.append(("Revision", job.model.revision))
    if plan.facts.model.architecture:
        size = plan.facts.model.parameters
        rows.append(
            ("Architecture", plan.facts.model.architecture + (f", {parameters(size)}" if size else ""))
        )
    if train is not None:
        rows.append(("Task", train.task))
        rows.append(("Method", method(plan)))
        rows.append(
            ("Length", f"{count(train.max_steps, 'step')}" if train.max_steps else f"{train.epochs:g} epochs")
        )
    if plan.train is not None:
        chosen = plan.train
        rows.append(
            (
                "Batch",
                batch(chosen),
            )
        )
        rows.append(
            ("Learning rate", f"{chosen.learning_rate:g}, {train.scheduler if train else ''}".rstrip(", "))
        )
        rows.append(("Precision", chosen.precision))
        rows.append(("Trained on", devices(plan)))
    if train is not None:
        rows.append(("Seed", str(train.seed)))
    if plan.serve is not None:
        rows.append(("Served by", f"{plan.serve.engine}, {plan.serve.dtype}"))
    return rows


def batch(train: TrainPlan) -> str:
    """The global batch, and what it is made of: micro batch, accumulation and devices."""
    parts = (train.micro_batch_size, train.accumulation, train.world_size)
    return f"{train.batch_size} = {' × '.join(map(str, parts))}"


def method(plan: Plan) -> str:
    """How the weights are trained, in words."""
    train = plan.job.train
    if train is None:
        return "none"
    words = plan.method or train.method
    if words == "lora":
        bits = f", {train.quantization.bits} bits" if train.quantization else ""
        return f"LoRA, rank {train.lora.rank}, alpha {train.lora.alpha or 2 * train.lora.rank}{bits}"
    return {"full": "full", "freeze": f"freeze, {count(train.freeze.layers, 'layer')}"}.get(words, words)


def devices(plan: Plan) -> str:
    """The devices of the training: the CPU, or GPUs by their name."""
    if plan.train is None or not plan.train.devices:
        return "the CPU"
    names = [gpu.name for gpu in plan.facts.machine.gpus if gpu.index in plan.train.devices]
    name = names[0] if names and len(set(names)) == 1 else ", ".join(names) or "GPU"
    return f"{len(plan.train.devices)} × {name}"


def parameters(number: int) -> str:
    """A count of parameters as the field writes it: 525K, 22.7M, 7.6B."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size:
            return f"{number / size:.3g}{unit} parameters"
    return f"{number} parameters"


def derived(records: Records) -> Section | None:
    """Every choice that the job left open, with its reason, and what was odd about the job."""
    plan = records.plan
    if plan is None:
        return None
    rows = tuple((choice.key, choice.value, choice.reason) for choice in plan.choices)
    warned = dict.fromkeys(str(problem) for problem in plan.warnings)
    blocks: list[Block] = [Note(text, BAD) for text in warned]
    if rows:
        blocks.append(Table(("key", "value", "why"), rows, exact=frozenset({0})))
    return Section("derived", "What was derived, and why", tuple(blocks)) if blocks else None
