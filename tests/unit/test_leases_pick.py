"""Which GPUs a job is given, as values; and how busy they are, from a library built in NVML's place."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.errors import Missing
from ftctl.facts.asked import Asked as Answers
from ftctl.facts.model import Gpu, Occupied
from ftctl.facts.nvml import Load, gpu_loads
from ftctl.job.load import load
from ftctl.leases.look import busy
from ftctl.leases.model import Wish
from ftctl.leases.pick import in_the_way, pick, wish_of
from ftctl.plan.devices import Asked, choose_devices
from ftctl.prepare import prepare, rendered
from tests.plans import machine

FOUR = machine(*(Gpu(index, "any", 8 * 2**30, 8.0) for index in range(4)))
GIB = 2**30


@pytest.mark.parametrize(
    ("asks", "named", "count"),
    [
        ([2], (), 2),
        ([0], (), 0),
        ([None], (0, 1, 2, 3), 4),
        (["all"], (0, 1, 2, 3), 4),
        ([(3, 1)], (1, 3), 2),
        ([2, 1], (), 2),  # a deployment serves on what trained
        ([1, 3], (), 3),
        ([2, (3,)], (3,), 2),
        ([(0,), (1,)], (0, 1), 2),
        ([0, 1], (), 1),
    ],
)
def test_what_training_and_serving_want_together(
    asks: list[Asked], named: tuple[int, ...], count: int
) -> None:
    assert wish_of(asks, FOUR) == Wish(named, count, (0, 1, 2, 3))


def test_more_than_are_visible_is_refused_and_never_waited_for() -> None:
    with pytest.raises(Missing, match="leaves 1"):
        wish_of([2], replace(FOUR, cuda_visible_devices="2"))
    assert wish_of([None], replace(FOUR, cuda_visible_devices="3,1")).named == (3, 1)
    assert wish_of([None], machine()).count == 0


@pytest.mark.parametrize(
    ("wish", "taken", "in_use", "given"),
    [
        (Wish((), 2, (0, 1, 2, 3)), (), (), (0, 1)),
        (Wish((), 2, (3, 1)), (), (), (3, 1)),
        (Wish((), 2, (0, 1, 2, 3)), (0,), (2,), (1, 3)),
        (Wish((), 3, (0, 1, 2, 3)), (0,), (2,), None),
        (Wish((2,), 1, (0, 1, 2, 3)), (), (2,), (2,)),  # named: a program without a lease does not stop it
        (Wish((2,), 1, (0, 1, 2, 3)), (2,), (), None),
        (Wish((3,), 2, (0, 1, 2, 3)), (0,), (), (1, 3)),
        (Wish((), 0, ()), (), (), ()),
    ],
)
def test_what_is_picked(
    wish: Wish, taken: tuple[int, ...], in_use: tuple[int, ...], given: tuple[int, ...] | None
) -> None:
    assert pick(wish, taken, in_use) == given


def test_what_is_in_the_way_is_told_once_for_each_holder() -> None:
    held, used = {0: "is held by a", 1: "is held by a", 2: "is held by b"}, {2: "is busy", 3: "is busy"}
    wish = Wish((), 3, (0, 1, 2, 3))
    assert in_the_way(wish, held, used) == "GPU 0,1 is held by a; GPU 2 is held by b; GPU 3 is busy"
    assert in_the_way(Wish((2, 3), 2, (0, 1, 2, 3)), held, used) == "GPU 2 is held by b"


def test_a_plan_shows_what_would_be_taken_now() -> None:
    now = replace(FOUR, occupied=(Occupied(0, "is held by run a"), Occupied(2, "is 90 % busy")))
    devices, reason = choose_devices(2, now)
    assert devices == (1, 3)
    assert "GPU 0 is held by run a; GPU 2 is 90 % busy" in reason
    assert choose_devices(3, now)[0] == (0, 1, 3), "it would be taken were it free"
    assert choose_devices((0,), now)[0] == (0,)


def test_a_job_is_planned_for_the_gpus_that_it_has_leased(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n' * 4)
    path = tmp_path / "job.yaml"
    path.write_text(
        "name: a\nmodel: x/y\ndata: {train: rows.jsonl}\ntrain: {}\nresources: {gpus: 2}\ndeploy: {}\n"
    )
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    answers = Answers()
    answers.once(("machine", tmp_path), lambda: FOUR)
    plan = prepare(load(path, environ=environ), environ=environ, runs=tmp_path, asked=answers, leased=(1, 3))
    assert plan.train is not None and plan.serve is not None
    assert (plan.train.devices, plan.serve.devices) == ((1, 3), (1,))
    assert rendered(plan)["train"].env["CUDA_VISIBLE_DEVICES"] == "1,3"
    (chosen,) = [choice for choice in plan.choices if choice.key == "resources.gpus"]
    assert "leased for this job" in chosen.reason


def test_busy_is_above_a_bound() -> None:
    loads = {
        0: Load(80 * GIB, 3 * GIB, 0),
        1: Load(80 * GIB, 5 * GIB, 0),
        2: Load(8 * GIB, GIB, 10),
        3: Load(8 * GIB, 2 * GIB),
        4: Load(8 * GIB, 0, 11),
    }
    assert busy(loads) == {
        1: "has 5.0 of 80.0 GiB in use",
        3: "has 2.0 of 8.0 GiB in use",
        4: "is 11 % busy",
    }


NVML = """
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int gpu, memory; } use;
#define SECOND(device) ((device) == (void *)0x7fff00000001ULL)
static int began = 0;
int nvmlInit_v2(void) { began = 1; return BROKEN; }
int nvmlShutdown(void) { began = 0; return 0; }
const char *nvmlErrorString(int code) { return "Driver/library version mismatch"; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return began ? 0 : 1; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
    { *device = (void *)(0x7fff00000000ULL + index); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory *out)
    { out->total = 80ULL << 30; out->used = SECOND(device) ? 30ULL << 30 : 0; return 0; }
int nvmlDeviceGetUtilizationRates(void *device, use *out)
    { out->gpu = 97; return SECOND(device) ? 0 : 3; }
"""


def _library(folder: Path, broken: int) -> str:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    source, library = folder / "nvml.c", folder / f"libnvidia-ml-{broken}.so"
    source.write_text(NVML)
    command = ["cc", "-shared", "-fPIC", f"-DBROKEN={broken}", str(source), "-o", str(library)]
    subprocess.run(command, check=True, timeout=60)
    return str(library)


def test_loads_are_as_nvml_says(tmp_path: Path) -> None:
    loads, trouble = gpu_loads(_library(tmp_path, 0))
    assert trouble is None
    assert loads == {0: Load(80 * GIB, 0, None), 1: Load(80 * GIB, 30 * GIB, 97)}


def test_without_nvml_the_load_is_not_known_and_it_says_why(tmp_path: Path) -> None:
    assert gpu_loads(_library(tmp_path, 18)) == ({}, "nvmlInit_v2: Driver/library version mismatch")
    loads, trouble = gpu_loads(str(tmp_path / "gone.so"))
    assert loads == {} and trouble is not None and "gone.so cannot be loaded" in trouble
