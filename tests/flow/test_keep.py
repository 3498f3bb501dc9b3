"""The keeper of a deployment: a stand-in server, killed and frozen for real."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftctl.deployments import client, metrics, store
from ftctl.deployments.kept import Kept, is_kept, kept_of
from ftctl.deployments.launch import LAUNCH, Pace
from ftctl.deployments.model import Deployment
from ftctl.deployments.stop import stop
from ftctl.errors import UsageError
from ftctl.events import parse
from ftctl.keep.again import keep_again
from ftctl.keep.decide import WINDOW, decide, recent
from ftctl.process import ProcessId, alive, identify, own_session
from tests.conftest import Cli
from tests.flow.conftest import STANDIN, Starter
from tests.model_files import write_model
from tests.small_disk import fill, mounted
from tests.waiting import freeze, until

SOON = Pace(every=0.2, answer=0.5, patience=1.0, refused=0.5, first=0.05, grace=0.1)


def kept() -> Kept:
    found = kept_of(store.folder_of("ft"))
    assert found is not None
    return found


def state() -> str:
    return store.state(store.get("ft"))


def kill(*processes: ProcessId) -> None:
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)


def again_after(process: ProcessId) -> None:
    """Wait for another server than that one, watched by a keeper that has one to follow it."""
    until(lambda: kept().process != process and kept().state == "running" and alive(kept().standby))
    assert client.healthy(store.get("ft").deployment.url)
    assert own_session(process) == ()


def watched(deployment: Deployment) -> Kept:
    until(lambda: kept().state == "running" and alive(kept().standby))
    return kept()


def test_a_killed_server_is_started_again_and_nothing_of_it_is_left(serve: Starter) -> None:
    deployment = serve(pace=SOON)
    child = int((Path(deployment.folder) / "child.pid").read_text())
    kill(watched(deployment).process)
    again_after(deployment.process)
    assert identify(child) is None
    assert (kept().restarts, state()) == (1, "running")
    events = [parse(line) for line in (store.get("ft").folder / store.EVENTS).read_text().splitlines()]
    said = [event.data for event in events if event is not None and event.data["state"] == "restarting"]
    assert said[0]["detail"].startswith("ft: vLLM was killed by signal 9 from outside")
    assert (said[0]["used"], said[0]["allowed"]) == (1, 5)
    assert "[ftctl]" in (store.get("ft").folder / store.LOG).read_text()


def test_a_killed_keeper_is_followed_by_another_and_the_server_stays(serve: Starter) -> None:
    deployment = serve()
    first = watched(deployment)
    kill(first.keeper)
    until(lambda: kept().keeper == first.standby and alive(kept().standby))
    assert kept().process == deployment.process
    assert state() == "running"
    kill(kept().process)
    again_after(deployment.process)


def test_without_a_keeper_a_server_is_unsupervised_until_the_next_command(serve: Starter) -> None:
    deployment = serve()
    first = watched(deployment)
    kill(first.standby, first.keeper)
    until(lambda: not is_kept(store.get("ft").folder))
    assert state() == "unsupervised"
    assert keep_again(store.get("ft"))
    until(lambda: kept().keeper != first.keeper and kept().state == "running")
    assert state() == "running"
    assert kept().process == deployment.process
    assert not keep_again(store.get("ft"))


def test_all_killed_at_once_is_dead_and_comes_back_by_the_next_command(serve: Starter) -> None:
    deployment = serve(pace=SOON)
    first = watched(deployment)
    kill(first.standby, first.keeper, first.process)
    until(lambda: not is_kept(store.get("ft").folder) and not alive(first.process))
    assert state() == "dead"
    assert own_session(first.process) != (), "what the server left is there until somebody looks"
    assert keep_again(store.get("ft"))
    again_after(deployment.process)


def test_a_server_that_hangs_is_started_again(serve: Starter) -> None:
    deployment = serve(pace=SOON)
    freeze(watched(deployment).process.pid)
    until(lambda: kept().state == "unhealthy")
    again_after(deployment.process)
    assert "has given no sign of life" in (store.get("ft").folder / store.LOG).read_text()


def test_a_server_that_is_healthy_and_does_not_compute_is_started_again(serve: Starter) -> None:
    deployment = serve("stuck", pace=SOON)
    again_after(watched(deployment).process)
    assert "has given no sign of life for" in (store.get("ft").folder / store.LOG).read_text()


def test_a_busy_server_is_left_alone(serve: Starter) -> None:
    """It answers no request of ours, and has written more tokens for others at every look."""
    deployment = serve("busy", pace=SOON)
    first = watched(deployment)
    # This look makes a token more, as the keeper's do; patience would have ended meanwhile.
    until(lambda: (now := metrics.count(store.get("ft"))) is not None and now.generation_tokens > 200)
    assert kept() == first


def test_what_does_not_pass_is_not_tried_again(serve: Starter) -> None:
    deployment = serve("once", pace=SOON)
    kill(watched(deployment).process)
    until(lambda: state() == "failed")
    assert "room for 384 tokens only" in store.get("ft").why
    assert "does not pass by itself" in store.get("ft").why
    assert kept().restarts == 1
    until(lambda: not is_kept(store.get("ft").folder))


def test_a_server_that_fails_over_and_over_is_given_up(serve: Starter) -> None:
    deployment = serve("shaky", pace=SOON, max_restarts=2)
    kill(watched(deployment).process)
    until(lambda: state() == "failed")
    assert "it was started again 2 times within 10 minutes" in store.get("ft").why
    assert "something that no table knows" in store.get("ft").why
    assert kept().restarts == 2
    assert own_session(kept().process) == ()


def test_an_orderly_end_is_no_failure(serve: Starter) -> None:
    deployment = serve()
    os.kill(watched(deployment).process.pid, signal.SIGTERM)
    until(lambda: state() == "stopped")
    until(lambda: not is_kept(store.get("ft").folder))


def test_the_launch_record_has_no_key(serve: Starter) -> None:
    folder = Path(serve().folder)
    assert (folder / "key").read_text().strip() not in (folder / LAUNCH).read_text()
    assert "--stand-in" in (folder / LAUNCH).read_text()


def test_a_server_whose_starter_is_killed_is_ended(ftctl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to compare it, and to be told that it is ready."""
    monkeypatch.setenv("FTCTL_HOME", str(ftctl.home / "ftctl"))
    write_model(ftctl.cwd / "m")
    argv = ftctl.argv("deploy", ftctl.cwd / "m", "--name", "ft", "--engine-python", STANDIN)
    env = {**ftctl.environment, "STAND_IN": "deaf"}
    with subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL) as starter:
        until(lambda: (found := kept_of(store.folder_of("ft"))) is not None and alive(found.process))
        starter.kill()
    until(lambda: state() == "failed")
    assert "was not ready when who started it was ended" in store.get("ft").why
    assert own_session(kept().process) == ()
    until(lambda: not is_kept(store.get("ft").folder))


