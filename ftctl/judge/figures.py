"""The figures of a ranking, computed by a kept library in FlagEmbedding's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftctl.deployments.model import Deployment
from ftctl.errors import FtctlError, Missing
from ftctl.facts.packages import packages_of
from ftctl.judge.ask import Tell, embed_to, score_all
from ftctl.judge.model import K
from ftctl.judge.relevance import Relevance
from ftctl.paths import PACKAGE
from ftctl.process import run
from ftctl.rendered import environment

LIBRARY = "pytrec-eval-terrier"
PROGRAM = PACKAGE / "inside" / "retrieval_figures.py"


@dataclass(frozen=True)
class Figures:
    """Recall, MRR and nDCG: their means, and those of each query by its id."""

    mean: Mapping[str, float]
    by_query: Mapping[str, Mapping[str, float]]
    library: str


def figures_of(
    deployment: Deployment, key: str, test: Relevance, *, python: Path, folder: Path, tell: Tell
) -> Figures:
    """What the deployment achieves in the test. `python` is FlagEmbedding's interpreter, `folder` is for what
    lies between. Raises FtctlError where the server or the program fails."""
    ranking: dict[str, Any]
    if deployment.kind == "embed":
        width = embed_to(deployment, key, test, folder, tell)
        files = {kind: str(folder / f"{kind}.f32") for kind in ("queries", "passages")}
        ids = {"queries": list(test.queries), "passages": list(test.passages)}
        ranking = {"vectors": {**ids, "files": files, "width": width}}
    else:
        ranking = {"scores": score_all(deployment, key, test, tell)}
    return counted({"relevant": test.relevant, "k": K, **ranking}, python, folder)


def counted(request: Mapping[str, Any], python: Path, folder: Path) -> Figures:
    """What the program makes of the request. Raises Missing where its environment lacks the library."""
    asked, answer = folder / "request.json", folder / "figures.json"
    asked.write_text(json.dumps(request), encoding="utf-8")
    env = environment(os.environ, {"PYTHONPATH": None})
    done = run((str(python), str(PROGRAM), str(asked), str(answer)), cwd=folder, env=env)
    if done.code:
        words = done.err.strip().splitlines()[-1:] or ["no word"]
        if "No module named 'pytrec_eval'" in words[0]:
            raise _no_library(python)
        raise FtctlError(f"the figures could not be counted: {words[0]}", "report it with the run")
    found = json.loads(answer.read_text(encoding="utf-8"))
    return Figures(found["mean"], found["queries"], found["library"])


def check_library(python: Path) -> None:
    """Raises Missing where an interpreter of the user's own cannot count, hours before it would be asked."""
    packages = packages_of(python)
    if packages is not None and LIBRARY not in packages:
        raise _no_library(python)


def _no_library(python: Path) -> Missing:
    what = f"{python} has no {LIBRARY}, which counts recall and nDCG on the held-out rows"
    return Missing(what, f"install {LIBRARY} there, or leave data.eval or train.engine_python out")
