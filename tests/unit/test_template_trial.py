"""Chat templates of strangers, rendered in a process of its own: what is refused, and that it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ftctl.artifacts.safetensors import BrokenWeights
from ftctl.deployments.template_trial import check_templates, templates_of
from ftctl.errors import FtctlError
from tests.model_files import write_model

LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def test_the_templates_of_a_folder_are_all_found(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert list(templates_of(folder)) == ["{{ messages }}"]
    named = [{"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}, "x"]
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert list(templates_of(folder)) == ["one", "two"]
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "rag.jinja").write_text("three")
    (folder / "chat_template.jinja").write_text("four")
    assert list(templates_of(folder)) == ["four", "three"]
    (folder / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(BrokenWeights, match="not UTF-8"):
        list(templates_of(folder))


def test_an_end_by_a_signal_is_a_refusal(tmp_path: Path) -> None:
    """The kernel's limits end the trial by one; a program that is no trial refuses nothing."""
    python = tmp_path / "python"
    for line, refused in (("kill -XCPU $$", True), ("kill -KILL $$", True), ("exit 1", False)):
        python.write_text(f"#!/bin/sh\n{line}\n")
        python.chmod(0o755)
        if refused:
            with pytest.raises(FtctlError, match="m: its chat template does not end"):
                check_templates(python, "m", [LOOP])
        else:
            check_templates(python, "m", [LOOP])


def test_what_the_trial_says_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'does what no template may'\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(FtctlError, match="m: its chat template does what no template may") as caught:
        check_templates(python, "m", ["x"])
    assert "mend chat_template" in caught.value.remedy
    check_templates(Path(sys.executable), "m", [])
