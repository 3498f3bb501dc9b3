"""Runs and models side by side: figures, differences, what else differs, and the rows that changed most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ftctl.errors import shown_text
from ftctl.judge.compare import Compared
from ftctl.judge.comparing import Beside, Changed, Paired, names_of
from ftctl.judge.gate import Figure
from ftctl.judge.texts import Said
from ftctl.view.compared import shown
from ftctl.view.evaluated import number

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

WIDE = 60  # characters of a column of text where the output has no width of its own


def as_data(found: Compared) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "subjects": [
            {
                "name": one.name,
                "model": one.model,
                "run": None if one.state is None else one.state._asdict(),
                "test": None if one.measured is None else one.measured.test,
                "figures": {}
                if one.measured is None
                else _figures(one.measured.figures(one.measured.values)),
            }
            for one in found.subjects
        ],
        "beside_the_first": [_beside(one, found) for one in found.others],
        "differs": [
            {"section": section, "key": key, "values": values} for section, key, values in found.differs
        ],
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure._asdict() for name, figure in figures.items()}


def _beside(one: Beside, found: Compared) -> dict[str, Any]:
    paired = {
        name: {**value._asdict(), "difference": value.difference._asdict()}
        for name, value in one.paired.items()
    }
    at = found.others.index(one) + 1
    changed = [
        {
            **change._asdict(),
            "said": [
                None if (text := texts.get(change.row)) is None else text._asdict()
                for texts in (found.texts[0], found.texts[at])
            ],
        }
        for change in one.changed
    ]
    return {"name": one.name, "why": one.why or None, "paired": paired, "changed": changed}


def as_text(found: Compared) -> RenderableType:
    """Tables, one below the other."""
    from rich.console import Group

    parts: list[RenderableType] = [_measured(found), *map(_differences, found.others)]
    if found.differs:
        parts.append(_differing(found))
    for at, one in enumerate(found.others, 1):
        parts += [part for change in one.changed for part in _example(change, found, at)]
    return Group(*parts)


def _table(*heads: str, title: str = "") -> Table:
    from rich.table import Table

    drawn = Table(box=None, header_style="bold", pad_edge=False, title=_plain(title) if title else None)
    drawn.title_justify, drawn.title_style = "left", "bold"
    for column, head in enumerate(heads):
        drawn.add_column(_plain(head), overflow="fold", justify="left" if column == 0 else "right")
    return drawn


def _measured(found: Compared) -> Table:
    """A row for each figure, with its interval where there is one."""
    drawn = _table("", *(one.name for one in found.subjects))
    measured = [one.measured for one in found.subjects]
    whole = [{} if one is None else one.figures(one.values) for one in measured]
    for name in names_of([one for one in measured if one is not None]):
        drawn.add_row(name, *(_cell(figures.get(name)) for figures in whole))
    if not drawn.row_count:
        drawn.add_row("nothing was measured")
    return drawn


def _differences(one: Beside) -> RenderableType:
    """How one does beside the first."""
    if one.why:
        return _plain(f"\n{one.name}: {one.why}")
    drawn = _table("", "difference", "better", "worse", "the same", title=f"\n{one.name} beside the first")
    for name, paired in one.paired.items():
        drawn.add_row(name, *_counted(paired))
    return drawn


def _counted(paired: Paired) -> Iterator[str]:
    yield _cell(paired.difference, signed=True)
    for count in (paired.wins, paired.losses, paired.ties):
        yield "" if count is None else str(count)


def _cell(figure: Figure | None, *, signed: bool = False) -> str:
    if figure is None:
        return "-"
    value = number(figure.value, sign=signed)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{number(figure.low, sign=signed)}, {number(figure.high, sign=signed)}]"


def _differing(found: Compared) -> Table:
    drawn = _table("", *(one.name for one in found.subjects), title="\nhow they were made and how they went")
    for section, lines in groupby(found.differs, key=lambda line: line[0]):
        drawn.add_row(_plain(section, "bold"))
        for _, key, values in lines:
            drawn.add_row(_plain(f"  {key}"), *(_plain(shown(value, section)) for value in values))
    return drawn


def _example(change: Changed, found: Compared, at: int) -> Iterator[RenderableType]:
    """One row: the question, the reference, and the two answers side by side."""
    texts = [found.texts[place].get(change.row) for place in (0, at)]
    asked = next((text for text in texts if text is not None), Said(""))
    yield _plain(f"\n{change.row}  {change.metric} {change.first:.3g} → {change.other:.3g}", "bold")
    for name, text in (("asked", asked.question), ("wanted", asked.reference)):
        if text:
            yield _plain(f"{name}: {_lines(text)}")
    if any(text is not None and text.answer is not None for text in texts):
        drawn = _table()
        for one in (found.subjects[0], found.subjects[at]):
            drawn.add_column(_plain(one.name), overflow="fold", max_width=WIDE, ratio=1)
        drawn.add_row(*(_block(None if text is None else text.answer) for text in texts))
        yield drawn


def _block(text: str | None) -> Text:
    return _plain("-" if text is None else _lines(text) or ("(spaces)" if text else "(empty)"))


def _lines(text: str) -> str:
    """The text with its lines, and nothing in it that a terminal would act on."""
    return "\n".join(shown_text(line) for line in text.strip().splitlines())


def _plain(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style, overflow="fold")
