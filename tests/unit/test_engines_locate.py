"""Where an engine's interpreter is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftctl.engines.built import Built, write_marker
from ftctl.engines.locate import console_script, locate
from ftctl.engines.uv import find_links, has_wheel, uv_environment, without_rivals
from ftctl.errors import UsageError


def interpreter(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(sys.executable)
    return path


def test_what_is_not_built_is_where_it_will_be(tmp_path: Path) -> None:
    facts = locate("vllm", "cpu", python=None, environ={"FTCTL_HOME": str(tmp_path / "home")})
    assert (facts.name, facts.variant, facts.installed, facts.version) == ("vllm", "cpu", False, None)
    assert facts.python.is_relative_to(tmp_path / "home" / "engines")
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_marked_environment_is_installed(tmp_path: Path) -> None:
    environ = {"FTCTL_HOME": str(tmp_path)}
    python = interpreter(locate("vllm", "cpu", python=None, environ=environ).python)
    assert not locate("vllm", "cpu", python=None, environ=environ).installed, "an unmarked one is not ready"
    write_marker(python.parents[1], Built("vllm", "cpu", "0.32.0", "digest", 1.0))
    facts = locate("vllm", "cpu", python=None, environ=environ)
    assert (facts.installed, facts.version, facts.python) == (True, "0.32.0", python)
    assert console_script(facts, "vllm") == python.parent / "vllm"


def test_the_jobs_interpreter_wins_over_the_variable(tmp_path: Path) -> None:
    job, variable = interpreter(tmp_path / "job" / "python"), interpreter(tmp_path / "variable" / "python")
    environ = {"FTCTL_HOME": str(tmp_path), "FTCTL_VLLM_PYTHON": str(variable)}
    by_job = locate("vllm", "cpu", python=job, environ=environ)
    assert (by_job.python, by_job.variant, by_job.installed) == (job, "user", True), "its links are kept"
    assert locate("vllm", "cpu", python=None, environ=environ).python == variable
    assert locate("llamafactory", "cpu", python=None, environ=environ).variant == "cpu"


def test_an_interpreter_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    plain = tmp_path / "python"
    with pytest.raises(UsageError, match=f"FTCTL_VLLM_PYTHON: there is no interpreter at {plain}"):
        locate("vllm", "cpu", python=None, environ={"FTCTL_VLLM_PYTHON": str(plain)})
    plain.write_text("not a program")
    with pytest.raises(UsageError, match=f"engine_python: {plain} is not executable"):
        locate("vllm", "cpu", python=plain, environ={})
    with pytest.raises(UsageError, match="there is no interpreter"):
        locate("vllm", "cpu", python=tmp_path, environ={})


def test_folders_of_wheels_are_taken_from_uv_and_pip(tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    links = find_links({"UV_FIND_LINKS": "/one,/two", "PIP_FIND_LINKS": f"{tmp_path} /one"})
    assert links == ("/one", "/two", str(tmp_path))
    assert has_wheel(links, "torch", "2.13.0+cpu")
    assert not has_wheel(links, "torch", "2.13.1+cpu")
    assert without_rivals(links, {"torch": "2.13.0+cpu"}) == links
    assert without_rivals(links, {"torch": "2.13.0"}) == ("/one", "/two"), "uv would take the CPU's build"


def test_uv_is_not_led_astray_by_the_environment() -> None:
    env = uv_environment(
        {"PATH": "/bin", "VIRTUAL_ENV": "/v", "PYTHONDONTWRITEBYTECODE": "1", "PIP_FIND_LINKS": "/w"}
    )
    assert env == {"PATH": "/bin", "PIP_FIND_LINKS": "/w", "UV_FIND_LINKS": "/w"}


def test_a_mirror_that_pip_uses_is_used_by_uv() -> None:
    mirror = {"PIP_INDEX_URL": "file:///mirror/simple"}
    assert uv_environment(mirror)["UV_DEFAULT_INDEX"] == "file:///mirror/simple"
    own = {**mirror, "UV_DEFAULT_INDEX": "file:///own/simple"}
    assert uv_environment(own)["UV_DEFAULT_INDEX"] == "file:///own/simple"
