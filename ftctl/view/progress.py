"""The figures of a run's events as words for people, and how often a log needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftctl.events import Event

MINUTE, HOUR = 60, 3600


def duration(seconds: float) -> str:
    """A span for people: `8.4 s`, `1:05` (minutes and seconds), `2:03:09`."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // HOUR, whole % HOUR // MINUTE, whole % MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """Bytes for people, in powers of 1024: `612 MiB`, `1.4 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


# One entry per figure of a `step` event, in the order in which they are shown.
_FIGURES: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("loss", lambda value: f"loss {value:.4f}"),
    ("learning_rate", lambda value: f"lr {value:.3g}"),
    ("grad_norm", lambda value: f"grad norm {value:.3g}"),
    ("tokens_per_second", lambda value: f"{value:,.0f} tokens/s"),
    ("samples_per_second", lambda value: f"{value:,.1f} samples/s"),
    ("memory", size),
)


def figures(data: Mapping[str, Any]) -> list[str]:
    """The figures that a `step` event has, each with its name or unit; samples/s only without tokens/s."""
    shown = [name for name, _ in _FIGURES if isinstance(data.get(name), int | float)]
    if "tokens_per_second" in shown and "samples_per_second" in shown:
        shown.remove("samples_per_second")
    return [text(data[name]) for name, text in _FIGURES if name in shown]


def remaining(data: Mapping[str, Any]) -> str:
    """`1:05 left`, or nothing where the event does not say."""
    seconds = data.get("remaining")
    return f"{duration(seconds)} left" if isinstance(seconds, int | float) else ""


def _step(data: Mapping[str, Any]) -> str:
    step, total = data.get("step", 0), data.get("total_steps")
    place = f"step {step}/{total} ({100 * step // total} %)" if total else f"step {step}"
    return "  ".join(part for part in (place, *figures(data), remaining(data)) if part)


def _begin(data: Mapping[str, Any]) -> str:
    parts = []
    if data.get("total_steps"):
        parts.append(f"{data['total_steps']} steps")
    if data.get("epochs"):
        parts.append(f"{data['epochs']:g} epochs")
    if (data.get("world_size") or 1) > 1:
        parts.append(f"{data['world_size']} processes")
    if data.get("resumed_from"):
        parts.append(f"resumed from {data['resumed_from']}")
    return "training: " + ", ".join(parts) if parts else "training"


def _phase(data: Mapping[str, Any]) -> str:
    seconds = data.get("seconds")
    took = f" in {duration(seconds)}" if isinstance(seconds, int | float) else ""
    return f"{data.get('name', '')}: {data.get('state', '')}{took}"


def _evaluation(data: Mapping[str, Any]) -> str:
    metrics = data.get("metrics") or {}
    shown = (f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
             for name, value in metrics.items())  # fmt: skip
    return f"evaluation at step {data.get('step', 0)}: " + ", ".join(shown)


def _deployment(data: Mapping[str, Any]) -> str:
    more = data.get("url") if data.get("state") != "starting" else data.get("detail")
    return "  ".join(str(part) for part in (f"{data.get('name', '')}: {data.get('state', '')}", more) if part)


def _attempt(data: Mapping[str, Any]) -> str:
    place = data.get("checkpoint")
    if place is None and "step" in data:
        place = "the beginning"
    return f"attempt {data.get('number', '')}: {data.get('phase', '')}" + (f" from {place}" if place else "")


def _restart(data: Mapping[str, Any]) -> str:
    if not data.get("again"):
        return f"not started again: {data.get('reason', '')}"
    place = f"{(data.get('used') or 0) + 1} of {data.get('allowed', '')}"
    return f"started again in {duration(data.get('wait') or 0)} ({place}): {data.get('reason', '')}"


def _set_aside(data: Mapping[str, Any]) -> str:
    return f"set aside: {data.get('path', '')}, now {data.get('to', '')}: {data.get('why', '')}"


def _judging(data: Mapping[str, Any]) -> str:
    what = data.get("detail") or f"{data.get('done', 0)} of {data.get('total', 0)}"
    return f"measuring {data.get('model', '')}: {what}"


def _verdict(data: Mapping[str, Any]) -> str:
    from ftctl.judge.model import label

    base, tuned = data.get("base") or {}, data.get("tuned") or {}
    if "answers" in data:
        return _evaluated(base, tuned, data)
    name = next(reversed(tuned), "")
    figure = f"{label(name)} {tuned.get(name, 0):.3f}"
    before = f", of the base model {base[name]:.3f}" if name in base else ""
    return f"measured on {data.get('queries', 0)} held-out queries: {figure}{before}"


def _evaluated(base: Mapping[str, Any], tuned: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """The first figure of a language model's answers, of its base too where that was evaluated."""
    from ftctl.view.evaluated import answers_line, number

    name = next(iter(tuned), "")
    before = f", of the base model {number(base[name])}" if name in base else ""
    figure = f": {name} {number(tuned[name])}{before}" if tuned else ""
    return f"{answers_line(data.get('answers') or {})}{figure}"


def _tracking(data: Mapping[str, Any]) -> str:
    return f"{data.get('tracker', '')}: {data.get('show') or data.get('place', '')}"


def _template(data: Mapping[str, Any]) -> str:
    """Whether a server will see what is trained, and what is done about it."""
    if data.get("state") == "written":
        return f"written to {data.get('path', '')}: {data.get('message', '')}"
    name, count = data.get("template"), data.get("conversations", 0)
    if data.get("state") == "same":
        return f"chat template: a server sees what is trained, the same tokens in {count} conversations"
    if data.get("state") == "rewritten":
        own = name or "what is trained"
        return f"chat template: the tokenizer's is not {own}; the result gets the right one"
    return f"warning: no chat template shows a server what {name or 'the engine'} trains"


def _note(data: Mapping[str, Any]) -> str:
    return f"note: {data.get('message', '')}; {data.get('remedy', '')} [{data.get('name', '')}]"


_LINES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "attempt": _attempt,
    "restart": _restart,
    "set_aside": _set_aside,
    "begin": _begin,
    "step": _step,
    "tracking": _tracking,
    "phase": _phase,
    "evaluation": _evaluation,
    "checkpoint": lambda data: f"checkpoint at step {data.get('step', 0)}: {data.get('path', '')}",
    "stopping": lambda data: "stopping at the next step, with a checkpoint",
    "stopped": lambda data: f"stopped at step {data.get('step', 0)}",
    "warning": lambda data: f"warning: {data.get('message', '')}",
    "note": _note,
    "data": lambda data: str(data.get("message", "")),
    "artifact": lambda data: f"verified {data.get('kind', '')}: {data.get('path', '')}",
    "deployment": _deployment,
    "template": _template,
    "judging": _judging,
    "verdict": _verdict,
}


def sentence(event: Event) -> str | None:
    """An event as one line; None for the kinds that the command itself reports (`run`) and unknown ones."""
    text = _LINES.get(event.kind)
    return text(event.data) if text else None


@dataclass
class Pace:
    """Which `step` events a log without a terminal gets.

    The first, the last, and between them one after 5 s or a tenth of the way; the wait grows with the
    run's age, so that a day of training leaves hundreds of lines and not tens of thousands.
    """

    first: float | None = field(default=None)
    last: float = 0.0
    share: float = 0.0

    def due(self, event: Event) -> bool:
        """Whether this step is shown; if so the count starts again from it. Times are the events' own."""
        step, total = event.data.get("step", 0), event.data.get("total_steps") or 0
        share = step / total if total else 0.0
        if self.first is None:
            self.first = event.time
        elif step != total:
            wait = max(5.0, (event.time - self.first) / 50)
            tenth = share - self.share >= 0.1 and wait == 5.0
            if event.time - self.last < wait and not tenth:
                return False
        self.last, self.share = event.time, share
        return True
