"""Why a training failed, told from real logs.

The files in failures/ are the ends of logs of LLaMA-Factory 0.9.5 and FlagEmbedding 1.4.2 on the CPU, each
made by causing that failure. Paths are shortened, and the source lines of frames are left out. The memory
killer and a full disk are caused for real in test_memory_killer.py and in tests/e2e.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from ftctl.diagnosis.consequences import CONSEQUENCES
from ftctl.diagnosis.diagnose import _told, diagnose
from ftctl.diagnosis.faults import FAULTS
from ftctl.diagnosis.memory import memory_remedy
from ftctl.diagnosis.model import UNKNOWN, Diagnosis, Failure
from ftctl.diagnosis.reference import reference
from ftctl.job.training import Train
from tests.conftest import ROOT
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
    ("data_column", "data", "cannot use the data: KeyError: 'nope'", "format and columns"),
    ("architecture", "architecture", "model type foo9", "train.engine_python"),
    ("vocabulary", "vocabulary", "no row in the model's embedding", "train.native.resize_vocab"),
    ("shared_memory", "shared_memory", "ran out of shared memory (/dev/shm)", "--shm-size"),
    ("model_without_weights", "model", "Error no file named model.safetensors", "/models/base again"),
    ("remote_code", "remote_code", "remote code is off", "model.trust_remote_code: true"),
    ("nan", "nan", "the norm of the gradients is nan at step 2", "train.learning_rate (now 1e-05)"),
    ("dtype_half", "dtype", '"geqrf_cpu" has no version for Half', "train.precision"),
    ("dtype_bf16", "dtype", "doesn't support bf16/gpu", "train.precision: auto (now fp32)"),
    ("dtype_tf32", "dtype", "--tf32 requires Ampere", "train.precision: auto"),
    ("flagembedding_model_cut_short", "model", "a file of weights cannot be read", "/models/base again"),
    ("flagembedding_model_without_weights", "model", "no file named model.safetensors", "/models/base again"),
    ("flagembedding_architecture", "architecture", "model type foo9", "train.engine_python"),
    (
        "flagembedding_tokenizer_cut_short",
        "tokenizer",
        "tokenizer cannot be read: json",
        "/models/base again",
    ),
    ("flagembedding_data_cut_short", "data", "Missing a closing quotation mark", "ftctl data check"),
    ("flagembedding_data_column", "data", "cannot use a row of the data: KeyError: 'pos'", "data check"),
    ("flagembedding_data_empty", "data", "Cannot choose from an empty sequence", "ftctl data check"),
    ("flagembedding_nan", "nan", "the loss is nan at step 1", "train.learning_rate"),
    ("flagembedding_package", "package", "lacks the module peft", "ftctl engines install"),
    (
        "flagembedding_checkpoint_optimizer",
        "checkpoint",
        "failed finding central directory",
        "the one before",
    ),
    ("flagembedding_too_long", "positions", "4000 tokens is longer than the 512 positions", "to 512 or less"),
    ("flagembedding_dtype_bf16", "dtype", "doesn't support bf16/gpu", "train.precision: auto"),
    ("flagembedding_deepspeed", "package", "lacks the module deepspeed", "train.engine_python"),
)

MAY_PASS = (
    ("port", "port", "another program has the port", "run the job again"),
    ("flagembedding_port", "port", "another program has the port", "run the job again"),
    ("killed_process", "killed", "killed from outside (signal 9)", "where memory ran out"),
    ("killed_worker", "killed", "killed from outside (signal 9)", "where memory ran out"),
    ("rendezvous", "rendezvous", "timed out after 5000ms while trying to connect", "firewall"),
)

# What needs a GPU to cause. The words are those of torch 2.10's own libraries (libc10_cuda, libtorch_cuda)
# and of public logs: hiyouga/LlamaFactory issues 7396 and 6269, pytorch/pytorch 111187, NVIDIA/nccl 2076.
OWN = "Including non-PyTorch memory, this process has 78.90 GiB memory in use. "
NEEDS_GPU = (
    (
        "[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB. GPU 0 has a total "
        f"capacity of 79.15 GiB of which 251.00 MiB is free. {OWN}Of the allocated memory 76.10 GiB is",
        "gpu_memory",
        "no room for 2.32 GiB more",
        "train.micro_batch_size: 8",
        False,
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity "
        "of 79.15 GiB of which 12.00 MiB is free. Process 4121 has 70.20 GiB memory in use. Including "
        "non-PyTorch memory, this process has 8.90 GiB memory in use. Of the allocated memory 8.10 GiB is",
        "gpu_taken",
        "process 4121, which is not of this run, holds 70.20 GiB",
        "nvidia-smi",
        True,
    ),
    (
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "gpu_memory",
        "out of GPU memory",
        "train.micro_batch_size: 8",
        False,
    ),
    (
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
        "driver",
        "finds none",
        "ftctl doctor",
        False,
    ),
    (
        "torch.distributed.DistBackendError: NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils."
        "hpp:268, remote process exited or there was a network error, NCCL version 2.21.5",
        "nccl",
        "remote process exited or there was a network error",
        "NCCL_DEBUG=INFO",
        True,
    ),
)
WATCHDOG = (
    "[rank0]:[E321 02:07:08.408271257 ProcessGroupNCCL.cpp:607] [Rank 0] Watchdog caught collective "
    "operation timeout: WorkNCCL(SeqNum=1580, OpType=ALLREDUCE, NumelIn=466119168, NumelOut=466119168, "
    "Timeout(ms)=600000) ran for 600060 milliseconds before timing out."
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


@pytest.mark.parametrize(("log", "name", "cause", "remedy"), MAY_PASS)
def test_a_failure_that_may_pass_is_recognised(log: str, name: str, cause: str, remedy: str) -> None:
    found = told(log)
    assert (found.name, found.may_pass) == (name, True)
    assert cause in found.cause
    assert remedy in found.remedy


@pytest.mark.parametrize(("line", "name", "cause", "remedy", "may_pass"), NEEDS_GPU)
def test_a_failure_of_gpus_is_recognised(
    line: str, name: str, cause: str, remedy: str, may_pass: bool
) -> None:
    """Not caused here, for want of a GPU: the wording is torch's."""
    rank = "[rank0]: " if line.startswith("[rank0]: ") else ""
    log = [
        f"  3%|3 | 9/30{rank}Traceback (most recent call last):",
        f'{rank}  File "a.py", line 3, in main',
        line,
    ]
    found = diagnose(Failure(1, log, step=3, begun=True, disk_free=ROOM), plan())
    assert (found.name, found.may_pass) == (name, may_pass)
    assert cause in found.cause
    assert remedy in found.remedy


