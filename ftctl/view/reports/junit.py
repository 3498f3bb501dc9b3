"""For test reports: JUnit's XML, one test case a file."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from ftctl.view.reports.model import Checked, Report, counted_all

# What XML 1.0 (section 2.2) has no way to hold, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report, base: Path) -> str:
    """A suite of the files that were checked; a bad file is one failure that lists its problems."""
    bad = len(report.files) - len(report.valid)
    counts = f'tests="{len(report.files)}" failures="{bad}" errors="0"'
    cases = "".join(map(_case, report.files))
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    suite = f'  <testsuite name="ftctl validate" {counts} skipped="0">\n{cases}  </testsuite>\n'
    return f'{head}<testsuites name="ftctl" {counts}>\n{suite}</testsuites>\n'


def _case(file: Checked) -> str:
    opening = f'    <testcase classname="ftctl.validate" name={_attribute(file.file)}'
    if not file.problems and not file.notes:
        return f"{opening}/>\n"
    lines = escape(_clean("\n".join(map(str, (*file.problems, *file.notes)))))
    if file.valid:
        return f"{opening}>\n      <system-out>{lines}</system-out>\n    </testcase>\n"
    message = _attribute(counted_all(file.problems))
    failure = f'      <failure message={message} type="JobError">{lines}</failure>\n'
    return f"{opening}>\n{failure}    </testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text), {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
