"""Draw charts with matplotlib: report_charts.py REQUEST, a JSON file.

The request has `out` (a folder), `form` (inline, svg or png) and `charts`, each a name with what is drawn:
`lines` (label, x, y, colour from 1, style line, faint or points), `marks` (places on the x axis), or `rows`
of figures with their intervals (label, and for each model value, low, high). For each chart a line of JSON
is printed: its name, its file, and notes.

An SVG keeps its text as text, so that the reader's own fonts draw it. One that is to stand inside a page
takes ink and colours from the page's style; a file has a style of its own, for light and for dark.
"""

import json
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

LIGHT = ("#1f5fa8", "#bb4d00", "#1d7a46", "#7b4aa3", "#a8324f", "#55606e")
DARK = ("#7fb4f0", "#f0a365", "#79c99a", "#c5a1e6", "#ef8ba3", "#a0a9b5")
INK, GRID, PAPER = "#010101", "#010102", "#010103"  # stand for what the style says
SERIES = tuple(f"#0102{number:02d}" for number in range(1, 7))
SHOWN = {INK: "#1b2027", GRID: "#dfe3e8", PAPER: "#ffffff", **dict(zip(SERIES, LIGHT, strict=True))}
SANS = 'system-ui, -apple-system, "Segoe UI", "Noto Sans CJK SC", "PingFang SC", "DejaVu Sans", sans-serif'
STEPS = [1, 2, 2.5, 5, 10]  # between ticks, whatever their size
SIZE = (5.3, 3.0)  # inches: text of 10 points stays readable where the chart is as wide as a phone


def style(form: str) -> dict[str, Any]:
    """matplotlib's settings: quiet axes, no frame."""
    ink, grid = (SHOWN[INK], SHOWN[GRID]) if form == "png" else (INK, GRID)
    return {
        "svg.fonttype": "none", "svg.hashsalt": "ftctl", "font.size": 10, "text.color": ink,
        "axes.edgecolor": grid, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink,
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.grid": True,
        "axes.grid.axis": "y", "grid.color": grid, "grid.linewidth": 0.8, "xtick.major.size": 0,
        "ytick.major.size": 0, "xtick.major.pad": 6, "ytick.major.pad": 6, "legend.frameon": False,
        "legend.handlelength": 1.4, "legend.fontsize": 9.5, "lines.linewidth": 1.7,
        "lines.solid_capstyle": "round", "lines.solid_joinstyle": "round", "figure.dpi": 160,
        "axes.unicode_minus": True, "axes.xmargin": 0.02,
    }  # fmt: skip


def main(path: str) -> None:
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    form, out = request["form"], Path(request["out"])
    for chart in request["charts"]:
        with warnings.catch_warnings(), matplotlib.rc_context(style(form)):
            # Of glyphs that matplotlib's font lacks: an SVG's text is drawn by the reader's fonts.
            warnings.simplefilter("ignore", UserWarning)
            told = drawn(chart, form, out)
        print(json.dumps({"name": chart["name"], **told}), flush=True)


def drawn(chart: dict[str, Any], form: str, out: Path) -> dict[str, Any]:
    """Draw one chart into its file; which file, and what is to be said of it."""
    notes = fonts_for(chart) if form == "png" else []
    figure = Figure(figsize=tuple(chart.get("size", SIZE)), layout="constrained")
    axes = figure.add_subplot()
    if form != "inline":
        figure.get_layout_engine().set(w_pad=0.14, h_pad=0.14)
    if "rows" in chart:
        draw_rows(axes, chart, form)
    else:
        draw_lines(axes, chart, form)
    lines = legend(axes, chart)
    if chart.get("title"):
        axes.set_title(chart["title"], loc="left", fontsize=11, fontweight="semibold", pad=12 + 15 * lines)
    if form == "png":
        file = out / f"{chart['name']}.png"
        figure.savefig(file, facecolor=SHOWN[PAPER])
        return {"file": str(file), "notes": notes}
    file = out / f"{chart['name']}.svg"
    empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, transparent=True, metadata=empty)
    file.write_text(mended(file.read_text(encoding="utf-8"), chart, form), encoding="utf-8")
    return {"file": str(file), "notes": notes}


