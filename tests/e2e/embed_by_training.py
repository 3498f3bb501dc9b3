"""What FlagEmbedding and sentence-transformers make of the models of test_deploy_pooling.py.

    PYTHON embed_by_training.py make ROOT TEXT       makes ROOT/encoder, …, untrained
    PYTHON embed_by_training.py ask ROOT             writes reference.json into each, and ROOT/others.json

One process each, because importing FlagEmbedding takes ten seconds.
"""

import json
import runpy
import sys
from pathlib import Path

INSIDE = Path(__file__).resolve().parents[2] / "ftctl" / "inside"
KINDS = ("encoder", "decoder")
sys.path.insert(0, str(INSIDE))


def run(script: str, *words: str) -> None:
    sys.argv = [script, *words]
    try:
        runpy.run_path(str(INSIDE / script), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise


def make(root: Path, text: str) -> None:
    for kind in KINDS:
        run("make_tiny_retrieval.py", kind, str(root / kind), "--text", text, "--seed", "7")


def ask(root: Path) -> None:
    from sentence_transformers import (
        SentenceTransformer,
    )

    others = {}
    for file in sorted(root.glob("*.ask.json")):
        asked = json.loads(file.read_text())
        run("flagembedding_reference.py", str(file), str(Path(asked["model"]) / "reference.json"))
        if asked["task"] == "embedding":
            model = SentenceTransformer(asked["model"], device="cpu")
            vectors = model.encode(asked["texts"])
            queries = model.encode(asked["queries"], prompt_name="query")
            others[Path(asked["model"]).name] = [[float(n) for n in v] for v in (*vectors, *queries)]
    (root / "others.json").write_text(json.dumps(others))


if __name__ == "__main__":
    what, folder, *more = sys.argv[1:]
    if what == "make":
        make(Path(folder), *more)
    else:
        ask(Path(folder))
