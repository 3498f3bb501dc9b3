"""The page of all rules, made from the table: `python -m ftctl.rules.reference` writes `docs/rules.md`."""

from __future__ import annotations

import re
from pathlib import Path

from ftctl.rules.book import Book
from ftctl.rules.rule import Rule
from ftctl.rules.table import all_rules, books

_HEAD = """\
<!-- Made from ftctl/rules by `python -m ftctl.rules.reference`; do not edit. -->
# The engines' rules

What the engines refuse between their arguments, or accept and do otherwise: {count} rules.
They look at what `ftctl render` would write, and the message points to the line of the job that says it.

A rule is an **error** or a *warning*. `--strict` on `validate`, `plan` and `train` makes warnings errors. A
job silences a rule by its name; `validate` then names it, and `plan` and `train` show what it would say:

```yaml
silence: [template-literal]
```

The last column says who finds it without ftctl. **parser**: the engine's parser, after 10 to 40 seconds of
imports; a test proves that it does. **later, proved**: the engine, while it loads the model or trains; a test
runs that too. **later, not proved here**: the proof needs what is named. **silent**: nobody. **gpu**: the
engine, on a machine with a GPU or without one.
"""


def reference() -> str:
    """The whole page as Markdown."""
    lines = [_HEAD.format(count=len(all_rules()))]
    for book in books():
        lines += [f"## {book.title} {book.version}\n", f"{len(book.rules)} rules.\n"]
        for group, rules in book.groups.items():
            lines += [f"### {group}\n", "| rule | wrong when | because | way out | source | found by |",
                      "|---|---|---|---|---|---|"]  # fmt: skip
            lines += [*(_row(rule, book) for rule in rules), ""]
    return "\n".join(lines)


def _row(rule: Rule, book: Book) -> str:
    mark = "**" if rule.severity == "error" else "*"
    because = f"`{rule.about[0]}` {rule.message}" if rule.each is None else f"it {rule.message}"
    wrong = _where(rule, book) + rule.broken.says
    cells = (f"{mark}{rule.name}{mark}", wrong, _named(because), _named(rule.remedy), f"`{rule.source}`",
             _found_by(rule))  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _where(rule: Rule, book: Book) -> str:
    """The programs of a rule that holds for several but not for all, a whole family as one."""
    held = {command for command in book.bases if rule.speaks_of(command)}
    if held == set(book.bases) or not any(one.also for one in book.rules):
        return ""
    said: list[str] = []
    for family in sorted({command.partition(".")[0] for command in held}):
        members = {command for command in book.bases if command.startswith(f"{family}.")}
        said += [f"{family}.*"] if members <= held else sorted(members & held)
    return f"{', '.join(f'`{program}`' for program in said)}: "


def _found_by(rule: Rule) -> str:
    if rule.proof != "later":
        return rule.proof
    return f"later, not proved here: needs {rule.unproved}" if rule.unproved else "later, proved"


def _named(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"`\1`", text)


if __name__ == "__main__":
    from ftctl.paths import bundled

    page = bundled("schemas").parent / "docs" / "rules.md"
    page.write_text(reference(), encoding="utf-8")
    print(f"wrote {Path(page)}")
