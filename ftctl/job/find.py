"""Which files of a folder are job files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ftctl.errors import JobError
from ftctl.job.suggest import nearest
from ftctl.job.yaml12 import compose
from ftctl.job.yaml_text import MAX_BYTES, decode

ENDINGS = (".yaml", ".yml")
BLOCKS = ("train", "deploy")
_MODEL = re.compile(r"^model[ \t]*:", re.MULTILINE)
_BLOCK = re.compile(r"^(?:train|deploy)[ \t]*:", re.MULTILINE)


def job_files(folder: Path) -> tuple[list[Path], int]:
    """The job files below a folder, sorted, and how many other YAML files there are.

    Hidden folders are left out, and links to folders are not followed.
    """
    found = sorted(_yaml_files(folder))
    jobs = [path for path in found if is_job(path)]
    return jobs, len(found) - len(jobs)


def is_job(path: Path) -> bool:
    """Whether a file is meant as a job: a mapping with `model`, and `train` or `deploy`.

    So that a broken job is not passed over, one that is no YAML is told by its lines, and one with `name`
    and `model` may have its block misspelt.
    """
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return False
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    if _MODEL.search(text) and _BLOCK.search(text):
        return True
    try:
        root, _ = compose(decode(text.encode(), str(path)), str(path))
    except JobError:
        return False
    keys = root.value if root is not None and isinstance(root.value, dict) else {}
    return "model" in keys and any(
        block in keys or ("name" in keys and nearest(block, keys, 0.75)) for block in BLOCKS
    )


def _yaml_files(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(top, name) for name in files if name.lower().endswith(ENDINGS))
