"""A deployment that comes back after a reboot: its systemd unit, and what the unit calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ftctl.deployments import client, store
from ftctl.deployments.kept import is_kept, kept_of, write_kept
from ftctl.deployments.launch import launch_of
from ftctl.deployments.stop import leave_alone, stop
from ftctl.keep import reboot
from ftctl.keep.unit import quoted, unit_text
from ftctl.process import alive, own_session
from tests.flow.conftest import Starter
from tests.waiting import until


def verified(unit: Path, text: str) -> list[str]:
    """What systemd has to say about a unit."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this machine has no systemd-analyze")
    unit.write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if unit.name in line]


@pytest.mark.parametrize(
    "environ", [{}, {"FTCTL_HOME": '/home/me/my "own" $HOME 100% 模型', "FTCTL_ENGINES": "/srv/engines"}]
)
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path, environ: dict[str, str]) -> None:
    unit = tmp_path / "ftctl-ft.service"
    assert verified(unit, unit_text("ft", Path(sys.executable), environ)) == []
    wrong = unit_text("ft", tmp_path / "no-python", environ).replace("oneshot", "twice")
    said = "\n".join(verified(unit, wrong))
    assert "no-python" in said
    assert "twice" in said


def test_a_word_comes_back_from_systemd_as_it_was() -> None:
    assert quoted('a "b" \\ 5% $c') == '"a \\"b\\" \\\\ 5%% $c"'
    assert quoted("a $b", command=True) == '"a $$b"'


def test_a_deployment_that_is_always_to_run_has_a_unit_until_it_is_stopped(
    serve: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    serve(restart="always")
    unit = tmp_path / "config/systemd/user/ftctl-ft.service"
    text = unit.read_text()
    assert f'Environment="FTCTL_HOME={tmp_path / "home"}"' in text
    assert store.key_of(store.get("ft")) not in text
    leave_alone(store.get("ft"))
    assert not unit.exists()
    launch = launch_of(store.get("ft").folder)
    assert launch is not None
    assert launch.restart == "never"
    assert store.state(store.get("ft")) == "running"

    serve(name="other", restart="always")
    assert unit.with_name("ftctl-other.service").exists()
    stop(store.get("other"), now=True)
    assert not unit.with_name("ftctl-other.service").exists()
    reboot.remove("never-there")


def test_it_is_up_again_after_a_reboot_with_its_key_and_its_address(serve: Starter) -> None:
    deployment = serve()
    entry = store.get("ft")
    key = store.key_of(entry)
    assert reboot.main(["stop", "ft"]) == 0
    assert own_session(deployment.process) == ()
    until(lambda: store.state(store.get("ft")) == "stopped" and not is_kept(entry.folder))
    kept = kept_of(entry.folder)
    assert kept is not None
    # What the next boot finds: its pids may be anyone's.
    other = replace(kept.process, pid=1, boot="the boot before")
    write_kept(
        entry.folder, replace(kept, process=other, keeper=replace(kept.keeper, boot="the boot before"))
    )

    assert reboot.main(["start", "ft"]) == 0
    until(lambda: (now := kept_of(entry.folder)) is not None and now.state == "running")
    assert store.state(store.get("ft")) == "running"
    assert client.models(deployment.url, key) == ("ft",)
    process = store.get("ft").deployment.process
    assert reboot.main(["start", "ft"]) == 0, "one that is kept is left alone"
    assert alive(process)


def test_a_unit_of_a_deployment_that_is_gone_says_so(serve: Starter) -> None:
    assert reboot.main(["start", "nobody"]) == 1
