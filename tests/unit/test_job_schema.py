"""The schema is sound, explains every key, and agrees with the values that a job becomes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftctl.job import model, training
from ftctl.job.later import LATER
from ftctl.job.load import job_schema
from ftctl.job.reference import BEGIN, reference
from ftctl.job.shape import levels
from ftctl.paths import bundled

ROOT = Path(__file__).parents[2]
SOURCE = json.loads((bundled("schemas") / "job.schema.json").read_text(encoding="utf-8"))
KEYS = {
    ".".join((*level, key)): schema for level, keys in levels(job_schema()) for key, schema in keys.items()
}


def later(key: str) -> bool:
    return any("key" in KEYS[above].get(LATER, {}) for above in KEYS if f"{key}.".startswith(f"{above}."))


def objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, dict):
        if "object" in (named := schema.get("type", ())) and not isinstance(named, dict):
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_is_valid_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SOURCE)
    assert SOURCE["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("block", "folder"), [("train", "training"), ("deploy", "serving")])
def test_an_editor_is_offered_the_arguments_of_every_engine(block: str, folder: str) -> None:
    native = SOURCE["properties"][block]["properties"]["native"]
    offered = {form["$ref"] for form in native["anyOf"][1:]}
    assert offered == {f"{folder}/{file.name}" for file in (bundled("schemas") / folder).iterdir()}
    # They only offer: what is wrong is said by `ftctl validate`, which knows which engine it is.
    Draft202012Validator(native).validate({"no-such": None})


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_explains_itself(key: str) -> None:
    schema = KEYS[key]
    assert schema["title"]
    assert len(schema["description"]) > 15
    assert schema["examples"]
    validator = Draft202012Validator(schema)
    for example in schema["examples"]:
        validator.validate(example)
    if "default" in schema:
        validator.validate(schema["default"])


def test_the_whole_example_is_a_job() -> None:
    for example in SOURCE["examples"]:
        Draft202012Validator(SOURCE).validate(example)


def test_unknown_keys_are_refused_at_every_level() -> None:
    open_levels = [
        schema["title"] for schema in objects(SOURCE) if schema.get("additionalProperties") is not False
    ]
    assert sorted(set(open_levels)) == [
        "Gate", "Metric with options", "More adapters", "Native arguments", "Options of a metric",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ("train", training.Train), ("train.lora", training.Lora), ("train.freeze", training.Freeze),
        ("train.quantization", training.Quantization), ("train.checkpoints", training.Checkpoints),
        ("resources", model.Resources), ("deploy", model.Deploy), ("model", model.Model),
        ("evaluate", model.Evaluate), ("data.train", model.Dataset), ("data", model.Data),
    ],
)  # fmt: skip
def test_defaults_are_those_of_the_values(block: str, kind: Any) -> None:
    keys = {key.rpartition(".")[2]: schema for key, schema in KEYS.items() if key.rpartition(".")[0] == block}
    usable = {name for name in keys if not later(f"{block}.{name}")}
    kinds = (kind, training.Retrieval) if kind is training.Train else (kind,)  # one block in a job file
    fields = {field.name: field for one in kinds for field in dataclasses.fields(one)}
    assert usable == set(fields) - {"local", "eval_share", "test_share", "retrieval"}
    for name in usable:
        default = fields[name].default
        if default is dataclasses.MISSING or name in ("eval", "test", "data"):
            continue
        shown = keys[name].get("default")
        assert shown == (list(default) if isinstance(default, tuple) else default) or (name, shown) == (
            "packing",
            False,
        )


def test_the_reference_is_up_to_date() -> None:
    page = (ROOT / "docs" / "job-file.md").read_text(encoding="utf-8")
    assert BEGIN + page.partition(BEGIN)[2] == reference(SOURCE), "run: python -m ftctl.job.reference"
