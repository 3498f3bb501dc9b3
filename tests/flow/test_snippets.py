"""What `ftctl deploy --print` shows, run as a user would run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftctl.deployments.model import Deployment
from ftctl.deployments.snippets import FORMS, snippet
from ftctl.errors import UsageError
from ftctl.process import ProcessId
from tests.conftest import ROOT, Cli


def deployment(kind: str) -> Deployment:
    process = ProcessId(1, 1, "boot")
    return Deployment(
        "it's",
        "vllm",
        "it's",
        "http://127.0.0.1:20000",
        process,
        0.0,
        "/d",
        "/m",
        None,
        kind,
        query_prompt="Query: " if kind != "generate" else None,
    )


def run(argv: list[str], text: str, **environ: str) -> str:
    done = subprocess.run(
        argv,
        input=text,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def pipeline(ftctl: Cli) -> Cli:
    """The command line with the dummy deployed as `pipeline`, in a home whose path has a blank."""
    ftctl("train", ROOT / "configs" / "dummy" / "pipeline.yaml", code=0)
    return ftctl


def test_snippets_ask_a_server(pipeline: Cli) -> None:
    try:
        shown = {form: pipeline("deploy", "pipeline", "--print", form, code=0).out for form in FORMS}
        key = next(pipeline.home.rglob("deployments/pipeline/key")).read_text().strip()
        assert key not in "".join(shown.values())
        assert run([sys.executable, "-"], shown["python"]).startswith("[ftctl dummy] heard: Hello!")
        if shutil.which("curl"):
            assert '"content": "[ftctl dummy] heard: Hello!' in run(["sh"], shown["curl"])
        answer = pipeline("deploy", "pipeline", "--print", "curl", "--json", code=0)
        assert answer.data["snippet"] == shown["curl"].rstrip("\n")
        tools = pipeline.home / "tools"
        tools.mkdir()
        told = '#!/bin/sh\nprintf "%s %s\\n%s" "$OPENAI_API_BASE_URL" "$OPENAI_API_KEY" "$*"\n'
        (tools / "uvx").write_text(told)
        (tools / "uvx").chmod(0o755)
        said = run(["sh"], shown["open-webui"], PATH=f"{tools}:{os.environ['PATH']}")
        url, given = said.splitlines()[0].split(" ")
        assert url.startswith("http://127.0.0.1:") and url.endswith("/v1") and given == key
        assert "open-webui serve" in said
    finally:
        pipeline("stop", "--all", timeout=60)
    refused = pipeline("deploy", "pipeline", "--print", "curl", code=2)
    assert "has been stopped" in refused.err


def test_every_kind_is_asked_by_what_it_serves() -> None:
    assert "/v1/embeddings" in snippet("curl", deployment("embed"), "/d/key")
    assert "Query: Hello" in snippet("openai", deployment("embed"), "/d/key")
    assert '["results"]' in snippet("python", deployment("score"), "/d/key")
    for kind in ("generate", "embed", "score"):
        compile(snippet("python", deployment(kind), "/d/o'key"), kind, "exec")
    compile(snippet("openai", deployment("generate"), "/d/key"), "openai", "exec")


@pytest.mark.parametrize(
    ("form", "kind", "said"),
    [
        ("openai", "score", "no call for them"),
        ("open-webui", "embed", "no model to talk with"),
        ("rust", "generate", "one of curl, python, openai, open-webui"),
    ],
)
def test_what_cannot_be_asked_so_is_refused(form: str, kind: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        snippet(form, deployment(kind), "/d/key")
    assert said in f"{refused.value} {refused.value.remedy}"


def test_an_unknown_deployment_starts_nothing(ftctl: Cli) -> None:
    answer = ftctl("deploy", Path("m"), "--print", "curl", code=2)
    assert "there is no deployment called m" in answer.err
