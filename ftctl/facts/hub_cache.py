"""Finds a Hub model in the local cache of Hugging Face, where training without a network would find it.

The layout is huggingface_hub's: `models--owner--name/refs/BRANCH` holds a commit, `snapshots/COMMIT` the
model's files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ftctl.errors import UsageError

COMMIT = re.compile(r"[0-9a-f]{40}")
# What git takes as a branch, a tag or a commit: git-check-ref-format(1).
BAD_REVISION = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|^[-/.]|[/.]$|\.lock$|/\.")


def revision_fault(revision: str) -> tuple[str, str] | None:
    """What is wrong with the name of a revision, and the way out."""
    if BAD_REVISION.search(revision) or revision in ("", "@"):
        return (
            f'"{revision}" is no branch, tag or commit',
            "write a name such as main, or a commit's 40 digits",
        )
    return None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps models: HF_HUB_CACHE, HF_HOME/hub, or the user's cache."""
    if environ.get("HF_HUB_CACHE"):
        return Path(environ["HF_HUB_CACHE"]).expanduser()
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]).expanduser() / "hub"
    cache = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".cache")
    return Path(cache) / "huggingface" / "hub"


def snapshot(hub_id: str, revision: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of a model in the cache. Raises UsageError where it is not there."""
    cache = cache_folder(environ)
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    if not folder.is_dir():
        raise UsageError(
            f"{hub_id} is not in the local cache ({cache}), and --offline forbids to fetch it",
            "leave --offline out, fetch the model before, or name its folder",
        )
    wanted = revision or "main"
    commit = wanted
    if not COMMIT.fullmatch(wanted):
        reference = folder / "refs" / wanted
        commit = reference.read_text().strip() if reference.is_file() else ""
    found = folder / "snapshots" / commit
    if not commit or not found.is_dir():
        raise UsageError(
            f"{hub_id} is in the local cache, but not its revision {wanted}",
            "leave --offline out, or name a revision that is there",
        )
    return found
