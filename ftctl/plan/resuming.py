"""What of a job may change while its run goes on: what leaves the training so far as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.errors import Problem
from ftctl.job.model import Job, problem_at
from ftctl.record import to_record

READING = frozenset({"file", "source", "overrides", "places", "written", "shown", "silence"})
FREE = (
    "train.epochs", "train.max_steps", "train.log_every", "train.eval_every", "train.checkpoints", "deploy",
    "resources.max_restarts",
)  # fmt: skip
LONGER = frozenset({"train.epochs", "train.max_steps"})
ROWS = "the rows already read would not be those that are left out now"
WEIGHTS = "the checkpoint's weights and optimizer were made for the other value"
SCHEDULE = "the checkpoint brings its own, which would win in silence"
# By the beginning of the key: why a run that has begun cannot go on with another value.
REASONS = (
    ("name", "a run keeps its name"),
    ("model", "the checkpoint holds weights of the other model"),
    ("data", ROWS),
    ("train.seed", f"the order of the rows follows from it: {ROWS}"),
    ("train.max_length", ROWS),
    ("train.packing", ROWS),
    ("train.batch_size", f"a checkpoint counts steps of the other size: {ROWS}"),
    ("train.micro_batch_size", f"a checkpoint counts steps of the other size: {ROWS}"),
    ("train.retrieval", ROWS),
    ("resources", f"each process reads a share of the rows: {ROWS}"),
    ("train.learning_rate", SCHEDULE),
    ("train.scheduler", SCHEDULE),
    ("train.warmup", SCHEDULE),
    ("train.weight_decay", SCHEDULE),
    ("train.report_to", "its trackers began with it"),
    ("train.tracking", "its trackers began with it"),
    ("train.native", "an engine's argument may change anything that the checkpoint rests on"),
    ("train", WEIGHTS),
)
AGAIN = "leave it out, or begin a new run with it: ftctl train"


def refusals(old: Job, new: Job, reached: int) -> tuple[Problem, ...]:
    """Why a run of `old` that has done `reached` steps cannot go on as `new`; empty where it can."""
    found = []
    for key in changed(old, new):
        if not _below(key, FREE):
            reason = next((why for above, why in REASONS if _below(key, (above,))), "the run has begun")
            found.append(problem_at(new, key, f"cannot change while the run goes on: {reason}", AGAIN))
    return (*found, *_shorter(old, new, reached))


def changed(old: Job, new: Job) -> tuple[str, ...]:
    """The dotted keys that differ, blocks that came or went as a whole."""
    before, after = ({name: value for name, value in to_record(job).items() if name not in READING}
                     for job in (old, new))  # fmt: skip
    return tuple(_differing(before, after))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name in (*old, *(name for name in new if name not in old)):
        one, other = old.get(name), new.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{above}{name}.")
        elif one != other:
            yield f"{above}{name}"


def _below(key: str, those: tuple[str, ...]) -> bool:
    return any(key == above or key.startswith(f"{above}.") for above in those)


def _shorter(old: Job, new: Job, reached: int) -> Iterator[Problem]:
    """A training's end can move on, not back to before where it is."""
    if old.train is None or new.train is None:
        return
    if new.train.epochs < old.train.epochs:
        told = f"{old.train.epochs:g} epochs can become more, not {new.train.epochs:g}"
        yield problem_at(new, "train.epochs", told, AGAIN)
    if new.train.max_steps is not None and new.train.max_steps < reached:
        told = f"{reached} steps are done already, and it asks for {new.train.max_steps}"
        yield problem_at(new, "train.max_steps", told, AGAIN)
