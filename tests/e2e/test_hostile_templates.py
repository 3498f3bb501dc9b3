"""Chat templates of strangers in vLLM's own jinja2: those that harm are refused, others are let through."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ftctl.deployments.template_trial import check_templates, templates_of
from ftctl.errors import FtctlError
from tests.conftest import Cli, demo_job
from tests.unit.test_template_trial import LOOP

pytestmark = pytest.mark.engine

LARGE = "{{ 'a' * 10**10 }}"
DOUBLED = "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (LOOP, "does not end"),
        (DOUBLED, "takes more than 1,024 MiB of memory"),
        (LARGE, "takes more than 1,024 MiB of memory"),
        ("{{ '%9999999999d' % 1 }}", "takes more than 1,024 MiB of memory"),
        ("{{ 'a' * 20000000 }}", "makes more than 10,000,000 characters"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
        ("{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}", "calls itself without end"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "does what no template may"),
        ("{{ self.__init__.__globals__ }}", "does what no template may"),
    ],
)
def test_a_template_that_harms_is_refused(vllm_python: Path, template: str, said: str) -> None:
    with pytest.raises(FtctlError, match=f"m: its chat template {said}"):
        check_templates(vllm_python, "m", [template])


def test_others_are_let_through(vllm_python: Path, tiny_model: Path) -> None:

    wrong = ["{% if %}", "{{ raise_exception('no system') }}", "{{ 1 // 0 }}", "{{ a.b.c }}"]
    marked = "{% for m in messages %}{% generation %}{{ m.content | tojson }}{% endgeneration %}{% endfor %}"
    own = list(templates_of(tiny_model))
    assert own
    check_templates(vllm_python, "m", [*wrong, marked, "{% for i in range(10**9) %}{% endfor %}", *own])


def test_a_deployment_with_such_a_template_is_one_error(
    ftctl: Cli, tiny_model: Path, vllm_python: Path
) -> None:
    subprocess.run(["cp", "-r", tiny_model, ftctl.cwd / "m"], check=True)
    (ftctl.cwd / "m" / "chat_template.jinja").write_text(LARGE)
    answer = ftctl("deploy", "m", "--engine-python", vllm_python, timeout=120, code=1)
    assert "its chat template takes more than" in answer.err
    assert ftctl("ps", "--all", "--json", code=0).data["deployments"] == []


def test_a_training_renders_no_such_template_either(ftctl: Cli, tiny_model: Path) -> None:
    subprocess.run(["cp", "-r", tiny_model, ftctl.cwd / "m"], check=True)
    (ftctl.cwd / "m" / "chat_template.jinja").write_text(LARGE)
    model = {"path": "m", "template": "qwen3_nothink"}
    job = demo_job(Path("m"), ftctl.cwd / "job.yaml", model=model)
    answer = ftctl("plan", job, "--check-template", timeout=240, code=1)
    assert "the model's chat template takes more than" in answer.err
