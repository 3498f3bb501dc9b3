"""What a server's log says when it fails, and what a user is told."""

from __future__ import annotations

import re

import pytest

from ftctl.servers.fault import diagnose
from ftctl.servers.vllm import FAULTS, PHASES

GENERIC = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"

# Lines as vLLM 0.32.0 wrote them, or as its source words them where this machine cannot bring them about.
SEEN = (
    (
        "(EngineCore pid=7) WARNING 11-21 10:36:01 [cpu.py:644] Failed to import from vllm._C: ImportError("
        "'libnuma.so.1: cannot open shared object file: No such file or directory')",
        "vLLM needs libnuma.so.1",
        "libnuma1",
    ),
    (
        "api_server.py: error: unrecognized arguments: --no-such-flag 3",
        "no argument --no-such-flag",
        "native",
    ),
    (
        "api_server.py: error: argument --dtype: invalid choice: 'x'",
        "argument --dtype: invalid choice",
        "deploy",
    ),
    (
        "Value error, User-specified max_model_len (4096) is greater than the derived "
        "max_model_len (max_position_embeddings=512.0 or model_max_length=None in model's "
        "config.json)",
        "4096 tokens",
        "512",
    ),
    (
        "(EngineCore pid=7) ERROR 11-21 09:00:00 [core.py:99] ValueError: To serve at least one "
        "request with the models's max seq len (512), the estimated maximum model length is 384. "
        "Try",
        "384 tokens only",
        "384",
    ),
    (
        "ValueError: Available memory on node 0 (2.5/16.0 GiB) on kv cache allocation is less "
        "than requested memory for kv (64.0 GiB). Decrease",
        "2.5 GiB of memory are free and the server asks for 64.0 GiB",
        "kv_cache",
    ),
    (
        "ValueError: Free memory on device cuda:0 (1.0/79.1 GiB) on startup is less than desired "
        "GPU memory utilization (0.9, 71.2 GiB).",
        "only 1.0/79.1 GiB",
        "gpu_memory_share",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate",
        "ran out of memory",
        "max_length",
    ),
    (
        "OSError: [Errno 98] Address already in use",
        "took the port",
        "deploy.port",
    ),
    (
        "ValueError: Model architectures ['FooLM'] are not supported for now.",
        "['FooLM']",
        "supported",
    ),
    (
        "ValueError: Total number of attention heads (6) must be divisible by tensor parallel size (4).",
        "6 attention",
        "divisor of 6",
    ),
    (
        "ModuleNotFoundError: No module named 'torch'",
        "the module torch",
        "ftctl engines",
    ),
    (
        "RuntimeError: Found no NVIDIA driver on your system",
        "wants a GPU",
        "deploy.gpus: 0",
    ),
)


@pytest.mark.parametrize(("line", "cause", "remedy"), SEEN)
def test_a_known_fault_is_named_with_its_way_out(line: str, cause: str, remedy: str) -> None:
    found = diagnose(["INFO starting", line, GENERIC], FAULTS)
    assert found.known
    assert cause in found.cause
    assert remedy in found.remedy


def test_the_last_error_lines_speak_for_an_unknown_fault() -> None:
    log = [
        "INFO 11-21 09:00:00 [a.py:1] fine",
        "(APIServer pid=1) ERROR 11-21 09:00:01 [b.py:2] ValueError: odd",
        "KeyError: 'x'",
        "  at the end",
    ]
    found = diagnose(log, FAULTS)
    assert not found.known
    assert found.cause == "ValueError: odd | KeyError: 'x'"


@pytest.mark.parametrize(("log", "cause"), [([], "it wrote nothing"), (["one", "two", ""], "two")])
def test_a_log_without_errors_gives_its_last_line(log: list[str], cause: str) -> None:
    assert diagnose(log, FAULTS).cause == cause


def test_every_fault_compiles_and_names_only_its_own_groups() -> None:
    for fault in FAULTS:
        groups = re.compile(fault.pattern).groups
        named = {int(number) for number in re.findall(r"{(\d+)}", fault.cause + fault.remedy)}
        assert max(named, default=0) <= groups, fault.pattern
    assert len({text for text, _ in PHASES}) == len(PHASES)


def test_an_engine_that_died_under_its_server_is_told_and_may_come_back() -> None:
    """vLLM's API server ends with exit code 0 then, as if it had been asked to."""
    said = (
        "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above)"
    )
    found = diagnose(
        [f"(APIServer pid=7) ERROR 11-21 17:13:52 [async_llm.py:906] {said}", "INFO: done"], FAULTS
    )
    assert (found.known, found.may_pass, found.cause) == (True, True, "its engine process has died")
