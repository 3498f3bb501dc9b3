"""Rules between keys, which a schema of single keys cannot say: one table, one function each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftctl.job.native import conflicts
from ftctl.job.node import Path
from ftctl.job.retrieval_rules import RETRIEVAL_RULES
from ftctl.job.view import Broken, Rule, Said, View


def broken(
    document: Mapping[str, Any], bad: tuple[Path, ...]
) -> Iterator[tuple[str, Path, Said, frozenset[str]]]:
    """Every broken rule: its name, the path to point at, message and remedy, and the keys it looked at."""
    for rule in RULES:
        view = View(document, bad)
        yield from ((rule.name, path, said, frozenset(view.asked)) for path, said in rule.find(view))


def _something_to_do(job: View) -> Broken:
    blocks = ("train", "deploy", "evaluate")
    if not any(job.has(block) for block in blocks) and not any(
        path[:1] in {(b,) for b in blocks} for path in job.bad
    ):
        yield (), ("the job has neither train nor deploy", "add `train: {}` or `deploy: {}`")


def _train_needs_data(job: View) -> Broken:
    wrong = any(path[:1] == ("data",) for path in job.bad)
    if job.has("train") and not job.has("data.train") and not wrong:
        yield (
            ("data", "train"),
            ("is missing, and the job has train", "write for example data: {train: data/train.jsonl}"),
        )


def _evaluation_needs_rows(job: View) -> Broken:
    given = job.has("data.eval") or job.wrong("data", "eval")
    if job.get("train.eval_every") is not None and not given:
        yield (
            ("train", "eval_every"),
            ("there are no rows to evaluate with", "set data.eval, for example to 0.05"),
        )


def _method(job: View) -> str:
    return str(job.get("train.method") or "lora")


def _method_blocks(job: View) -> Broken:
    for block in ("lora", "freeze"):
        known = not any(path == ("train", "method") for path in job.bad)
        if job.get(f"train.{block}") and known and _method(job) != block:
            said = f"is set, and train.method is {_method(job)}"
            yield ("train", block), (said, f"remove it, or write method: {block}")


def _quantization(job: View) -> Broken:
    value = job.get("train.quantization")
    if value is None:
        return
    method, bits = job.get("train.quantization.method") or "bnb", job.get("train.quantization.bits")
    if _method(job) in ("full", "freeze"):
        said = f"needs method lora, and train.method is {_method(job)}"
        yield ("train", "quantization"), (said, "write method: lora, or remove it")
    fits = {"bnb": (4, 8), "eetq": (8,)}.get(method, (2, 3, 4, 5, 6, 8))
    if bits is not None and bits not in fits:
        listed = " or ".join(map(str, fits))
        yield (
            ("train", "quantization", "bits"),
            (f"is {bits}, and {method} takes {listed}", f"write {fits[0]}"),
        )
    if job.get("train.lora.dora"):
        yield ("train", "lora", "dora"), ("does not work with quantization", "remove one of the two")


def _weights(job: View) -> Broken:
    files = job.get("data.train")
    mix = job.get("data.mix") or "concat"
    if job.wrong("data", "mix") or job.wrong("data", "train"):
        return
    if not isinstance(files, list):
        if mix != "concat" and job.has("data.train"):
            yield (
                ("data", "mix"),
                (f"is {mix}, and there is one file", "remove it, or add files to data.train"),
            )
        return
    if any(job.wrong("data", "train", number, "weight") for number in range(len(files))):
        return
    weighted = [
        i for i, item in enumerate(files) if isinstance(item, Mapping) and item.get("weight") is not None
    ]
    if weighted and mix == "concat":
        message = "has an effect only when files are interleaved"
        yield (
            ("data", "train", weighted[0], "weight"),
            (message, "set data.mix to interleave_under or interleave_over"),
        )
    elif weighted and len(weighted) < len(files):
        without = next(i for i in range(len(files)) if i not in weighted)
        yield (
            ("data", "train", without),
            ("has no weight, and other files have one", "give every file a weight"),
        )


def _batch(job: View) -> Broken:
    whole, micro = job.get("train.batch_size"), job.get("train.micro_batch_size")
    if isinstance(whole, int) and isinstance(micro, int) and micro and whole % micro:
        near = sorted({max(micro, whole // micro * micro), (whole // micro + 1) * micro})
        message = f"is {whole}, no multiple of micro_batch_size {micro}"
        yield ("train", "batch_size"), (message, f"the nearest that fit are {' and '.join(map(str, near))}")


def _cpu(job: View) -> Broken:
    if job.get("resources.gpus") != 0 or isinstance(job.get("resources.gpus"), bool):
        return
    for key, values in (("precision", ("fp16",)), ("attention", ("fa2",))):
        value = job.get(f"train.{key}")
        if value in values:
            yield ("train", key), (f"is {value}, which needs a GPU, and resources.gpus is 0", "remove it")
    if job.get("train.kernels"):
        yield ("train", "kernels"), ("need a GPU, and resources.gpus is 0", "remove them")


def _dummy(job: View) -> Broken:
    """A job without train may serve what a dummy has made: its folder says so."""
    trains, serves = job.get("train.engine") == "dummy", job.get("deploy.engine")
    if not job.has("train") or job.wrong("train", "engine"):
        return
    if trains and serves not in (None, "auto", "dummy"):
        said = f"is {serves}, and what train.engine: dummy makes no real engine can serve"
        yield ("deploy", "engine"), (said, "write dummy, or remove it")
    if serves == "dummy" and not trains:
        said = "is dummy, which serves nothing but what train.engine: dummy makes"
        yield ("deploy", "engine"), (said, "write auto, or set train.engine: dummy too")


def _adapter(job: View) -> Broken:
    if job.get("deploy.adapter") == "attach" and job.has("train") and _method(job) != "lora":
        said = f"is attach, and train.method {_method(job)} makes no adapter"
        yield ("deploy", "adapter"), (said, "remove it, or write method: lora")
    elif job.get("deploy.adapter") == "attach" and job.get("train.lora.dora") is True:
        said = "is attach, and no server attaches what is trained with train.lora.dora"
        yield ("deploy", "adapter"), (said, "write merge, or remove dora")


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _adapters(job: View) -> Broken:
    named = job.get("deploy.adapters")
    if not isinstance(named, Mapping):
        return
    served = job.get("deploy.name") or job.get("name")
    for name in named:
        path, other = ("deploy", "adapters", name), "give the adapter another name"
        if not NAME.fullmatch(str(name)):
            wanted = (
                "at most 64 letters, digits, dots, hyphens and underscores that begin with a letter or digit"
            )
            yield path, (f"{name} cannot be a model's name in the API", f"wanted: {wanted}")
        elif served and name in (served, f"{served}-base"):
            yield path, (f"{name} is the name of the model that is served", other)
    trains = job.has("train") and not job.wrong("train", "method") and not job.wrong("deploy", "adapter")
    if trains and job.get("deploy.adapter") != "attach":
        said = "adapters belong to a base model, and this job serves what it trains"
        yield (
            ("deploy", "adapters"),
            (said, "set deploy.adapter: attach, or serve them by a job without train"),
        )


_BY_MODEL = ("draft_model", "eagle", "eagle3", "medusa", "mlp_speculator", "dflash")


def _speculative(job: View) -> Broken:
    method, model = job.get("deploy.speculative.method"), job.get("deploy.speculative.model")
    if method in ("ngram", "suffix") and model is not None:
        said = f"has no use: {method} drafts from what was said before"
        yield ("deploy", "speculative", "model"), (said, "remove it, or write another method")
    elif method in _BY_MODEL and model is None and not job.wrong("deploy", "speculative", "model"):
        yield (
            ("deploy", "speculative", "model"),
            (f"is missing: {method} drafts by a model", "name its folder"),
        )


LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}|localhost|::1")


def _open_address(job: View) -> Broken:
    host = job.get("deploy.host")
    if isinstance(host, str) and not LOOPBACK.fullmatch(host) and not job.has("deploy.api_key"):
        message = f"{host} is reachable from other machines, and there is no api_key"
        yield ("deploy", "host"), (message, "write api_key: ${env:NAME}, or remove host")


def _gate(job: View) -> Broken:
    if job.has("evaluate.gate"):
        from ftctl.job.gate_rules import gate  # few jobs have one

        yield from gate(job)


def _evaluation(job: View) -> Broken:
    if job.has("evaluate") or job.has("data.test"):
        from ftctl.job.evaluate_rules import broken as wrong  # most jobs judge nothing

        yield from wrong(job)


def _silence(job: View) -> Broken:
    names = job.get("silence")
    if not isinstance(names, list) or not names:
        return
    from ftctl.advice.table import BY_NAME
    from ftctl.job.suggest import nearest
    from ftctl.rules.table import all_names

    known = all_names() | BY_NAME.keys()
    for number, name in enumerate(names):
        if isinstance(name, str) and name not in known:
            near = nearest(name, known)
            remedy = f"did you mean {near}?" if near else "see docs/rules.md and docs/advice.md"
            yield ("silence", number), (f"{name} is no rule of an engine and no advice", remedy)


def _native(job: View) -> Broken:
    for path, message, remedy in conflicts(job.document):
        yield path, (message, remedy)


RULES: tuple[Rule, ...] = (
    Rule("something-to-do", "A job has `train`, `deploy` or both.", _something_to_do),
    Rule("train-needs-data", "`train` needs `data.train`.", _train_needs_data),
    Rule("evaluation-needs-rows", "`train.eval_every` needs `data.eval`.", _evaluation_needs_rows),
    Rule("method-blocks", "`train.lora` and `train.freeze` go with the method of that name.", _method_blocks),
    Rule("quantization", "`train.quantization` needs method lora, bits that its method takes, and no DoRA.",
         _quantization),
    Rule("weights", "Weights need `data.mix: interleave_…` and stand on every file or on none.", _weights),
    Rule("batch", "`train.batch_size` is a multiple of `train.micro_batch_size`.", _batch),
    Rule("cpu", "With `resources.gpus: 0` nothing is asked for that needs a GPU.", _cpu),
    *RETRIEVAL_RULES,
    Rule("dummy", "A dummy's artifact and nothing else is served by a dummy.", _dummy),
    Rule("adapter", "`deploy.adapter: attach` needs a training of an adapter, without DoRA.", _adapter),
    Rule("adapters", "`deploy.adapters` have names of their own, and belong to a model that is not merged.",
         _adapters),
    Rule("speculative", "A draft by a model names it, and a draft without one does not.", _speculative),
    Rule("open-address", "A `deploy.host` that other machines reach needs `deploy.api_key`.", _open_address),
    Rule("gate", "`evaluate.gate` has rules that can be read, over figures that are measured.", _gate),
    Rule("evaluation", "`evaluate` needs `deploy`, and `evaluate.data` or `data.test`. Embedders and "
         "rerankers are measured on `data.eval` instead.", _evaluation),
    Rule("silence", "`silence` names rules and advice that there are.", _silence),
    Rule("native", "`native` leaves alone what ftctl sets, repeats no key, and holds no secret.", _native),
)  # fmt: skip
