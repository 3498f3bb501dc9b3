"""LLaMA-Factory's datasets as the job's data: names resolved through dataset_info.json where it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ftctl.importing.draft import Draft, names
from ftctl.importing.source import Around
from ftctl.job.shape import at

_REMOTE = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
_OPTIONAL = {"alpaca": ("query", "history", "system"), "sharegpt": ("system", "tools")}
_READ = ("file_name", "formatting", "columns", "tags", "num_samples")


def data(draft: Draft, rest: dict[str, Any], around: Around) -> None:
    """Take the data's arguments out of `rest` and write the data block."""
    folder = rest.pop("dataset_dir", None)
    if folder is not None:
        draft.drop("dataset_dir", folder, "the run's own folder holds the dataset_info.json that is rendered")
    folder = folder or "data"
    if "dataset" in rest:
        weights = names(rest["interleave_probs"]) if "interleave_probs" in rest else []
        items = list(_items(draft, "data.train", names(rest.pop("dataset")), around, folder))
        mix = rest.get("mix_strategy", "concat")
        if mix != "concat" and len(items) > 1 and draft.put("data.mix", mix, "mix_strategy"):
            del rest["mix_strategy"]
            items = _weighted(draft, items, weights, rest)
        elif "mix_strategy" in rest and mix == "concat":
            draft.set("data.mix", rest.pop("mix_strategy"), "mix_strategy")
        _store(draft, "data.train", items, "dataset")
    elif "tokenized_path" not in rest:
        draft.check("data.train: the original names no dataset; a job that trains needs its rows")
    _eval(draft, rest, around, folder)
    if "data" in draft.job and "preprocessing_num_workers" in rest:
        workers = rest["preprocessing_num_workers"]
        if draft.put("data.workers", workers, "preprocessing_num_workers"):
            del rest["preprocessing_num_workers"]


def _eval(draft: Draft, rest: dict[str, Any], around: Around, folder: Any) -> None:
    share = rest.get("val_size", 0)
    if "eval_dataset" in rest:
        items = list(_items(draft, "data.eval", names(rest.pop("eval_dataset")), around, folder))
        _store(draft, "data.eval", items, "eval_dataset")
        if "val_size" in rest:
            why = "the engine refuses it beside eval_dataset" if share else "0 holds nothing out"
            draft.drop("val_size", rest.pop("val_size"), why)
    elif not share:
        if "val_size" in rest:
            draft.drop("val_size", rest.pop("val_size"), "0 holds nothing out")
    else:
        count = int(share) if isinstance(share, float) and share >= 1 else share
        if draft.put("data.eval", count, "val_size"):
            del rest["val_size"]
        else:
            draft.drop("val_size", rest.pop("val_size"), "is neither a share nor a count of rows")


def _items(
    draft: Draft, key: str, wanted: list[str], around: Around, folder: Any
) -> Iterator[tuple[dict[str, Any], str]]:
    """Each dataset as the job's item, and where it came from."""
    for name in wanted:
        entry = (around.dataset_info or {}).get(name)
        if isinstance(entry, Mapping) and isinstance(entry.get("file_name"), str) and not _remote(entry):
            yield _entry(draft, key, name, entry, around), name
            continue
        yield {"path": name}, f"the dataset {name}"
        if isinstance(entry, Mapping):
            where = ", ".join(f"{kind}: {entry[kind]}" for kind in _REMOTE if kind in entry)
            draft.check(f"{key}: {name} is no file ({where}); fetch its rows and write their path")
        elif around.dataset_info is not None:
            draft.check(
                f"{key}: {name} is not in the dataset_info.json that was found; write its file's path"
            )
        else:
            draft.check(
                f"{key}: {name} is a name in dataset_info.json of dataset_dir {folder}, which was not found; "
                "write its file's path, or import with --dataset-info"
            )


def _remote(entry: Mapping[str, Any]) -> bool:
    return any(kind in entry for kind in _REMOTE)


def _entry(draft: Draft, key: str, name: str, entry: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """A dataset of dataset_info.json; what the job's schema has no place for is named."""
    file = entry["file_name"]
    item: dict[str, Any] = {"path": str(PurePosixPath(around.dataset_folder) / file)}
    kind = entry.get("formatting", "alpaca")
    wanted: dict[str, Any] = {"format": kind}
    for block in ("columns", "tags"):
        if isinstance(entry.get(block), Mapping) and entry[block]:
            wanted[block] = dict(entry[block])
    if "num_samples" in entry:
        wanted["max_samples"] = entry["num_samples"]
    for part, value in wanted.items():
        _part(draft, item, part, value, f"dataset_info.{name}")
    media = [kind for kind in ("images", "videos", "audios") if kind in wanted.get("columns", {})]
    if media and any(kind not in item.get("columns", {}) for kind in media):
        draft.check(f"{key}: {name} holds {', '.join(media)}, and a job of this version reads its text alone")
    for part in entry:
        if part not in _READ:
            why = "this version's job has no place for it"
            draft.drop(f"dataset_info.{name}.{part}", entry[part], why)
    left = [column for column in _OPTIONAL.get(str(kind), ()) if column not in item.get("columns", {})]
    if "columns" in item and left:
        draft.check(
            f"{key}: {name} names its columns, so LLaMA-Factory left out {', '.join(left)}; "
            "ftctl reads one of these where the file has it"
        )
    return item


def _part(draft: Draft, item: dict[str, Any], part: str, value: Any, name: str) -> None:
    from jsonschema.validators import Draft202012Validator

    schema = at(draft.schema, {"data": {"train": [{}]}}, ("data", "train", 0, part)) or {}
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for column in value:
            if column not in known:
                why = "this version's job has no such column"
                draft.drop(f"{name}.{part}.{column}", value[column], why)
        value = {column: text for column, text in value.items() if column in known}
    if value == {}:
        return
    if Draft202012Validator(schema).is_valid(value):
        item[part] = value
    else:
        draft.drop(f"{name}.{part}", value, "this version's job does not take it")


def _weighted(
    draft: Draft, items: list[tuple[dict[str, Any], str]], weights: list[str], rest: dict[str, Any]
) -> list[tuple[dict[str, Any], str]]:
    """The items with their weights; the engine takes as many as there are datasets."""
    try:
        numbers = [float(weight) for weight in weights]
    except ValueError:
        numbers = []
    if len(numbers) != len(items) or not all(number > 0 for number in numbers):
        if weights:
            why = f"it is not one positive weight for each of {len(items)} datasets"
            draft.drop("interleave_probs", rest.pop("interleave_probs"), why)
        return items
    rest.pop("interleave_probs")
    draft.origins[("data", "mix")] = "mix_strategy; interleave_probs are the weights"
    return [({**item, "weight": number}, name) for (item, name), number in zip(items, numbers, strict=True)]


def _store(draft: Draft, key: str, items: list[tuple[dict[str, Any], str]], origin: str) -> None:
    path = tuple(key.split("."))
    if len(items) == 1:
        item, name = items[0]
        draft.set(key, item["path"] if len(item) == 1 else [item], f"{origin}: {name}")
        return
    draft.set(key, [item["path"] if len(item) == 1 else item for item, _ in items], origin)
    for number, (_, name) in enumerate(items):
        draft.origins[(*path, str(number))] = name
