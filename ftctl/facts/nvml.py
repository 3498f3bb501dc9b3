"""How busy the GPUs are, from NVIDIA's management library (NVML), which comes with the driver.

Asked directly: nvidia-smi asks the same library and takes ten times as long. Types and names are those of
nvml.h (NVML API reference: nvmlMemory_t, nvmlUtilization_t, device queries).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0


@dataclass(frozen=True)
class Load:
    """How busy a GPU is: bytes of memory in all and in use, percent of the last second; None: not told."""

    total: int
    used: int
    percent: int | None = None


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def gpu_loads(library: str = LIBRARY) -> tuple[dict[int, Load], str | None]:
    """The load of each GPU by its index (as nvidia-smi counts), and why it is not known where it is not."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError as error:
        return {}, f"{library} cannot be loaded: {error}"
    try:
        with _begun(nvml):
            count = ctypes.c_uint()
            _ask(nvml, "nvmlDeviceGetCount_v2", ctypes.byref(count))
            return {index: _load(nvml, index) for index in range(count.value)}, None
    except (OSError, AttributeError) as error:
        return {}, str(error)


@contextmanager
def _begun(nvml: ctypes.CDLL) -> Iterator[None]:
    _ask(nvml, "nvmlInit_v2")
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _load(nvml: ctypes.CDLL, index: int) -> Load:
    device, memory, use = ctypes.c_void_p(), _Memory(), _Utilization()
    _ask(nvml, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
    _ask(nvml, "nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
    # A GPU in MIG mode has no utilisation of its own.
    told = nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(use)) == SUCCESS
    return Load(memory.total, memory.used, use.gpu if told else None)


def _ask(nvml: ctypes.CDLL, function: str, *arguments: object) -> None:
    """Call a function of NVML. Raises OSError with what it answers where that is no success."""
    code = getattr(nvml, function)(*arguments)
    if code != SUCCESS:
        nvml.nvmlErrorString.restype = ctypes.c_char_p
        raise OSError(f"{function}: {nvml.nvmlErrorString(code).decode()}")
