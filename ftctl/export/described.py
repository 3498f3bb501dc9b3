"""What a model card tells of a run, gathered from its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftctl import __version__
from ftctl.artifacts.chat_template import TRAINED
from ftctl.export.card import Card, DataFile
from ftctl.export.scrubbed import job_of, text
from ftctl.export.source import Source
from ftctl.judge.model import Evaluation, table_of
from ftctl.record import from_record

MEASURES = ("eval_loss", "eval_accuracy", "epoch")


def card_of(source: Source, form: str, notes: tuple[str, ...] = ()) -> Card:
    """The card of an export of this form. The versions are those that trained, and ftctl's that exports."""
    plan, job = source.plan, source.plan.job
    base = job.model.path
    return Card(
        name=source.name,
        form=form,
        run=source.run.path.name,
        task=job.train.task if job.train is not None else "",
        method=plan.method or "",
        base=base if not job.model.local else base.rstrip("/").rpartition("/")[2],
        base_on_hub=not job.model.local and job.model.hub == "huggingface",
        job=job_of(job, plan.method),
        choices=[(one.key, text(one.value)) for one in plan.choices if one.key.startswith("train.")],
        data=list(_data(source)),
        metrics=_metrics(source),
        versions=_versions(source),
        figures=_figures(source),
        template=source.run.read_json(TRAINED),
        notes=notes,
    )


def _data(source: Source) -> Iterator[DataFile]:
    facts = source.plan.facts
    for use, files in (("training", facts.train_data), ("evaluation", facts.eval_data)):
        for file in files:
            yield DataFile(file.path.name, use, file.format, file.rows, file.sha256)


def _metrics(source: Source) -> dict[str, Any]:
    """The last step and loss, and the figures of the last evaluation."""
    last = source.run.newest("evaluation", having="metrics")
    measured: Mapping[str, Any] = (last.data.get("metrics") or {}) if last is not None else {}
    told = {"steps": source.state.step, "final training loss": source.state.loss}
    return told | {name: measured.get(name) for name in MEASURES}


def _figures(source: Source) -> list[tuple[str, ...]]:
    record = source.run.read_json("evaluation.json")
    if record is None:
        return []
    columns, rows = table_of(from_record(Evaluation, record))
    return [columns, *rows] if rows else []


def _versions(source: Source) -> dict[str, str]:
    record = source.run.read_json("run.json") or {}
    engine = source.plan.facts.trainer
    found = {"ftctl, trained with": str(record.get("ftctl") or "?"), "ftctl, exported with": __version__}
    if engine is not None:
        found[engine.name] = engine.version or "of the user's own environment"
    return found
