"""What the result was made by and of: versions and hashes."""

from __future__ import annotations

from pathlib import Path

from ftctl.report.model import Block, Facts, Section, Table
from ftctl.report.records import Records
from ftctl.report.words import moment


def origin(records: Records) -> Section | None:
    """The run, the versions of ftctl and the engines, and the hashes of data and result."""
    identity, state = records.identity, records.state
    rows = [("Run", f"{state.name} {state.id}"), ("Begun", moment(state.created))]
    if state.ended is not None:
        rows.append(("Ended", moment(state.ended)))
    rows.append(("ftctl", str(identity.get("ftctl", "unknown"))))
    for engine in identity.get("engines") or ():
        version = engine.get("version") or "of unknown version"
        rows.append((str(engine.get("name")), f"{version} ({engine.get('variant')})"))
    rows.append(("Folder", str(records.folder)))
    blocks: list[Block] = [Facts(tuple(rows)), *_hashes(records)]
    return Section("origin", "Versions and hashes", tuple(blocks), open=False)


def _hashes(records: Records) -> list[Block]:
    """A row for each file with its sha256."""
    rows = [
        ("data", Path(str(path)).name, str(sha)) for path, sha in (records.identity.get("data") or {}).items()
    ]
    artifact = records.artifact or {}
    rows += [("result", str(name), str(sha)) for name, sha in (artifact.get("hashes") or {}).items()]
    for name, answers in records.answers.items():
        rows += [
            (f"asked of {name}", Path(str(one.get("path", ""))).name, str(one.get("sha256", "")))
            for one in answers.request.get("data") or ()
            if isinstance(one, dict)
        ]
    if records.retrieval is not None:
        rows.append(("test", "held-out queries and passages", records.retrieval.test))
    return [Table(("of", "file", "sha256"), tuple(rows), exact=frozenset({1, 2}))] if rows else []
