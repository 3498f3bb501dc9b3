"""Why a training failed, told from real logs.

The files in failures/ are the ends of logs of LLaMA-Factory 0.9.5 and FlagEmbedding 1.4.2 on the CPU, each
made by causing that failure: their first lines say how. Paths are shortened, repeated frames left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl.diagnosis.diagnose import diagnose
from ftctl.diagnosis.model import Diagnosis, Failure
from tests.plans import plan

LOGS = Path(__file__).parent / "failures"
ROOM = 2**30  # bytes free on the disk

# The log, the name it is to get, and words of its cause and of its remedy.
CAUSED = (
    ("memory", "memory", "out of memory", "set train.micro_batch_size: 8 (batch_size stays 16) first"),
    ("model_cut_short", "model", "weights cannot be read: safetensors", "/models/base again"),
    ("tokenizer_cut_short", "tokenizer", "tokenizer cannot be read: json", "/models/base again"),
    ("package_missing", "package", "lacks the module trl", "ftctl engines install llamafactory"),
    ("package_not_brought", "package", "need to install `bitsandbytes`", "train.engine_python"),
    ("checkpoint_optimizer", "checkpoint", "cannot be read: OSError: [Errno 22]", "the one before it"),
    ("checkpoint_weights", "checkpoint", "cannot be read: safetensors", "the one before it"),
    ("checkpoint_state", "checkpoint", "cannot be read: json", "the one before it"),
    ("checkpoint_without_weights", "checkpoint", "output/checkpoint-2 is not complete", "before it"),
    ("data_cut_short", "data", "JSON parse error: Missing a closing quotation mark", "ftctl data check"),
)


def told(name: str, code: int = 1) -> Diagnosis:
    """The diagnosis by a log of failures/."""
    lines = (LOGS / f"{name}.log").read_text().splitlines()
    return diagnose(Failure(code, lines, step=1, begun=True, disk_free=ROOM), plan())


@pytest.mark.parametrize(("log", "name", "cause", "remedy"), CAUSED)
def test_a_failure_that_was_caused_is_recognised(log: str, name: str, cause: str, remedy: str) -> None:
    found = told(log)
    assert found.name == name
    assert cause in found.cause
    assert remedy in found.remedy
    assert not found.may_pass
