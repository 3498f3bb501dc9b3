"""Events: what happened in a run or a deployment, one JSON object a line.

Every event has `time` (seconds since the epoch) and `event` (its kind). The kinds and their fields:

- `run` state(started|done|failed|stopped) and, at an end, exit_code, message, remedy; where an engine failed
  also diagnosis (a name of docs/troubleshooting.md, or unknown) and may_pass (another try may get through)
- `phase` name(convert|train|merge|reference|collect|judge base|evaluate base|serve|judge|evaluate),
  state(started|done|failed), seconds
- `attempt` number, after (the state that the one before ended in), phase: the run goes on there; set,
  where the job was changed; restart (counted from 1), where the run goes on by itself; of a training also
  step and, where it goes on from one, checkpoint. Steps after `step` that stand before this event are
  superseded (`run/curve.py`)
- `set_aside` path, to, why: a checkpoint that is not whole, or an output without one
- `restart` again(true|false), reason, wait (seconds), used, allowed: what is done about a failure; phase,
  code, step: where it happened
- `data` message: what a conversion wrote of one file, or what became of odd rows in it
- `begin` total_steps, epochs, world_size, resumed_from: training is about to take its first step
- `step` step, total_steps, epoch, loss, learning_rate, grad_norm, tokens_per_second,
  samples_per_second, memory (bytes), elapsed, remaining (seconds)
- `tracking` tracker, place (a folder or an address), show: the command that shows it, where one does
- `evaluation` step, metrics
- `checkpoint` step, path (relative to the run directory)
- `template` state(same|rewritten|unlike), template (null: made of the model's own chat template),
  conversations: whether the tokenizer's chat template gives a server the token ids that are trained, another
  one does that the result will get, or none; state written, path, message: a file of the result was mended
- `stopping`, and `stopped` with step
- `warning` message
- `note` name, message, remedy, reason, sources: advice (docs/advice.md) that the curves call for, each once
- `artifact` kind, path
- `deployment` name, state, detail, elapsed, url, model; of what was trained also parity (measure, figure,
  count, note, differs). In a deployment's own folder its keeper adds unhealthy, running (again), restarting
  (wait, used, allowed), failed (remedy), stopped, and kept: another keeper has taken over
- `judging` model(base|tuned), and done, total (texts or pairs), or detail: a measurement through the endpoint
- `verdict` queries, passages, base (its figures, or null), tuned, difference, note; of a language model
  answers (asked, answered, errors, empty, cut), base, tuned, difference, figures (with intervals), notes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One thing that happened. `time` is in seconds since the epoch."""

    kind: str
    time: float
    data: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The event as one line of JSON, without a newline."""
        return json.dumps({"time": round(self.time, 3), "event": self.kind, **self.data}, ensure_ascii=False)


def parse(line: str) -> Event | None:
    """The event on a line; None for a line that is not one (cut short by a kill, say)."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("event"), str):
        return None
    kind, time = value.pop("event"), value.pop("time", 0.0)
    return Event(kind, float(time), value) if isinstance(time, int | float) else None
