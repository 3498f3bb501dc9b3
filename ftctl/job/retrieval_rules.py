"""Rules between keys for the tasks embedding and reranker: what belongs to them alone, and what to others."""

from __future__ import annotations

from dataclasses import fields

from ftctl.job.training import RETRIEVAL, Retrieval
from ftctl.job.view import Broken, Rule, View

KEYS = ("variant", *(field.name for field in fields(Retrieval)))
# They shape vectors; a reranker gives scores.
OF_EMBEDDING = ("temperature", "pooling", "normalize", "negatives_across_devices")
VARIANTS = {
    "embedding": ("encoder-only-base", "encoder-only-m3", "decoder-only-base", "decoder-only-icl"),
    "reranker": ("encoder-only-base", "decoder-only-base", "decoder-only-layerwise"),
}
_REMOVE = "remove it"
_NOT_FLAGEMBEDDING = {  # what FlagEmbedding 1.4.2 has nothing for, and the way out
    "train.max_length": "set query_max_length and passage_max_length",
    "train.packing": _REMOVE,
    "train.kernels": _REMOVE,
    "train.quantization": _REMOVE,
    "train.freeze": _REMOVE,
    "train.lora.rslora": _REMOVE,
    "train.lora.dora": _REMOVE,
    "train.eval_every": "remove it: data.eval is measured once, through the deployment",
    "model.template": "remove it: no chat template is used",
    "model.revision": "download that revision and name its folder, or use --offline",
    "data.workers": "remove it; native: {dataloader_num_workers: …} reads rows in processes of their own",
}


def _task(job: View) -> str:
    return str(job.get("train.task") or "sft")


def _trains(job: View) -> bool:
    return _task(job) in RETRIEVAL


def _engine(job: View) -> Broken:
    engine = job.get("train.engine")
    if engine == "flagembedding" and not _trains(job) and ("train", "task") not in job.bad:
        said = f"is flagembedding, which trains embedders and rerankers, and train.task is {_task(job)}"
        yield ("train", "engine"), (said, "write task: embedding or reranker, or remove engine")
    if engine == "llamafactory" and _trains(job):
        said = f"is {engine}, which trains no embedders or rerankers, and train.task is {_task(job)}"
        yield ("train", "engine"), (said, "write flagembedding, or remove it")


def _own_keys(job: View) -> Broken:
    if _trains(job) or ("train", "task") in job.bad:
        return
    for key in KEYS:
        if job.has(f"train.{key}"):
            said = f"belongs to the tasks embedding and reranker, and train.task is {_task(job)}"
            yield ("train", key), (said, "remove it, or write task: embedding or task: reranker")


def _reranker(job: View) -> Broken:
    if _task(job) != "reranker":
        return
    for key in OF_EMBEDDING:
        if job.has(f"train.{key}"):
            yield ("train", key), ("is for vectors, and a reranker gives scores", _REMOVE)
    if job.get("train.train_group_size") == 1:
        said = "is 1, which leaves a reranker nothing to compare: it would train at loss 0"
        yield ("train", "train_group_size"), (said, "write 2 or more")


def _variant(job: View) -> Broken:
    variant = job.get("train.variant")
    if variant is not None and _trains(job) and variant not in VARIANTS[_task(job)]:
        listed = ", ".join(VARIANTS[_task(job)])
        yield (
            ("train", "variant"),
            (f"{variant} is no {_task(job)} of FlagEmbedding", f"write one of {listed}"),
        )


def _others_keys(job: View) -> Broken:
    if not _trains(job):
        return
    for key, remedy in _NOT_FLAGEMBEDDING.items():
        if job.get(key) not in (None, False, [], {}):
            yield tuple(key.split(".")), (f"does not go with task {_task(job)}", remedy)
    if (method := job.get("train.method")) in ("freeze", "oft"):
        yield ("train", "method"), (f"{method} does not go with task {_task(job)}", "write full or lora")
    if job.get("train.attention") == "disabled":
        yield ("train", "attention"), (f"disabled does not go with task {_task(job)}", "remove it")
    if (mix := job.get("data.mix")) not in (None, "concat"):
        yield ("data", "mix"), (f"{mix} does not go with task {_task(job)}", "remove it: files are joined")
    if job.get("model.hub") == "modelscope":
        said = f"modelscope does not go with task {_task(job)}"
        yield ("model", "hub"), (said, "download the model and name its folder")


RETRIEVAL_RULES: tuple[Rule, ...] = (
    Rule("task-engine", "`train.engine` is one that trains `train.task`.", _engine),
    Rule("retrieval-keys", "Keys of embedders and rerankers go with the tasks embedding and reranker.",
         _own_keys),
    Rule("reranker-keys", "A reranker takes no key that shapes vectors, and groups of 2 or more.", _reranker),
    Rule("variant", "`train.variant` is one of the task's.", _variant),
    Rule("no-retrieval-keys", "Keys of language models stay away from embedding and reranker.", _others_keys),
)  # fmt: skip
