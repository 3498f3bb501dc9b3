"""The page of advice, made from the table: `python -m ftctl.advice.reference` writes `docs/advice.md`."""

from __future__ import annotations

from pathlib import Path

from ftctl.advice.plan import LOOKS
from ftctl.advice.table import NOTES, Note

_HEAD = """\
<!-- Made from ftctl/advice by `python -m ftctl.advice.reference`; do not edit. -->
# Advice

What guides to fine-tuning have in common, said where a job or a training is outside of it: {count} notes.
A note refuses nothing and changes no exit code, and `--strict` leaves it alone: guides give starting points,
and a task may ask for something else. Each says what was seen, why it matters, who says so and what to try.

`ftctl validate` and `plan`, and `train` before it begins, tell what they see in the job (`--json`: `notes`;
`--format github`: notices; `--format sarif`: the level `note`). While it trains, `train` and `watch` tell
what they see in the curves, each note once, as an event `note`, and name it again at the end.

A job silences a note by its name, as it silences a rule of an engine; `validate` then names it, and nothing
else speaks of it:

```yaml
silence: [epochs-many]
```

Whether a model is an instruct or a base model is known by its name (`-Instruct`, `-it`, `-Chat`; `-Base`,
`-pt`), or by a local folder without a chat template, which is a base model's; where neither says so, nothing
is said. How many parameters it has is known from a local folder, else by its name (`8B`). Embedders and
rerankers have their own practice ([retrieval](retrieval.md)), and none of these notes is about them.

"""


def reference() -> str:
    """The whole page as Markdown."""
    plan = [note for note in NOTES if note.name in LOOKS]
    course = [note for note in NOTES if note.name not in LOOKS]
    parts = [
        _HEAD.format(count=len(NOTES)),
        *_part("Of a job", plan),
        *_part("Of a training", course),
        *_sources(),
    ]
    return "".join(parts)


def _part(title: str, notes: list[Note]) -> list[str]:
    head = f"## {title}\n\n| note | told when | because | what to try | sources |\n|---|---|---|---|---|\n"
    return [head, *(_row(note) for note in notes), "\n"]


def _row(note: Note) -> str:
    sources = ", ".join(f"[{source.short}]({source.address})" for source in note.sources)
    cells = (f"`{note.name}`", note.when, note.reason, note.remedy, sources)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _sources() -> list[str]:
    """Every source once, in the order of the table."""
    found = dict.fromkeys(source for note in NOTES for source in note.sources)
    return ["## Sources\n\n", *(f"- {source.title}: <{source.address}>\n" for source in found)]


if __name__ == "__main__":
    from ftctl.paths import bundled

    page = bundled("schemas").parent / "docs" / "advice.md"
    page.write_text(reference(), encoding="utf-8")
    print(f"wrote {Path(page)}")
