"""Write a report: the HTML page, the Markdown beside it, and the charts of the latter."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from ftctl import __version__
from ftctl.errors import UsageError
from ftctl.report.build import report
from ftctl.report.charts import draw, wanted
from ftctl.report.html import page
from ftctl.report.markdown import document
from ftctl.report.model import Report
from ftctl.report.records import read
from ftctl.run.directory import RunDir

HTML, MARKDOWN = ".html", ".md"
STYLE = Path(__file__).parent / "page.css"
NAME = "report"


@dataclass(frozen=True)
class Written:
    """The files of a report that was written, and what it says on top."""

    report: Report
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def targets(run: Path, output: Path | None) -> tuple[Path, ...]:
    """The files to write: both in the run's folder or in the folder `output`, or the one that it names.

    Raises UsageError where its ending is neither.
    """
    if output is None or output.is_dir() or not output.suffix:
        folder = run if output is None else output
        return (folder / f"{NAME}{HTML}", folder / f"{NAME}{MARKDOWN}")
    if output.suffix.lower() not in (HTML, MARKDOWN):
        raise UsageError(
            f"{output}: a report is HTML or Markdown", "name a file in .html or .md, or a folder"
        )
    return (output,)


def write(
    run: Path, files: Sequence[Path], python: Path | None, *, now: float, examples: int, home: str
) -> Written:
    """Write the report of the run in `run` to `files`; what is there already is replaced whole.

    `python` is the judge's interpreter, None: no charts are drawn; `now` is in seconds since the epoch.
    Raises UsageError where a file cannot be written, FtctlError where a chart cannot be drawn.
    """
    records = read(run, examples=examples)
    built = report(records, now=now, version=__version__, home=home)
    charts = [] if python is None else wanted(records)
    if python is None:
        built = replace(built, left_out=(*built.left_out, "charts (--no-charts)"))
    notes: list[str] = []
    written: list[Path] = []
    for file in files:
        with tempfile.TemporaryDirectory(prefix="ftctl-report-") as scratch:
            pictures: dict[str, Path] = {}
            if python is not None and charts:
                form = "inline" if file.suffix.lower() == HTML else "svg"
                pictures, told = draw(charts, form, Path(scratch), python)
                notes += told
            try:
                written += _put(built, file, pictures)
            except OSError as error:
                why = error.strerror or error
                raise UsageError(f"{file}: cannot be written: {why}", "choose another --output") from error
    return Written(built, tuple(written), tuple(dict.fromkeys(notes)))


def _put(built: Report, file: Path, pictures: Mapping[str, Path]) -> list[Path]:
    """Write one file, of Markdown its pictures before it; where they all are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    folder, texts = RunDir(file.parent), {name: path.read_text("utf-8") for name, path in pictures.items()}
    if file.suffix.lower() == HTML:
        folder.write(file.name, page(built, texts, STYLE.read_text("utf-8")))
        return [file]
    beside = f"{file.stem}-charts"
    paths = {name: f"{beside}/{name}.svg" for name in texts}
    for name, text in texts.items():
        folder.write(paths[name], text)
    links = {name: quote(path) for name, path in paths.items()}
    folder.write(file.name, document(built, links))
    return [file, *(file.parent / path for path in paths.values())]