@pytest.mark.parametrize(
    ("policy", "failures", "may_pass", "clean", "again", "wait"),
    [
        ("on-failure", 1, True, False, True, 1.0),
        ("on-failure", 3, True, False, True, 4.0),
        ("always", 5, True, True, True, 16.0),
        ("on-failure", 6, True, False, False, 0.0),
        ("on-failure", 1, False, False, False, 0.0),
        ("on-failure", 1, True, True, False, 0.0),
        ("never", 1, True, False, False, 0.0),
    ],
)
def test_when_a_server_is_started_again(
    policy: str, failures: int, may_pass: bool, clean: bool, again: bool, wait: float
) -> None:
    decision = decide(policy, 5, [1.0] * failures, may_pass=may_pass, clean=clean)
    assert (decision.again, decision.wait) == (again, wait)
    assert bool(decision.reason) is not again


def test_old_failures_do_not_count_and_waits_are_bounded() -> None:
    now = time.time()
    assert recent([now - WINDOW - 1, now - 1], now) == (now - 1,)
    assert decide("always", 100, [now] * 20).wait == 60.0


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Path]:
    """The home of `serve`, on a file system of its own."""
    with mounted(tmp_path / "home", "1m") as folder:
        yield folder


def test_on_a_full_disk_what_is_stopped_stays_stopped(small_home: Path, serve: Starter) -> None:
    deployment = serve(restart="always")
    first = watched(deployment)
    filled = fill(small_home, 0)
    stop(store.get("ft"))
    assert (state(), own_session(first.process)) == ("stopped", ())
    with pytest.raises(UsageError, match="has no key"):
        store.key_of(store.get("ft"))
    filled.unlink()
    assert not keep_again(store.get("ft"))
