"""What `ftctl train` shows while it follows a run: a bar, plain lines, or the events themselves."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from ftctl.events import Event
from ftctl.view.progress import Pace, duration, figures, remaining, sentence

if TYPE_CHECKING:
    from rich.console import Group
    from rich.progress import TaskID


class View(Protocol):
    """Shows events as they come; a context manager that leaves the terminal as it found it."""

    def show(self, event: Event) -> None: ...

    def __enter__(self) -> View: ...

    def __exit__(self, *reason: object) -> None: ...


def view_for(
    stream_is_terminal: bool,
    as_json: bool,
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> View:
    """The view that fits: events on standard output with --json, else a bar or lines on standard error.

    A terminal that cannot move its cursor (TERM=dumb) and a CI job get lines.
    """
    if as_json:
        return EventView(stream or sys.stdout)
    moves = environ.get("TERM") != "dumb" and not environ.get("CI")
    if stream_is_terminal and moves:
        return TerminalView(stream or sys.stderr)
    return LineView(stream or sys.stderr)


class EventView:
    """Every event as one line of JSON."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        self._stream.write(event.line() + "\n")
        self._stream.flush()

    def __enter__(self) -> EventView:
        return self

    def __exit__(self, *reason: object) -> None:
        return None


class LineView:
    """Plain lines for a log: steps at a pace that can be read, everything else as it comes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pace = Pace()

    def show(self, event: Event) -> None:
        if event.kind == "step" and not self._pace.due(event):
            return
        line = sentence(event)
        if line is not None:
            self._stream.write(line + "\n")
            self._stream.flush()

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *reason: object) -> None:
        return None


def _passing(event: Event) -> bool:
    """Whether a deployment's event says only how far it is; its parity stays on the terminal."""
    return event.data.get("state") == "starting" and "parity" not in event.data


class TerminalView:
    """A bar with the step, and under it the figures; what is worth keeping scrolls away above it."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.text import Text

        self._console = Console(file=stream, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[place]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            expand=True,
        )
        self._figures = Text("", style="dim", overflow="ellipsis", no_wrap=True)
        self._task: TaskID | None = None
        self._newest: Event | None = None  # the last step, until a frame shows it: many may come between two
        self._drawn = Group(self._bar, self._figures)
        # Two frames a second show that it lives and cost the training next to nothing.
        self._live = Live(
            get_renderable=self._frame, console=self._console, refresh_per_second=2, transient=True
        )

    def show(self, event: Event) -> None:
        if event.kind == "step":
            self._newest = event
            return
        self._step()
        if event.kind == "phase":
            self._phase(event)
        elif event.kind == "begin":
            self._update(total=event.data.get("total_steps"))
            self._print(event)
        elif event.kind == "deployment" and _passing(event):
            self._figures.plain = str(event.data.get("detail") or "")
        elif event.kind == "judging":
            self._judging(event)
        else:
            self._print(event)

    def _phase(self, event: Event) -> None:
        name, state = str(event.data.get("name", "")), event.data.get("state")
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self._figures.truncate(0)
        if state == "started":
            self._task = self._bar.add_task(name, total=None, place="", left="")
            begun = self._bar.tasks[-1]
            if begun.start_time is not None:  # who comes later sees the stage's own time
                begun.start_time -= max(0.0, time.time() - event.time)
            return
        seconds = event.data.get("seconds")
        took = f"  {duration(seconds)}" if isinstance(seconds, int | float) else ""
        mark, style = ("✓", "green") if state == "done" else ("✗", "red")
        self._console.print(f"{mark} {name}{took}", style=style, markup=False)

    def _frame(self) -> Group:
        self._step()
        return self._drawn

    def _step(self) -> None:
        event, self._newest = self._newest, None
        if event is None:
            return
        step, total = event.data.get("step", 0), event.data.get("total_steps")
        self._update(
            completed=step,
            total=total,
            place=f"{step}/{total}" if total else str(step),
            left=remaining(event.data),
        )
        self._figures.plain = " · ".join(figures(event.data))

    def _judging(self, event: Event) -> None:
        done, total = event.data.get("done"), event.data.get("total")
        self._figures.plain = str(event.data.get("detail") or "")
        if total:
            self._update(completed=done, total=total, place=f"{done}/{total}")

    def _update(self, **values: object) -> None:
        if self._task is None:
            self._task = self._bar.add_task("train", total=None, place="", left="")
        self._bar.update(self._task, **values)  # type: ignore[arg-type] # total, completed or our fields

    def _print(self, event: Event) -> None:
        line = sentence(event)
        if line is not None:
            self._console.print(line, style="yellow" if event.kind == "warning" else None, markup=False)

    def __enter__(self) -> TerminalView:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *reason: object) -> None:
        self._live.stop()
