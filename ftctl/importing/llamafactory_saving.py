"""When a LLaMA-Factory training saves and when it evaluates."""

from __future__ import annotations

from typing import Any

from ftctl.importing.draft import Draft
from ftctl.importing.llamafactory_names import defaults
from ftctl.importing.source import Around


def saving(draft: Draft, rest: dict[str, Any], around: Around) -> None:
    """Checkpoints: how often, how many stay, and what is in them."""
    strategy, steps = rest.get("save_strategy", "steps"), rest.get("save_steps", defaults()["save_steps"])
    every = {"steps": steps, "epoch": "epoch", "no": "never", False: "never"}.get(strategy)
    if every is not None and draft.takes("train.checkpoints.every", every):
        origin = "save_strategy" if strategy != "steps" else "save_steps"
        default = "" if origin in rest else ": LLaMA-Factory's default"
        if strategy == "steps" and "save_strategy" in rest:
            default += "; save_strategy: steps"
        draft.set("train.checkpoints.every", every, origin + default)
        rest.pop("save_strategy", None)
        if "save_steps" in rest:
            unused = rest.pop("save_steps")
            if strategy != "steps":
                draft.drop("save_steps", unused, f"has no effect with save_strategy: {strategy}")
    elif every is not None:
        rest.setdefault("save_strategy", strategy)
    keep = rest.get("save_total_limit")
    if keep is None or draft.takes("train.checkpoints.keep", keep):
        origin = "save_total_limit" + ("" if keep is not None else ": not set, so all are kept")
        draft.set("train.checkpoints.keep", keep, origin)
        rest.pop("save_total_limit", None)
    if "save_only_model" in rest and draft.put(
        "train.checkpoints.weights_only", rest["save_only_model"], "save_only_model"
    ):
        del rest["save_only_model"]


def evaluation(draft: Draft, rest: dict[str, Any], around: Around) -> None:
    """How often the rows that are held out are evaluated."""
    if draft.get("data.eval") is None:
        return
    strategy = rest.get("eval_strategy", "no")
    if strategy in ("no", False):
        rest.pop("eval_strategy", None)
        why = "the engine would hold these rows out and never look at them; ftctl evaluates after each epoch"
        draft.drop("eval_strategy", "no", why)
        draft.set("train.eval_every", "epoch")
        if "eval_steps" in rest:
            draft.drop("eval_steps", rest.pop("eval_steps"), "has no effect with eval_strategy: no")
        return
    steps = rest.get("eval_steps", rest.get("logging_steps", draft.get("train.log_every") or 500))
    every = "epoch" if strategy == "epoch" else steps if strategy == "steps" else None
    origin = "eval_strategy" if strategy == "epoch" else "eval_strategy: steps, eval_steps"
    if every is not None and draft.put("train.eval_every", every, origin):
        del rest["eval_strategy"]
        unused = rest.pop("eval_steps", None)
        if strategy == "epoch" and unused is not None:
            draft.drop("eval_steps", unused, "has no effect with eval_strategy: epoch")
