"""What the tests share: the real command line, and a tiny model and a run made once a session.

Each test has a home of its own. Only the engine environments are shared, because they take minutes to
build: they are the user's (or those of FTCTL_ENGINES), and the first test that needs one installs it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ftctl.paths import engines_dir
from tests.shared import made_once, turn

# A shell's background job ignores Ctrl-C, and what nohup starts the end of its terminal; so would all that
# the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
DEMO = ROOT / "configs" / "demo"
DEMO_JOB = DEMO / "ftctl-qa.yaml"
INSTALL_TIMEOUT = 1200.0  # seconds; the first install fetches more than a gigabyte
TRAIN_TIMEOUT = 600.0

# Files whose engine tests take longest.
LONG = (
    "test_train_retrieval", "test_judge", "test_train", "test_rules_flagembedding", "test_resume",
    "test_resume_retrieval", "test_train_retrieval_ends",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What one call of ftctl gave back."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON envelope: the last line of standard output (`train --json` puts events before it)."""
        value: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return value

    @property
    def data(self) -> dict[str, Any]:
        value: dict[str, Any] = self.envelope["data"]
        return value


@dataclass(frozen=True)
class Cli:
    """ftctl as a process of its own, with a home of its own; call it with the arguments."""

    home: Path
    cwd: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60.0,
        code: int | None = None,
    ) -> Answer:
        """Run it to its end; with `code` that exit code is asserted, and what it said is shown if not."""
        done = subprocess.run(
            self.argv(*arguments),
            env={**self.environment, **(env or {})},
            cwd=cwd or self.cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if code is not None:
            assert answer.code == code, f"exit {answer.code}\n{answer.out[-4000:]}\n{answer.err[-4000:]}"
        return answer

    def argv(self, *arguments: str | Path) -> list[str]:
        """The command for a test that starts the process itself."""
        return [sys.executable, "-m", "ftctl", *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the calls: nothing of the user's ftctl but the engine environments."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "FTCTL_HOME"))}
        kept.pop("CUDA_VISIBLE_DEVICES", None)
        return {
            **kept,
            "HOME": str(self.home),
            "FTCTL_HOME": str(self.home / "ftctl"),
            "FTCTL_ENGINES": str(engines_dir()),
            # The caches of uv and of the compilers belong to the machine, not to one test.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            **({"PYTHONPATH": str(ROOT)} if os.environ.get("PYTHONPATH") else {}),
            "COLUMNS": "120",
            "NO_COLOR": "1",
            **self.more,
        }


def cli_in(folder: Path) -> Cli:
    """A command line whose home and working directory are new folders there."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    return Cli(home, work)


@pytest.fixture
def ftctl(tmp_path: Path) -> Cli:
    """The command line for one test; its working directory is `ftctl.cwd`."""
    return cli_in(tmp_path)


@pytest.fixture(scope="session")
def session_ftctl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line behind what a session makes once; what it still serves at the end is stopped."""
    cli = cli_in(tmp_path_factory.mktemp("session"))
    yield cli
    if (cli.home / "ftctl" / "state" / "deployments").is_dir():
        cli("stop", "--all", timeout=120)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with more data than the project's own; skips where this machine has none."""
    if not SHARED.is_dir():
        pytest.skip(f"there is no {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def engine_turn() -> Iterator[None]:
    """A turn at running engines on this machine, held to the end of the session; its share is one core."""
    with turn(), pytest.MonkeyPatch.context() as changed:
        changed.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def llamafactory_python(session_ftctl: Cli, engine_turn: None) -> Path:
    """The interpreter of the LLaMA-Factory environment, installed if it is missing."""
    return engine_python(session_ftctl, "llamafactory")


@pytest.fixture(scope="session")
def flagembedding_python(session_ftctl: Cli, engine_turn: None) -> Path:
    """The interpreter of the FlagEmbedding environment, installed if it is missing."""
    return engine_python(session_ftctl, "flagembedding")


@pytest.fixture(scope="session")
def vllm_python(session_ftctl: Cli, engine_turn: None) -> Path:
    """The interpreter of the vLLM environment, installed if it is missing."""
    return engine_python(session_ftctl, "vllm")


@pytest.fixture(scope="session")
def judge_python(session_ftctl: Cli) -> Path:
    """The interpreter of the judge's environment, installed if it is missing. It needs no turn."""
    return engine_python(session_ftctl, "judge")


@pytest.fixture(scope="session")
def lm_eval_python(session_ftctl: Cli) -> Path:
    """The interpreter of lm-eval's environment, installed if it is missing. It needs no turn."""
    return engine_python(session_ftctl, "lm-eval")


def engine_python(cli: Cli, name: str) -> Path:
    """The interpreter of an engine: the user's own (FTCTL_<ENGINE>_PYTHON), or the environment's."""
    own = os.environ.get(f"FTCTL_{name.upper().replace('-', '_')}_PYTHON")
    if own:
        return Path(own)
    cli("engines", "install", name, "--variant", "cpu", timeout=INSTALL_TIMEOUT, code=0)
    return Path(cli("engines", "path", name, "--variant", "cpu", code=0).out.strip())


@pytest.fixture(scope="session")
def tiny_model(llamafactory_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's untrained base model; tests read it and never write into it."""

    def make(folder: Path) -> None:
        maker = ROOT / "ftctl" / "inside" / "make_tiny_model.py"
        argv = [llamafactory_python, maker, folder, "--text", DEMO / "ftctl-qa.jsonl"]
        made = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, check=False)
        assert made.returncode == 0, made.stderr[-4000:]

    return made_once(tmp_path_factory, "tiny-model", make)


@dataclass(frozen=True)
class TrainedRun:
    """The demo's job, trained once. `directory` is the run's, `model` its base; `cli` knows only this run."""

    directory: Path
    model: Path
    cli: Cli
    answer: Answer


@pytest.fixture(scope="session")
def trained_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """`ftctl train` of the demo's job without its deployment; the run's directory is for reading only."""

    def make(folder: Path) -> None:
        folder.mkdir()
        cli = cli_in(folder)
        job = demo_job(tiny_model, cli.cwd / "demo.yaml")
        answer = cli("train", job, "--json", timeout=TRAIN_TIMEOUT, code=0)
        (folder / "answer.json").write_text(json.dumps(asdict(answer)))

    folder = made_once(tmp_path_factory, "trained-run", make)
    cli = Cli(folder / "home", folder / "work")
    (record,) = (cli.cwd / "runs").glob("*/*/run.json")
    answer = Answer(**json.loads((folder / "answer.json").read_text()))
    return TrainedRun(record.parent, tiny_model, cli, answer)


def demo_job(model: Path, target: Path, /, **changes: Any) -> Path:
    """Write the demo's job to `target` for the model there; without `deploy:` and `evaluate:` unless given.

    `changes` replace whole blocks of the job; None takes one away.
    """
    from ftctl.job.node import values
    from ftctl.job.yaml12 import compose

    node, problems = compose(DEMO_JOB.read_text(), str(DEMO_JOB))
    assert node is not None and not problems
    job: dict[str, Any] = values(node)
    # PyYAML reads by YAML 1.1, where 3e-3 is a text; ftctl reads by 1.2, where it is a number.
    job["train"]["learning_rate"] = float(job["train"]["learning_rate"])
    for block in ("deploy", "evaluate"):
        job.pop(block, None)
    job["model"] = str(model)
    train = job["data"]["train"]
    job["data"]["train"] = [_absolute(entry) for entry in ([train] if isinstance(train, str) else train)]
    for key, value in changes.items():
        job.pop(key, None)
        if value is not None:
            job[key] = value
    target.write_text(json.dumps(job, indent=2))  # JSON is YAML
    return target


def _absolute(entry: str | dict[str, Any]) -> str | dict[str, Any]:
    """A dataset of the demo's job, its path no longer relative to the job file."""
    if isinstance(entry, str):
        return str((DEMO / entry).resolve())
    return {**entry, "path": str((DEMO / entry["path"]).resolve())}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs engines comes last, so that a small mistake is known in seconds, and waits for its turn.

    A worker takes a file of them at a time, the longest first, so that none is left over at the end.
    """
    items.sort(key=_turn_of)
    for item in items:
        if item.get_closest_marker("engine") and isinstance(item, pytest.Function):
            item.fixturenames.insert(0, "engine_turn")


def _turn_of(item: pytest.Item) -> tuple[bool, int]:
    name = item.path.stem
    return item.get_closest_marker("engine") is not None, LONG.index(name) if name in LONG else len(LONG)
