"""What a run's events look like to people and to programs."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from ftctl.events import Event
from ftctl.view.follow_view import EventView, LineView, TerminalView, view_for
from ftctl.view.progress import Pace, duration, figures, sentence, size

STEP = {
    "step": 30,
    "total_steps": 90,
    "loss": 2.34151,
    "learning_rate": 9.8e-5,
    "grad_norm": 1.2345,
    "tokens_per_second": 4512.3,
    "samples_per_second": 31.4,
    "memory": 612 * 1024 * 1024,
    "remaining": 65.0,
}


def step(number: int, total: int, at: float) -> Event:
    return Event("step", at, {"step": number, "total_steps": total, "loss": 1.0})


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0.0 s"), (8.44, "8.4 s"), (65, "1:05"), (59.96, "60.0 s"), (7389, "2:03:09")]
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (2048, "2 KiB"), (612 * 2**20, "612 MiB"), (3 * 2**29, "1.5 GiB")]
)
def test_a_size_names_its_unit(count: int, shown: str) -> None:
    assert size(count) == shown


def test_a_step_shows_every_figure_once() -> None:
    assert sentence(Event("step", 0.0, STEP)) == (
        "step 30/90 (33 %)  loss 2.3415  lr 9.8e-05  grad norm 1.23  4,512 tokens/s  612 MiB  1:05 left"
    )


def test_samples_stand_in_for_tokens_and_missing_figures_are_left_out() -> None:
    assert figures({"samples_per_second": 31.42, "loss": None}) == ["31.4 samples/s"]
    assert sentence(Event("step", 0.0, {"step": 3})) == "step 3"


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("begin", {"total_steps": 90, "epochs": 3.0, "world_size": 1}, "training: 90 steps, 3 epochs"),
        ("begin", {}, "training"),
        (
            "begin",
            {"total_steps": 9, "world_size": 2, "resumed_from": "checkpoint-4"},
            "training: 9 steps, 2 processes, resumed from checkpoint-4",
        ),
        ("phase", {"name": "merge", "state": "done", "seconds": 3.21}, "merge: done in 3.2 s"),
        ("phase", {"name": "merge", "state": "started"}, "merge: started"),
        (
            "evaluation",
            {"step": 9, "metrics": {"eval_loss": 1.23456, "rows": 4}},
            "evaluation at step 9: eval_loss 1.235, rows 4",
        ),
        (
            "checkpoint",
            {"step": 9, "path": "output/checkpoint-9"},
            "checkpoint at step 9: output/checkpoint-9",
        ),
        ("warning", {"message": "[odd] rows"}, "warning: [odd] rows"),
        ("deployment", {"name": "demo", "state": "healthy", "url": None}, "demo: healthy"),
        (
            "deployment",
            {"name": "demo", "state": "ready", "url": "http://x", "detail": "up"},
            "demo: ready  http://x",
        ),
        (
            "deployment",
            {"name": "demo", "state": "starting", "detail": "importing"},
            "demo: starting  importing",
        ),
    ],
)
def test_each_kind_has_its_sentence(kind: str, data: dict[str, object], shown: str) -> None:
    assert sentence(Event(kind, 0.0, data)) == shown


def test_the_end_of_a_run_is_left_to_the_command() -> None:
    assert sentence(Event("run", 0.0, {"state": "done"})) is None
    assert sentence(Event("from a later version", 0.0)) is None


def test_a_short_run_logs_about_ten_steps() -> None:
    pace = Pace()
    shown = [number for number in range(1, 101) if pace.due(step(number, 100, number * 0.1))]
    assert shown[0] == 1
    assert shown[-1] == 100
    assert 10 <= len(shown) <= 13


def test_a_long_run_logs_every_few_seconds_first_and_seldom_later() -> None:
    pace = Pace()
    total = 10 * 3600
    shown = [number for number in range(1, total + 1) if pace.due(step(number, total, float(number)))]
    assert shown[:3] == [1, 6, 11]
    assert shown[-1] == total
    assert 100 < len(shown) < 500


def test_without_a_total_the_time_decides() -> None:
    pace = Pace()
    assert [pace.due(step(number, 0, float(number))) for number in range(1, 8)] == [True] + [False] * 4 + [
        True,
        False,
    ]


def test_the_view_fits_the_stream() -> None:
    stream = io.StringIO()
    assert isinstance(view_for(True, True, stream=stream, environ={}), EventView)
    assert isinstance(view_for(False, False, stream=stream, environ={}), LineView)
    assert isinstance(view_for(True, False, stream=stream, environ={}), TerminalView)
    assert isinstance(view_for(True, False, stream=stream, environ={"TERM": "dumb"}), LineView)
    assert isinstance(view_for(True, False, stream=stream, environ={"CI": "true"}), LineView)


def test_with_json_each_event_is_a_line() -> None:
    stream = io.StringIO()
    with view_for(False, True, stream=stream) as view:
        view.show(Event("run", 1.0, {"state": "started"}))
        view.show(Event("step", 2.0, STEP))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["run", "step"]
    assert lines[1]["loss"] == STEP["loss"]


def test_lines_keep_every_evaluation_and_checkpoint() -> None:
    stream = io.StringIO()
    with view_for(False, False, stream=stream) as view:
        for number in range(1, 21):
            view.show(step(number, 1000, number * 0.01))
            view.show(Event("checkpoint", number * 0.01, {"step": number, "path": f"c-{number}"}))
    lines = stream.getvalue().splitlines()
    assert len([line for line in lines if line.startswith("checkpoint")]) == 20
    assert len([line for line in lines if line.startswith("step")]) == 1
    assert "\x1b" not in stream.getvalue()


SHOW = """
import sys
from ftctl.events import Event
from ftctl.view.follow_view import view_for
with view_for(sys.stderr.isatty(), False) as view:
    view.show(Event("phase", 1.0, {"name": "train", "state": "started"}))
    view.show(Event("begin", 1.0, {"total_steps": 90}))
    view.show(Event("step", 2.0, {"step": 30, "total_steps": 90, "loss": 2.34151, "remaining": 65}))
    view.show(Event("warning", 2.0, {"message": "[red]not markup[/red]"}))
    view._live.refresh()
    view.show(Event("phase", 9.0, {"name": "train", "state": "done", "seconds": 8.0}))
"""


def on_a_terminal(environment: dict[str, str]) -> str:
    """What the program above writes to a terminal of 80 columns."""
    main, side = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", SHOW],
        stderr=side,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "CI": "", **environment},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # Linux answers EIO when the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert child.wait(30) == 0
    return shown.decode()


def test_a_terminal_gets_a_bar_with_figures() -> None:
    shown = on_a_terminal({"NO_COLOR": ""})
    for part in ("30/90", "1:05 left", "loss 2.3415", "✓ train  8.0 s", "[red]not markup[/red]"):
        assert part in shown
    assert "\x1b[32m" in shown


def test_no_color_is_respected() -> None:
    shown = on_a_terminal({"NO_COLOR": "1"})
    assert "30/90" in shown
    assert "\x1b[32m" not in shown
    assert "\x1b[33m" not in shown
