"""Report a training of transformers' Trainer as events, and carry the wish to stop into it.

Events go to progress.jsonl, one JSON object a line; the file `stop`, or SIGTERM, asks for a stop. Every
process of a distributed run makes the same decision at the same step: the wish is all-reduced.
"""

import json
import math
import os
import pathlib
import resource
import signal
import time
from collections import deque
from typing import Any

import torch
from transformers import TrainerCallback

PROGRESS = "progress.jsonl"
STOP = pathlib.Path("stop")
STOP_ON = os.environ.get("FTCTL_STOP_ON", "nan")  # nan | divergence | never: what ends a training
WINDOW = 20  # logged losses whose mean says where the loss stands


def report(kind: str, **fields: Any) -> None:
    """Write an event; of one process only."""
    fields = {key: value for key, value in fields.items() if value is not None and sayable(value)}
    line = json.dumps({"time": round(time.time(), 3), "event": kind, **fields})
    with open(PROGRESS, "a", encoding="utf-8") as file:
        file.write(line + "\n")


class Stopped(Exception):
    """Training was asked to stop and has saved a checkpoint."""


def require_number(what: str, value: float, step: int) -> None:
    """Raise FloatingPointError where `value` is NaN or infinite and the job wants a stop for it."""
    if STOP_ON != "never" and not math.isfinite(value):
        raise FloatingPointError(f"the {what} is {value} at step {step}: the training has diverged")


def sayable(value: Any) -> bool:
    """Whether JSON has a word for it: it has none for NaN and infinity."""
    return not isinstance(value, float) or math.isfinite(value)


class Losses:
    """The logged losses of a training, held against its start and its best."""

    def __init__(self) -> None:
        self.last: deque[float] = deque(maxlen=WINDOW)
        self.first: float | None = None
        self.best = math.inf

    def diverging(self, loss: float) -> bool:
        """Whether the mean of the last losses is above the first ones' and twice the best so far."""
        self.last.append(loss)
        if len(self.last) < WINDOW:
            return False
        mean = sum(self.last) / WINDOW
        self.first = mean if self.first is None else self.first
        self.best = min(self.best, mean)
        return mean > self.first and mean > 2 * self.best


class Reporter(TrainerCallback):
    """Writes events on the first process, and carries the wish to stop to all of them.

    `batch` is the number of samples in a micro batch of one process, where the arguments do not say it.
    """

    def __init__(self, batch: int | None = None) -> None:
        self.batch = batch
        self.wanted = False
        self.stopping = False
        self.begun = 0.0
        self.first_step = 0
        self.losses = Losses()
        self.diverging = False
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, number: int, frame: object) -> None:
        self.wanted = True

    def emit(self, state: Any, kind: str, **fields: Any) -> None:
        if state.is_world_process_zero:
            report(kind, **fields)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # transformers 5 takes how often to log, save and evaluate from a checkpoint's state, in silence.
        state.compute_steps(args, state.max_steps)
        self.begun, self.first_step = time.monotonic(), state.global_step
        if STOP_ON != "never":
            args.logging_nan_inf_filter = False  # it would log the mean of the steps before in place of NaN
        self.emit(
            state,
            "begin",
            total_steps=state.max_steps,
            epochs=args.num_train_epochs,
            world_size=args.world_size,
            resumed_from=state.global_step or None,
        )

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        logs = dict(logs or {})
        if "loss" in logs:
            self.judge(args, state, logs)
            self.emit(state, "step", **self.step(args, state, logs))
        elif any(key.startswith("eval_") for key in logs):
            self.emit(state, "evaluation", step=state.global_step, metrics=logs)

    def judge(self, args: Any, state: Any, logs: dict[str, Any]) -> None:
        """End a training whose loss is lost, on every process: they all are told the same figures."""
        loss = float(logs["loss"])
        require_number("loss", loss, state.global_step)
        # Half precision scales its loss: a gradient out of range is expected there and its step is skipped.
        if not args.fp16 and "grad_norm" in logs:
            require_number("norm of the gradients", float(logs["grad_norm"]), state.global_step)
        if self.losses.diverging(loss) and not self.diverging:
            self.diverging = True
            said = (
                f"the loss rises: {loss:.4g} at step {state.global_step}, over its start and twice its best, "
                f"{self.losses.best:.4g}"
            )
            if STOP_ON == "divergence":
                raise FloatingPointError(f"{said}: the training diverges")
            self.emit(state, "warning", message=said)

    def step(self, args: Any, state: Any, logs: dict[str, Any]) -> dict[str, Any]:
        elapsed = max(time.monotonic() - self.begun, 1e-9)
        done = state.global_step - self.first_step
        batch = self.batch or args.train_batch_size
        samples = done * batch * args.gradient_accumulation_steps * args.world_size
        tokens = state.num_input_tokens_seen
        return {
            "step": state.global_step,
            "total_steps": state.max_steps,
            "epoch": round(state.epoch or 0.0, 4),
            "loss": logs["loss"],
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "tokens_per_second": round(tokens / elapsed, 1) if tokens and not self.first_step else None,
            "samples_per_second": round(samples / elapsed, 3),
            "memory": memory(),
            "elapsed": round(elapsed, 3),
            "remaining": round(elapsed / max(done, 1) * (state.max_steps - state.global_step), 3),
        }

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        path = f"{args.output_dir}/checkpoint-{state.global_step}"
        self.emit(state, "checkpoint", step=state.global_step, path=path)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step < state.max_steps and self.agreed(args):
            self.stopping = True
            control.should_save = True
            control.should_training_stop = True

    def agreed(self, args: Any) -> bool:
        """Whether any process was asked to stop; all processes get the same answer at the same step."""
        wish = self.wanted or STOP.exists()
        if args.world_size == 1:
            return wish
        flag = torch.tensor(int(wish), device=args.device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.stopping:
            # The engine would go on to save the unfinished weights as if they were the result.
            self.emit(state, "stopped", step=state.global_step)
            raise Stopped


def memory() -> int:
    """The peak memory in bytes: of the GPU where there is one, else of this process (Linux counts KiB)."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
