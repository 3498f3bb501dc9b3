"""A hostile model folder harms nothing: one error, in bounded time and memory, and no escapes in it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from tests.conftest import ROOT, Cli
from tests.hostile_files import REFUSED, TAKEN
from tests.model_files import write_adapter, write_model

MEMORY = 2**30  # bytes of address space: what holds the largest JSON that is read
LOOK = """
import json, sys
from pathlib import Path
from ftctl.artifacts.verify import adapter_in, model_in
from ftctl.deployments.checks import check_remote_code
from ftctl.errors import FtctlError
from ftctl.facts.model_dir import model_facts
from ftctl.job.model import Deploy

def look(folder):
    if (folder / "adapter_config.json").exists():
        adapter_in(folder, "base")
    else:
        model_in(folder)
        check_remote_code(model_facts(folder), Deploy(), trust=False)

for folder in sorted(Path(sys.argv[1]).iterdir()):
    try:
        look(folder)
        said = ""
    except FtctlError as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps([folder.name, said]), flush=True)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each folder, by one process that has little memory and a minute."""
    place = tmp_path_factory.mktemp("hostile")
    for name, damage in {**{name: one for name, (one, _) in REFUSED.items()}, **TAKEN}.items():
        damage(write_model(place / name))
    for name in ("link", "pipe"):
        adapter = write_adapter(place / f"an adapter with a {name}", "base")
        REFUSED[{"link": "a link to what is served", "pipe": "a pipe for a template"}[name]][0](adapter)
    pickled = write_adapter(place / "a pickled adapter", "base")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    found: dict[str, str] = dict(map(json.loads, done.stdout.splitlines()))
    assert (done.returncode, set(found)) == (0, {path.name for path in place.iterdir()}), done.stderr
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_harmful_is_one_error(said: dict[str, str], name: str) -> None:
    assert said[name].startswith("UsageError: ")
    assert REFUSED[name][1] in said[name]
    assert said[name].isprintable()
    assert len(said[name]) < 600


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_odd_alone_is_taken(said: dict[str, str], name: str) -> None:
    assert said[name] == ""


def test_adapters_are_looked_at_in_the_same_way(said: dict[str, str]) -> None:
    assert "chat_template.jinja is a link out of the folder" in said["an adapter with a link"]
    assert "chat_template.jinja is no regular file" in said["an adapter with a pipe"]
    assert "its weights are pickled" in said["a pickled adapter"]


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("an index that colours the terminal", ("validate job.yaml", "deploy m")),
        ("code of its own", ("plan job.yaml", "deploy job.yaml")),
    ],
)
def test_every_verb_says_so_and_starts_nothing(ftctl: Cli, name: str, verbs: tuple[str, ...]) -> None:
    damage, told = REFUSED[name]
    damage(write_model(ftctl.cwd / "m"))
    (ftctl.cwd / "job.yaml").write_text("name: t\nmodel: ./m\ndeploy: {gpus: 0, engine_python: python}\n")
    (ftctl.cwd / "python").symlink_to(sys.executable)
    for verb in verbs:
        more = ("--engine-python", ftctl.cwd / "python") if verb == "deploy m" else ()
        answer = ftctl(*verb.split(), *more, code=2)
        assert told in answer.err
        assert "\x1b" not in answer.err + answer.out
    assert not (ftctl.home / "ftctl" / "state" / "deployments").exists()


def test_code_of_its_own_is_served_where_the_job_allows_it(ftctl: Cli) -> None:
    REFUSED["code of its own"][0](write_model(ftctl.cwd / "m"))
    job = ftctl.cwd / "job.yaml"
    job.write_text("name: t\nmodel: {path: ./m, trust_remote_code: true}\ndeploy: {gpus: 0}\n")
    ftctl("plan", job, code=0)
    job.write_text("name: t\nmodel: ./m\ndeploy: {gpus: 0}\n")
    ftctl("plan", job, "--set", "deploy.native.trust_remote_code=true", code=0)
