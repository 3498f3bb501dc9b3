"""The bytes of a job file as text, and what a YAML parser says of it in our words."""

from __future__ import annotations

import re

import yaml

from ftctl.errors import JobError, Problem, of_kind
from ftctl.job.node import Path, Place, problem

MAX_BYTES = 1024 * 1024
PURE_BYTES = 64 * 1024

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode(data: bytes, source: str) -> str:
    """The text of a file. Raises JobError: too large, not UTF-8, or with characters YAML forbids."""
    if len(data) > MAX_BYTES:
        size = f"{len(data) / MAX_BYTES:.1f} MiB"
        raise refuse(
            Place(source), f"the file has {size}, more than 1 MiB", "a job file is short: is it data?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"the file is not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise refuse(Place(source, line, column), message, "save it as UTF-8") from None
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        message = f"the file holds the control character U+{ord(found[0]):04X}"
        raise refuse(Place(source, line, column), message, "remove it; is this a text file?")
    return text


def refuse(place: Place, message: str, remedy: str = "", path: Path = ()) -> JobError:
    """A JobError of one problem."""
    return JobError(of_kind("yaml", [problem(place, path, message, remedy)]))


def syntax(error: yaml.YAMLError, text: str, source: str) -> Problem:
    """A parser's complaint in our words."""
    if len(text) <= PURE_BYTES:
        error = _pure_error(text) or error
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = str(getattr(error, "problem", None) or error).split("\n")[0]
    if mark is None:
        return problem(Place(source), (), f"this is not YAML: {what}")
    lines = text.splitlines() or [""]
    line = lines[min(mark.line, len(lines) - 1)]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        place = Place(source, mark.line + 1, line.index("\t") + 1)
        return problem(place, (), "the line is indented with a tab", "YAML wants spaces")
    if "'\\t'" in what:
        place = Place(source, mark.line + 1, mark.column + 1)
        return problem(place, (), "a tab stands where a value begins", "YAML wants spaces")
    begun = getattr(error, "context_mark", None)
    if begun is not None and begun.line != mark.line:
        what += f" ({error.context}, which begins in line {begun.line + 1})"  # type: ignore[attr-defined] # MarkedYAMLError has it
    remedy = "check the indentation and the quotes of this line and the one before"
    if "${" in line:
        remedy = 'between { } and [ ] a reference stands in quotes: "${env:NAME}"'
    place = Place(source, mark.line + 1, mark.column + 1)
    return problem(place, (), f"this is not YAML: {what}", remedy)


def _pure_error(text: str) -> yaml.YAMLError | None:
    """What the pure parser says: it names more than libyaml, and so both give one message."""
    try:
        for _ in yaml.parse(text, Loader=yaml.BaseLoader):
            pass
    except yaml.YAMLError as error:
        return error
    return None
