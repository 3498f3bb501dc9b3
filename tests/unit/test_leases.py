"""Leases as real processes take, hold, inherit and lose them."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.errors import FtctlError, Missing
from ftctl.facts.nvml import Load
from ftctl.job.model import Deploy
from ftctl.leases.folder import holders
from ftctl.leases.hold import NOTHING, held_here
from ftctl.leases.of_job import lease_again, lease_for
from ftctl.leases.queue import queue
from ftctl.plan.serve import plan_serve
from tests.gpu_leases import IDLE, ask, cards, held, race
from tests.plans import job, machine, plan
from tests.waiting import until


def test_fifty_at_once_never_get_one_gpu_twice(tmp_path: Path) -> None:
    leases = tmp_path / "leases"
    with race(tmp_path, 50, 8, 2, "hold", subprocess.PIPE) as racers:
        assert racers.stdout is not None and racers.stdin is not None
        lines = [racers.stdout.readline().decode() for _ in range(50)]
        got = [list(map(int, line.split()[1:])) for line in lines if line.startswith("got")]
        refused = [
            line for line in lines if line.startswith("refused 2 GPUs cannot be taken: GPU 0,1 is held")
        ]
        assert (len(got), len(refused)) == (4, 46)
        assert sorted(index for _, *indices in got for index in indices) == list(range(8)) == held(leases)

        victim, *lost = got[2]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(held(leases)) == 6)
        assert [index for index in range(8) if index not in held(leases)] == lost
        mine = ask(leases, 2, gpus=8)
        assert mine.gpus == tuple(lost)
        mine.close()

        racers.stdin.close()
        assert racers.stdout.read().split() == [b"failed", b"1"], "only the one that was killed"
    assert held(leases) == []


def test_fifty_who_wait_each_get_their_turn(tmp_path: Path) -> None:
    with race(tmp_path, 50, 8, 2, "turns", subprocess.PIPE) as racers:
        lines = racers.communicate(timeout=60)[0].decode().splitlines()
    assert lines[-1] == "failed 0"
    assert len({line.split()[1] for line in lines if line.startswith("got")}) == 50
    assert held(tmp_path / "leases") == [] and queue(tmp_path / "leases") == []


def test_who_waits_is_served_in_order_and_the_dead_are_passed_over(tmp_path: Path) -> None:
    leases = tmp_path / "leases"
    mine = ask(leases, 1, gpus=1)
    entry, out = os.pipe()
    waiters = []
    for place in range(4):
        waiters.append(race(tmp_path, 1, 1, 1, "turns", out))
        until(lambda place=place: len(queue(leases)) == place + 1)  # type: ignore[misc] # mypy #12557
    order = [one.who.pid for one in queue(leases)]
    with pytest.raises(Missing, match="is held by this test"):
        ask(leases, 1, gpus=1)
    os.kill(order[1], signal.SIGKILL)
    until(lambda: len(queue(leases)) == 3)
    mine.close()
    for waiter in waiters:
        waiter.communicate(timeout=60)
    os.close(out)
    with open(entry, encoding="utf-8") as lines:
        got = [int(line.split()[1]) for line in lines if line.startswith("got")]
    assert got == [order[0], *order[2:]]


def test_who_does_not_wait_does_not_pass_those_who_do(tmp_path: Path) -> None:
    leases = tmp_path / "leases"
    mine = ask(leases, 0, 1, gpus=2)
    with race(tmp_path, 1, 2, 2, "turns", subprocess.PIPE) as waiter:
        until(lambda: len(queue(leases)) == 1)
        with pytest.raises(Missing, match=r"GPU 0 is waited for by racer \d+ \(pid"):
            ask(leases, 1, gpus=2)
        assert ask(leases, 0, 2, gpus=3).gpus == (2,), "nobody waits for that one"
        mine.close()
        assert waiter.communicate(timeout=60)[0].decode().endswith("0 1\nfailed 0\n")


def test_named_gpus_are_taken_or_their_holder_is_named(tmp_path: Path) -> None:
    said: list[str] = []
    first = ask(tmp_path, 0, 1, 3)
    assert first.gpus == (1, 3)
    with pytest.raises(Missing, match=rf"GPU 3 is held by this test \(pid {os.getpid()}") as caught:
        ask(tmp_path, 0, 2, 3)
    assert "--wait" in caught.value.remedy and caught.value.exit_code == 4
    busy = {0: Load(80 * 2**30, 40 * 2**30, 99), 2: IDLE}
    assert ask(tmp_path, 1, loads=busy).gpus == (2,)
    assert ask(tmp_path, 0, 0, loads=busy, said=said).gpus == (0,)
    assert said == [
        "GPU 0 has 40.0 of 80.0 GiB in use by a program that holds no lease; it was asked for by name"
    ]
    first.close()
    assert held(tmp_path) == [0, 2]


def test_a_run_that_goes_on_takes_the_very_gpus_of_its_plan(tmp_path: Path) -> None:
    known = replace(plan().facts, machine=replace(machine(*cards(4)), leased=(1, 3)))
    block = Deploy(gpus=(3,))
    serve, _ = plan_serve(block, name="ft", model=known.model, machine=known.machine)
    train = plan().train
    assert train is not None
    made = replace(plan(), facts=known, train=replace(train, devices=(1,)), serve=serve)
    environ = {"FTCTL_LEASES": str(tmp_path)}
    first = lease_again(made, wait=False, say=lambda _: None, environ=environ)
    assert first.gpus == (1, 3)
    with pytest.raises(Missing, match="GPU 1,3 is held by ftctl resume small"):
        lease_again(made, wait=False, say=lambda _: None, environ=environ)
    assert lease_again(plan(), wait=False, say=lambda _: None, environ=environ) == NOTHING


def test_part_of_a_lease_can_be_given_back(tmp_path: Path) -> None:
    lease = ask(tmp_path, 3)
    assert held_here(tmp_path) == lease
    left = lease.only((1,))
    assert left.gpus == (1,) and held(tmp_path) == [1] and held_here(tmp_path) == left
    assert left.only(()) == NOTHING and held(tmp_path) == [] and held_here(tmp_path) == NOTHING


def test_a_folder_that_nobody_can_write_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FtctlError, match="leases cannot be kept in") as caught:
        ask(tmp_path / "file", 1)
    assert "FTCTL_LEASES" in caught.value.remedy


def test_without_gpus_nothing_is_taken_or_made(tmp_path: Path) -> None:
    environ = {"FTCTL_LEASES": str(tmp_path / "leases")}
    lease = lease_for(job(), machine(), wait=True, say=lambda _: None, environ=environ)
    assert lease == NOTHING
    assert holders(tmp_path / "leases") == [] and not (tmp_path / "leases").exists()
