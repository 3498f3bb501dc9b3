"""Asks a server the tasks of lm-evaluation-harness: `python run_tasks.py REQUEST.json`.

Run by lm-eval's interpreter. Each entry of the request is written as soon as it is done, and one whose file
is there already is not asked again. The server's key is in the environment (OPENAI_API_KEY). Standard output
tells how far it is as lines of JSON. A question that gets no answer fails its entry: lm-eval counts figures
of the whole or none.
"""

import hashlib
import json
import os
import pathlib
import stat
import sys
import threading
from collections.abc import Iterable
from typing import Any

import requests
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager

CHAT, COMPLETIONS = "local-chat-completions", "local-completions"
GENERATED = "generate_until"  # the one kind of task that only asks for an answer
LENGTH = 2048  # tokens, where the server does not say how many it takes
KEPT = ("results", "groups", "higher_is_better", "n-samples", "n-shot", "versions")


def main(place: str) -> int:
    """Ask every entry that has no result yet."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=end_with_starter, daemon=True).start()
    asked = json.loads(pathlib.Path(place).read_text(encoding="utf-8"))
    home, entries = pathlib.Path.cwd(), asked["entries"]
    length = asked["max_length"] or longest(asked)
    for number, entry in enumerate(entries):
        say(doing=entry["name"], done=number, total=len(entries))
        output = pathlib.Path(entry["output"])
        if not output.exists():
            # What a task says of its own files is meant from its own folder.
            os.chdir(entry["include"] or home)
            result = run(entry, asked, length)
            os.chdir(home)
            write(output, result)
    say(doing="tasks", done=len(entries), total=len(entries))
    return 0


def end_with_starter() -> None:
    """Standard input ends when who started this is gone, however that went: nothing is asked for nobody."""
    while os.read(0, 1):
        pass
    os._exit(1)


def say(**fields: Any) -> None:
    print(json.dumps(fields, ensure_ascii=False), flush=True)


def run(entry: dict[str, Any], asked: dict[str, Any], length: int) -> dict[str, Any]:
    """What lm-eval makes of one entry: a task, a group, or every task of a folder.

    Tasks that only ask for an answer go through the chat template; the others need likelihoods of given
    answers, which a chat does not tell.
    """
    manager, names = found(entry)
    tasks = {name: manager.load([name])["tasks"] for name in names}
    chats = {name: kinds(own.values()) == {GENERATED} for name, own in tasks.items()}
    merged: dict[str, Any] = {**{name: {} for name in KEPT}, "hashes": {}, "api": {}, "samples": []}
    for chat in (True, False):
        if chosen := [name for name, own in chats.items() if own is chat]:
            evaluated = evaluate(entry, manager, chosen, model_arguments(asked, length, chat), asked, chat)
            for part in KEPT:
                merged[part].update(evaluated.get(part) or {})
            merged["api"].update(dict.fromkeys(evaluated["results"], "chat" if chat else "completions"))
            merged["samples"] += samples(evaluated["samples"])
            merged["lm_eval"] = evaluated["lm_eval_version"]
            for own in (tasks[name] for name in chosen):
                merged["hashes"] |= {
                    n: digest(task.dump_config(), evaluated["samples"][n]) for n, task in own.items()
                }
    return merged


def kinds(tasks: Iterable[Any]) -> set[str]:
    return {task.get_config("output_type") for task in tasks}


def evaluate(
    entry: dict[str, Any],
    manager: TaskManager,
    names: list[str],
    arguments: dict[str, Any],
    asked: dict[str, Any],
    chat: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = simple_evaluate(
        model=CHAT if chat else COMPLETIONS,
        model_args=arguments,
        tasks=names,
        num_fewshot=entry["fewshot"],
        limit=entry["limit"],
        task_manager=manager,
        apply_chat_template=chat,
        system_instruction=asked["system"] if chat else None,
        log_samples=True,
        bootstrap_iters=1000,
        confirm_run_unsafe_code=False,
    )
    return found


def found(entry: dict[str, Any]) -> tuple[TaskManager, list[str]]:
    """The tasks that lm-eval knows, its own only where they are asked for, and the names to ask."""
    if entry["include"]:
        manager = TaskManager(include_path=entry["include"], include_defaults=False)
        names = [entry["task"]] if entry["task"] else manager.all_subtasks
        if names and all(name in manager.all_tasks for name in names):
            return manager, names
        if not entry["task"]:
            raise SystemExit(f"there is no task in {entry['include']}: a task is a YAML file with task:")
    manager = TaskManager(include_path=entry["include"])
    if entry["task"] not in manager.all_tasks:
        raise SystemExit(f"lm-eval has no task {entry['task']!r}; `lm_eval ls tasks` lists them")
    return manager, [entry["task"]]


def model_arguments(asked: dict[str, Any], length: int, chat: bool) -> dict[str, Any]:
    """What lm-eval is told of the server. The tokenizer is read only where likelihoods are asked for."""
    path = "/v1/chat/completions" if chat else "/v1/completions"
    own: dict[str, Any] = {"tokenizer_backend": None, "tokenized_requests": False}
    if not chat:
        own = {"tokenizer": asked["tokenizer"], "tokenizer_backend": "huggingface"}
    return {
        "model": asked["model"],
        "base_url": asked["address"] + path,
        "num_concurrent": max(2, asked["concurrency"]),  # one at a time, lm-eval gives failures up in silence
        "max_retries": asked["retries"] + 1,
        "timeout": asked["timeout"],
        "max_length": length,
        "max_gen_toks": min(256, length // 2),  # of tasks that do not say how much they want
        "ca_cert_path": asked["ca"],
        **own,
    }


def longest(asked: dict[str, Any]) -> int:
    """How many tokens the server takes, as it says itself."""
    key = os.environ.get("OPENAI_API_KEY", "")
    answer = requests.get(
        f"{asked['address']}/v1/models",
        headers={"Authorization": f"Bearer {key}"},
        verify=asked["ca"] or True,
        timeout=30,
    )
    answer.raise_for_status()
    models = answer.json()["data"]
    own = [model.get("max_model_len") for model in models if model.get("id") == asked["model"]]
    return int(own[0]) if own and own[0] else LENGTH


def samples(given: dict[str, Any]) -> list[dict[str, Any]]:
    """What was asked and answered, one record a question."""
    return [
        {"task": name, "id": one["doc_id"], "target": one["target"], "answer": one["filtered_resps"],
         "scores": {metric: one[metric] for metric in one["metrics"] if metric in one}}
        for name, questions in given.items()
        for one in questions
    ]  # fmt: skip


def digest(config: dict[str, Any], asked: list[dict[str, Any]]) -> str:
    """What tells a task from another of the same name and version: how it asks, and every question."""
    questions = [[one[part] for part in ("doc_hash", "prompt_hash", "target_hash")] for one in asked]
    return hashlib.sha256(json.dumps([config, questions], sort_keys=True, default=str).encode()).hexdigest()


def write(output: pathlib.Path, result: dict[str, Any]) -> None:
    fresh = output.with_suffix(".new")
    fresh.write_text(json.dumps(result, ensure_ascii=False, default=str), encoding="utf-8")
    fresh.replace(output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