def test_a_time_out_of_nccl_is_recognised_in_native_words() -> None:
    """Not caused here, for want of GPUs: the line is that of hiyouga/LlamaFactory issue 7396."""
    found = diagnose(Failure(-6, [WATCHDOG], step=3, begun=True, disk_free=ROOM), plan())
    assert (found.name, found.may_pass) == ("nccl_timeout", True)


def test_rows_of_the_data_are_not_the_engines_words() -> None:
    log = [
        "inputs:",
        "How do I mend",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "OSError: [Errno 98] Address already in use",
        "[INFO|trainer.py:1469] >> ***** Running training *****",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in main',
        "KeyError: 'x'",
    ]
    assert diagnose(Failure(1, log, disk_free=ROOM), plan()).name == UNKNOWN
    shown = ["Traceback (most recent call last):", '  File "a.py", line 1', "MemoryError: in a row", *log[4:]]
    assert diagnose(Failure(1, shown, disk_free=ROOM), plan()).name == UNKNOWN


def test_a_full_disk_is_seen_without_a_word() -> None:
    found = diagnose(Failure(1, ["Killed"], disk_free=0), plan(), "runs/a")
    assert (found.name, found.cause) == ("disk_full", "no space left on the disk of runs/a")


@pytest.mark.parametrize(
    ("here", "anywhere", "name", "cause"),
    [
        (1, 1, "killed_for_memory", "the kernel's memory killer ended it"),
        (0, 1, "killed_for_memory", "while the kernel's memory killer was at work"),
        (0, 0, "killed", "as happens when memory runs out or when someone ends it"),
    ],
)
def test_a_kill_is_told_as_surely_as_it_is_known(here: int, anywhere: int, name: str, cause: str) -> None:
    failure = Failure(-9, begun=True, disk_free=ROOM, killed_here=here, killed_anywhere=anywhere)
    found = diagnose(failure, plan())
    assert (found.name, found.may_pass) == (name, True)
    assert cause in found.cause
    assert "what decides: micro_batch_size 16, max_length 2048" in found.remedy


def test_an_engine_without_progress_is_told_with_its_minutes() -> None:
    found = diagnose(Failure(-9, silent=1800.0), plan())
    assert (found.name, found.may_pass) == ("stalled", True)
    assert "for 30 minutes" in found.cause


@pytest.mark.parametrize(
    ("code", "cause", "may_pass"),
    [(1, "ended with exit code 1", False), (-11, "ended by SIGSEGV", False), (-15, "ended by SIGTERM", True)],
)
def test_what_is_not_known_is_told_as_it_ended(code: int, cause: str, may_pass: bool) -> None:
    found = diagnose(Failure(code, ["one", "two"], disk_free=ROOM), plan())
    assert (found.name, found.cause, found.may_pass) == (UNKNOWN, cause, may_pass)


def test_before_the_first_step_the_batch_is_not_to_blame() -> None:
    assert memory_remedy(plan(), begun=False).startswith("set train.method: lora first")
    adapter = plan(Train(method="lora", micro_batch_size=1, gradient_checkpointing=True))
    assert memory_remedy(adapter, begun=True).startswith("set train.max_length: 1024 first")


def test_the_table_compiles_and_names_only_what_is_known() -> None:
    known = {"raised", "word", *_told(Failure(1), plan(), "run")}
    for fault in (*FAULTS, *CONSEQUENCES):
        groups = re.compile(fault.pattern, re.MULTILINE).groups
        holes = {hole for _, hole, _, _ in Formatter().parse(fault.cause + fault.remedy) if hole}
        assert {int(hole) for hole in holes if hole.isdigit()} <= set(range(groups + 1)), fault.pattern
        assert {hole for hole in holes if not hole.isdigit()} <= known, fault.pattern


def test_the_page_of_known_failures_is_up_to_date() -> None:
    assert (ROOT / "docs" / "troubleshooting.md").read_text() == reference()
