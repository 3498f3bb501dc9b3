"""Draw curves as characters with plotext: terminal_chart.py REQUEST, a JSON file; the drawing is printed.

The request has `title`, `x_label`, `width` and `height` in characters, `colour` and `time` (whether x is
seconds, else steps), and `lines`, each with label, x and y.
"""

import json
import sys
from pathlib import Path
from typing import Any

import plotext

MARKER = "braille"  # eight dots a character: the finest of plotext 6
MARKS = "•+×o*#"  # tell lines apart where there are no colours
COLOURS = ("blue+", "orange", "green", "magenta+", "red+", "cyan+")


def main(path: str) -> None:
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    figure = plotext.figure
    figure.theme("simple" if request["colour"] else "colorless")
    figure.plot_size(request["width"], request["height"])
    for number, line in enumerate(request["lines"]):
        marker = mark(number, len(request["lines"]), colour=request["colour"])
        figure.draw(figure.signal(line["x"], line["y"], marker=marker).lines().label(line["label"]))
    figure.title(request["title"])
    figure.label(request["x_label"], "x")
    places = ticks([x for line in request["lines"] for x in line["x"]])
    say = clock if request["time"] else count
    figure.ruler("x").ticks(places, [say(place) for place in places])
    # Its place is inside the canvas, left of which the axis and its numbers stand.
    figure.legend(len(request["lines"]) > 1, x=request["width"] - 14, ha="right")
    figure.axes(active=False, axis="x", side="upper")
    figure.axes(active=False, axis="y", side="right")
    figure.show(colorless=not request["colour"])


def mark(number: int, lines: int, *, colour: bool) -> Any:
    """What a line is drawn with."""
    if colour:
        return plotext.marker(MARKER, COLOURS[number % len(COLOURS)])
    return MARKER if lines == 1 else MARKS[number % len(MARKS)]


def ticks(values: list[float]) -> list[float]:
    """Five places along the axis, its ends among them."""
    low, high = min(values), max(values)
    return [low + (high - low) * part / 4 for part in range(5)] if high > low else [low]


def count(value: float) -> str:
    return f"{value:,.0f}"


def clock(value: float) -> str:
    hours, rest = divmod(round(value), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


if __name__ == "__main__":
    main(sys.argv[1])
