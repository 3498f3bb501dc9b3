"""Out of memory: the settings that decide how much a training takes, and the one to change first."""

from __future__ import annotations

from ftctl.job.training import Train
from ftctl.plan.model import Plan, TrainPlan


def memory_remedy(plan: Plan, *, begun: bool) -> str:
    """What to change first, and every setting that decides, with its present value.

    Before the first step (`begun` false) only the weights and the optimizer's state are there, and what
    a batch holds does not matter.
    """
    if plan.train is None or plan.job.train is None:
        return "use a larger machine"
    train, decided = plan.job.train, plan.train
    first = [*(_of_batch(train, decided) if begun else ()), *_of_weights(plan, train, decided)]
    if begun and decided.retrieval is None and train.max_length > 512:
        first.append(f"set train.max_length: {train.max_length // 2}")
    first.append("use more or larger GPUs" if decided.devices else "use a machine with more memory")
    more = f", then {first[1]}" if len(first) > 1 else ""
    return f"{first[0]} first{more}; what decides: {', '.join(_deciding(plan, train, decided))}"


def _of_batch(train: Train, decided: TrainPlan) -> list[str]:
    """Ways to hold less of a batch at once, the one that changes nothing of the result first."""
    ways = []
    retrieval = decided.retrieval
    smaller = _smaller(decided)
    if retrieval is None and smaller:
        ways.append(f"set train.micro_batch_size: {smaller} (batch_size stays {decided.batch_size})")
    if not decided.gradient_checkpointing:
        ways.append("set train.gradient_checkpointing: true")
    if retrieval is not None:
        if smaller:
            ways.append(f"set train.micro_batch_size: {smaller} (fewer negatives from the same batch)")
        if retrieval.passage_max_length > 256:
            ways.append(f"set train.passage_max_length: {retrieval.passage_max_length // 2}")
    return ways


def _of_weights(plan: Plan, train: Train, decided: TrainPlan) -> list[str]:
    """Ways to hold less of the model and of its optimizer."""
    if plan.method in ("full", "freeze") and (decided.retrieval is None or not decided.retrieval.encoder):
        return ["set train.method: lora"]
    if plan.method == "lora" and train.quantization is None and decided.devices and decided.retrieval is None:
        return ["set train.quantization: 4"]
    return []


def _smaller(decided: TrainPlan) -> int:
    """The next smaller micro batch that gives the same batch size; 0 where there is none."""
    share = decided.micro_batch_size * decided.accumulation
    fit = [size for size in range(1, decided.micro_batch_size) if share % size == 0]
    return fit[-1] if fit else 0


def _deciding(plan: Plan, train: Train, decided: TrainPlan) -> list[str]:
    retrieval = decided.retrieval
    lengths = (
        [f"max_length {train.max_length}"]
        if retrieval is None
        else [
            f"train_group_size {retrieval.train_group_size}",
            f"passage_max_length {retrieval.passage_max_length}",
        ]
    )
    bits = [] if train.quantization is None else [f"quantization {train.quantization.bits}"]
    return [
        f"micro_batch_size {decided.micro_batch_size}",
        *lengths,
        f"gradient_checkpointing {str(decided.gradient_checkpointing).lower()}",
        f"method {plan.method}",
        *bits,
        f"precision {decided.precision}",
    ]
