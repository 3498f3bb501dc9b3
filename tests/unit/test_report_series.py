"""Curves of runs: joined through attempts, by step or by time, averaged and thinned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ftctl.errors import UsageError
from ftctl.events import Event
from ftctl.report.curves import CHARTS, request, shown
from ftctl.report.series import Series, clock, fitting_window, resumed_at, series, smoothed, thinned
from tests.reported import run_in, trained


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    trained(run, 40, resumed=True)
    events = tuple(run.events())
    loss, evaluation = series(events, "loss"), series(events, "eval_loss")
    assert loss is not None
    assert evaluation is not None
    assert loss.x == tuple(range(1, 41))
    assert loss.y == tuple(4.0 / step for step in range(1, 41))
    assert evaluation.x == (10, 20, 30, 40)
    assert resumed_at(events) == [20]


def test_time_counts_neither_pauses_nor_what_was_done_twice(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    trained(run, 40, resumed=True)  # 2 s a step; the second attempt began more than an hour later
    by_time = series(tuple(run.events()), "loss", "time")
    evaluation = series(tuple(run.events()), "eval_loss", "time")
    assert by_time is not None
    assert evaluation is not None
    assert by_time.x == tuple(2.0 * step for step in range(1, 41))
    assert evaluation.x == (20, 40, 60, 80)


def test_without_elapsed_the_events_own_times_are_taken() -> None:
    events = [
        Event("begin", 100.0, {}),
        Event("step", 103.0, {"step": 1, "loss": 1.0}),
        Event("attempt", 900.0, {"number": 2, "step": 1, "checkpoint": "c"}),
        Event("begin", 1000.0, {}),
        Event("step", 1004.0, {"step": 2, "loss": 1.0}),
    ]
    assert clock(events) == [(1, 3.0), (2, 7.0)]


def test_what_is_no_number_is_counted_and_not_drawn() -> None:
    losses = (2.0, math.nan, math.inf, "odd", True, None, 1.0)
    events = [Event("step", 1.0, {"step": at, "loss": loss}) for at, loss in enumerate(losses)]
    assert series(events, "loss") == Series("loss", (0.0, 6.0), (2.0, 1.0), lost=2)
    assert series(events, "memory") is None
    with pytest.raises(UsageError, match="choose one of: loss, eval_loss"):
        series(events, "lose")


def test_an_average_is_centred_and_its_ends_are_the_line_s_own() -> None:
    assert smoothed((1, 2, 6, 4, 5), 3) == (1, 3, 4, 5, 5)
    assert smoothed((1.0, 2.0), 1) == (1, 2)
    straight = tuple(float(at) for at in range(50))
    assert smoothed(straight, 7) == pytest.approx(straight)
    assert [fitting_window(points) for points in (99, 100, 300, 5000)] == [1, 3, 7, 101]


def test_thinning_keeps_ends_and_peaks() -> None:
    values = [math.sin(at / 500) for at in range(10_000)]
    values[7321], values[123] = 50.0, -50.0
    few = thinned(Series("loss", tuple(map(float, range(10_000))), tuple(values)), 600)
    assert len(few.x) <= 602
    assert {few.x[0], few.x[-1]} == {0, 9999}
    assert {50.0, -50.0} < set(few.y)
    assert list(few.x) == sorted(set(few.x))


def test_a_chart_has_the_line_its_average_and_where_it_was_taken_up_again(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    trained(run, 200, resumed=True)
    loss = request(tuple(run.events()), CHARTS[0])
    assert [(line["label"], line["style"]) for line in loss["lines"]] == [
        ("training", "faint"),
        ("mean of 5 points", "line"),
        ("evaluation", "points"),
    ]
    assert loss["marks"] == [100]
    memory = next(chart for chart in CHARTS if chart.name == "memory")
    assert shown(tuple(run.events()), memory)[0].y[0] == 1.0  # GiB