def legend(axes: Axes, chart: dict[str, Any]) -> int:
    """Name the lines above the axes, where there are several to tell apart; how many lines that takes."""
    labels = axes.get_legend_handles_labels()[1]
    if len(labels) < 2:
        return 0
    wide = chart.get("size", SIZE)[0] * 16  # characters
    columns = max(1, min(len(labels), int(wide // (max(map(len, labels)) + 6))))
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, borderaxespad=0, columnspacing=1.4
    )
    return -(-len(labels) // columns)


def draw_lines(axes: Axes, chart: dict[str, Any], form: str) -> None:
    for place in chart.get("marks", ()):
        axes.axvline(place, color=colour(6, form), linewidth=1, dashes=(2, 3), zorder=1)
    for line in chart["lines"]:
        ink = colour(line["colour"], form)
        if line["style"] == "points":
            axes.plot(line["x"], line["y"], "-o", color=ink, markersize=4, linewidth=1.2, label=line["label"])
        elif line["style"] == "faint":
            axes.plot(line["x"], line["y"], color=ink, linewidth=1, alpha=0.3, label=line["label"])
        elif len(line["x"]) == 1:
            axes.plot(line["x"], line["y"], "o", color=ink, markersize=5, label=line["label"])
        else:
            axes.plot(line["x"], line["y"], color=ink, label=line["label"], clip_on=False)
    if chart.get("log"):
        axes.set_yscale("log")
    elif chart.get("zero"):
        axes.set_ylim(bottom=0)
    axes.set_xlabel(chart["x_label"], loc="right")
    axes.xaxis.set_major_formatter(FuncFormatter(clock if chart.get("time") else whole))
    axes.xaxis.set_major_locator(
        moments(axes) if chart.get("time") else MaxNLocator(6, integer=True, min_n_ticks=2, steps=STEPS)
    )
    if not chart.get("log"):
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(short))


def draw_rows(axes: Axes, chart: dict[str, Any], form: str) -> None:
    """A row for each figure: a point for each model, and its interval as a line."""
    rows = chart["rows"][::-1]
    names = list(dict.fromkeys(model["model"] for row in rows for model in row["models"]))
    for number, row in enumerate(rows):
        for model in row["models"]:
            at = names.index(model["model"])
            y = number - 0.13 * (2 * at - len(names) + 1)
            ink = colour((6, 1, 2, 3, 4, 5)[at % 6], form)
            if model.get("low") is not None and model.get("high") is not None:
                axes.plot([model["low"], model["high"]], [y, y], color=ink, linewidth=2.2, alpha=0.45)
            label = model["model"] if number == len(rows) - 1 else None
            axes.plot([model["value"]], [y], "o", color=ink, markersize=6, linestyle="none", label=label)
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))


def colour(number: int, form: str) -> str:
    ink = SERIES[(number - 1) % len(SERIES)]
    return SHOWN[ink] if form == "png" else ink


def whole(value: float, _: object) -> str:
    return f"{value:,.0f}"


def short(value: float, _: object) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}".replace("e-0", "e-").replace("-", "−")


def moments(axes: Axes) -> MultipleLocator:
    """Ticks that are round as times, at most seven."""
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    fitting = (
        step for unit in (1, 60, 3600) for one in (1, 2, 5, 10, 15, 30) if span / (step := one * unit) <= 6
    )
    return MultipleLocator(next(fitting, 24 * 3600 * max(1, round(span / 6 / 24 / 3600))))


def clock(value: float, _: object) -> str:
    hours, rest = divmod(round(value), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def mended(text: str, chart: dict[str, Any], form: str) -> str:
    """The SVG element alone: colours by style, names of its own, as wide as its place."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', lambda found: opening(found[1], chart, form), text, count=1
    )
    name = re.sub(r"\W", "-", chart["name"])
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{name}-", text)
    for stand_in, shown in variables().items():
        text = text.replace(stand_in, shown)
    return text.strip() + "\n"


def opening(box: str, chart: dict[str, Any], form: str) -> str:
    about = chart.get("about") or chart["name"]
    escaped = about.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    # The namespaces are names that XML wants in a file; a page needs none.
    space = (
        ""
        if form == "inline"
        else ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    )
    head = f'<svg{space} viewBox="{box}" role="img" aria-label="{escaped}">'
    return head if form == "inline" else f"{head}\n{own_style(box)}"


def own_style(box: str) -> str:
    def rules(ink: str, grid: str, paper: str, series: Iterable[str]) -> str:
        named = "".join(f"--series-{number}:{one};" for number, one in enumerate(series, 1))
        return f"svg{{color:{ink};--line:{grid};--paper:{paper};{named}}}"

    light = rules(SHOWN[INK], SHOWN[GRID], SHOWN[PAPER], LIGHT)
    dark = rules("#e4e7eb", "#2c323a", "#101317", DARK)
    _, _, width, height = box.split()
    return (
        f"<style>{light}text{{font-family:{SANS} !important}}"
        f"@media (prefers-color-scheme:dark){{{dark}}}</style>\n"
        f'<rect width="{width}" height="{height}" style="fill:var(--paper)"/>'
    )


def variables() -> dict[str, str]:
    series = {one: f"var(--series-{number})" for number, one in enumerate(SERIES, 1)}
    return {INK: "currentColor", GRID: "var(--line)", PAPER: "var(--paper)", **series}


def fonts_for(chart: dict[str, Any]) -> list[str]:
    """Choose among the installed fonts those that have the chart's characters; what none has is told."""
    wanted = {char for text in texts(chart) for char in text if ord(char) > 0x2FF}
    chosen: list[str] = []
    for font in sorted(font_manager.fontManager.ttflist, key=lambda font: (font.weight != 400, font.name)):
        if not wanted:
            break
        if "Last Resort" in font.name:  # it has a box for every character
            continue
        has = {char for char in wanted if ord(char) in charmap(font.fname)}
        if has:
            chosen.append(font.name)
            wanted -= has
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", *chosen]
    if not wanted:
        return []
    lacking = "".join(sorted(wanted)[:10])
    return [f"no installed font has {lacking}: they are boxes here and text in an SVG"]


def charmap(path: str) -> dict[int, int]:
    if path not in _CHARMAPS:
        try:
            _CHARMAPS[path] = FT2Font(path).get_charmap()
        except (OSError, RuntimeError):
            _CHARMAPS[path] = {}
    return _CHARMAPS[path]


_CHARMAPS: dict[str, dict[int, int]] = {}


def texts(chart: dict[str, Any]) -> Iterable[str]:
    yield from (chart.get("title", ""), chart.get("x_label", ""))
    yield from (line["label"] or "" for line in chart.get("lines", ()))
    for row in chart.get("rows", ()):
        yield row["label"]
        yield from (model["model"] for model in row["models"])


if __name__ == "__main__":
    main(sys.argv[1])
