"""What LLaMA-Factory trains a model to see of a conversation, and the chat template that shows a server it.

    PYTHON llamafactory_template.py native/train.yaml [OUT]        (OUT is trained_template.json)

OUT holds for each conversation of chat_conversations.py the token ids up to the answer, by the engine's own
loader, template and encoding of training rows; `chat_template` is the jinja that gives the same ids, the one
that the engine saves or else one made of the template's own parts, and null where neither does. It needs the
tokenizer alone, no weights, and takes no GPU. Seen with 0.9.5.
"""

import copy
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from chat_conversations import CONVERSATIONS, TOOLS  # type: ignore[import-not-found] # beside this file
from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
from llamafactory.data.template import ReasoningTemplate, get_template_and_fix_tokenizer
from llamafactory.extras.constants import IGNORE_INDEX
from llamafactory.hparams import DataArguments, ModelArguments
from llamafactory.hparams.parser import read_args
from llamafactory.model import load_tokenizer
from transformers import HfArgumentParser
from try_template import trial  # type: ignore[import-not-found] # beside this file

OUT = "trained_template.json"
ANSWER, THOUGHT = "OK.", "Hm."
UNBOUND = 1 << 30  # tokens: nothing is cut
STAGES = frozenset({"sft", "rm", "dpo", "kto"})  # those whose rows are conversations


class Trained:
    """A template with its tokenizer, as a training has them, and how it encodes a conversation."""

    def __init__(self, model_args: Any, data_args: Any) -> None:
        loaded = load_tokenizer(model_args)
        self.name = data_args.template
        self.tokenizer = loaded["tokenizer"]
        tried(self.tokenizer.chat_template)  # the engine may render it
        self.template = get_template_and_fix_tokenizer(self.tokenizer, data_args)
        # On prompts too the ids are the same; the labels would not tell where the answer begins.
        data_args = copy.copy(data_args)
        data_args.cutoff_len, data_args.train_on_prompt = UNBOUND, False
        self.processor = SupervisedDatasetProcessor(
            template=self.template,
            tokenizer=self.tokenizer,
            processor=loaded["processor"],
            data_args=data_args,
        )

    @property
    def thinks(self) -> bool:
        return isinstance(self.template, ReasoningTemplate)

    @property
    def modes(self) -> tuple[bool, ...]:
        """Whether it was trained to think, not to, or both; nothing of it for a template without thoughts."""
        if not self.thinks:
            return ()
        asked = self.template.enable_thinking
        return (True, False) if asked is None else (bool(asked),)

    @property
    def has_tools(self) -> bool:
        return bool(self.template.format_tools.tool_format != "default")

    def encoded(self, conversation: Mapping[str, Any]) -> dict[str, Any]:
        """The ids up to the answer; `also` are those of the engine's own inference, where it has others:
        a template that thinks drops earlier turns' thoughts there and trains with them."""
        system, messages = split(conversation["messages"])
        answer = {"role": "assistant", "content": self.answer(conversation)}
        tools = json.dumps([*TOOLS]) if conversation.get("tools") else None
        ids, labels = self.processor._encode_data_example(messages, [answer], system, tools, [], [], [])
        if None in ids:
            raise ValueError(f"the tokenizer lacks a token that the template {self.name} writes")
        while labels and labels[-1] != IGNORE_INDEX:
            labels.pop()
        prompt = ids[: len(labels)]
        inferred, _ = self.template.encode_oneturn(self.tokenizer, [*messages, answer], system, tools)
        return {"ids": prompt} if inferred == prompt else {"ids": prompt, "also": inferred}

    def answer(self, conversation: Mapping[str, Any]) -> str:
        """What the model is to say. Where it is to think, a thought is in it, and so not in the prompt."""
        if conversation.get("thinking", self.modes[:1] == (True,)):
            before, after = self.template.thought_words
            return f"{before}{THOUGHT}{after}{ANSWER}"
        return ANSWER

    def end(self) -> dict[str, Any] | None:
        """The token that the trained model ends its answer with; None where it learns none."""
        row = self.processor._encode_data_example(
            [{"role": "user", "content": ANSWER}], [{"role": "assistant", "content": ANSWER}],
            None, None, [], [], [],
        )  # fmt: skip
        stops = set(self.template.get_stop_token_ids(self.tokenizer))
        last = next((token for token, label in zip(*row, strict=True) if label in stops), None)
        return None if last is None else {"id": last, "token": self.tokenizer.convert_ids_to_tokens(last)}


def tried(jinja: Any) -> None:
    """Raise ValueError for a chat template that must not be rendered: whoever made the model wrote it."""
    for text in jinja.values() if isinstance(jinja, dict) else [jinja]:
        if isinstance(text, str) and (said := trial(text)):
            raise ValueError(f"the model's chat template {said}")


def split(messages: list[dict[str, str]]) -> tuple[str | None, list[dict[str, str]]]:
    """The system prompt, and the messages after it."""
    if messages[0]["role"] == "system":
        return messages[0]["content"], messages[1:]
    return None, messages


def asked(trained: Trained, tools_needed: bool) -> Iterator[dict[str, Any]]:
    """The conversations that this template can have, each with its ids and text.

    `needed` is false for what no row of the data has: tools that only the template knows.
    """
    for conversation in CONVERSATIONS:
        thinking, tools = conversation.get("thinking"), bool(conversation.get("tools"))
        if (thinking is not None and thinking not in trained.modes) or (
            tools and not (trained.has_tools or tools_needed)
        ):
            continue
        one = {"name": conversation["name"], "messages": conversation["messages"]}
        one |= {"tools": list(TOOLS)} if tools else {}
        one |= {"kwargs": {"enable_thinking": thinking}} if thinking is not None else {}
        one |= {"needed": tools_needed or not tools, **trained.encoded(conversation)}
        yield one | {"text": trained.tokenizer.decode(one["ids"])}


def candidates(trained: Trained) -> Iterator[tuple[str, Any]]:
    """The jinja that the engine saves, then one of the template's own parts; or the one that the job's
    server is given, as a file or as it is."""
    if given := os.environ.get("FTCTL_CHAT_TEMPLATE"):
        jinja = given if "{" in given else pathlib.Path(given).read_text(encoding="utf-8")
        tried(jinja)
        yield "given", jinja
        return
    if trained.tokenizer.chat_template:
        yield "saved", trained.tokenizer.chat_template
    try:
        own = trained.template._get_jinja_template(trained.tokenizer)
    except ValueError:  # a part that cannot be said in jinja
        return
    yield "template", own + no_thought(trained)


def no_thought(trained: Trained) -> str:
    """The end of a jinja for a template that was trained not to think, always or when asked."""
    if False not in trained.modes:
        return ""
    words = json.dumps("".join(trained.template.thought_words), ensure_ascii=False)
    when = "enable_thinking is defined and not enable_thinking"
    when = when if True in trained.modes else "not (enable_thinking is defined and enable_thinking)"
    return f"{{% if add_generation_prompt and {when} %}}{{{{ {words} }}}}{{% endif %}}"


def difference(
    trained: Trained, jinja: Any, one: dict[str, Any], usual: dict[str, Any]
) -> dict[str, Any] | None:
    """Where a jinja gives other ids for a conversation; None where it gives the same."""
    try:
        ids = trained.tokenizer.apply_chat_template(
            one["messages"],
            tools=one.get("tools"),
            chat_template=jinja,
            add_generation_prompt=True,
            return_dict=False,
            **{**usual, **one.get("kwargs", {})},
        )
    except Exception as error:  # noqa: BLE001 - a template raises what it likes
        return {"name": one["name"], "error": f"{type(error).__name__}: {error}"}
    if ids in (one["ids"], one.get("also")):
        return None
    return {"name": one["name"], "ids": ids, "text": trained.tokenizer.decode(ids)}


def examine(model_args: Any, data_args: Any) -> dict[str, Any]:
    """All that OUT holds."""
    trained = Trained(model_args, data_args)
    usual = {"enable_thinking": False} if trained.modes == (False,) else {}
    conversations = list(asked(trained, has_tools(data_args)))
    differences: dict[str, list[dict[str, Any]]] = {}
    chosen = None
    for source, jinja in candidates(trained):
        found = [difference(trained, jinja, one, usual) for one in conversations]
        differences[source] = [one for one in found if one is not None]
        if not any(
            one is not None and asked["needed"] for one, asked in zip(found, conversations, strict=True)
        ):
            chosen = source, jinja
            break
    return {
        "format": 1,
        "engine": "llamafactory",
        "template": trained.name,
        "source": chosen[0] if chosen else None,
        "chat_template": chosen[1] if chosen else None,
        "usual": usual,
        "end": trained.end(),
        "differences": differences,
        "conversations": conversations,
    }


def words(value: Mapping[str, Any]) -> str:
    """Where the chat template that is tried first goes another way, for people."""
    needed = {one["name"]: one for one in value["conversations"] if one["needed"]}
    source, found = next(iter(value["differences"].items()), ("", []))
    own = "deploy.native.chat_template" if source == "given" else "the tokenizer's own"
    first = next((one for one in found if one["name"] in needed), None)
    if first is None:
        return "the tokenizer has no chat template"
    where = f"({first['name']}) {own}"
    if "error" in first:
        return f"{where} fails: {first['error'][:100]}"
    trained = needed[first["name"]]["text"]
    pairs = enumerate(zip(trained, first["text"], strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(trained), len(first["text"])))
    shown = (text[at : at + 40] or "the end" for text in (first["text"], trained))
    return "{} has {!r} where {!r} is trained".format(where, *shown)


def has_tools(data_args: Any) -> bool:
    """Whether any data set that the run registers has a column of tools."""
    file = pathlib.Path(str(data_args.dataset_dir), "dataset_info.json")
    if not file.is_file():
        return False
    info = json.loads(file.read_text(encoding="utf-8"))
    return any("tools" in (entry.get("columns") or {}) for entry in info.values())


def write(out: str = OUT) -> dict[str, Any]:
    """Examine what sys.argv[1] configures and write OUT; the value that was written."""
    model_args, data_args = HfArgumentParser((ModelArguments, DataArguments)).parse_dict(
        read_args(), allow_extra_keys=True
    )
    value = examine(model_args, data_args)
    target = pathlib.Path(out)
    half = target.with_name(f".{target.name}.half")  # renamed when whole: a reader never sees a part
    half.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    half.replace(target)
    return value


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: llamafactory_template.py native/train.yaml [OUT]")
    out = sys.argv.pop() if len(sys.argv) == 3 else OUT
    write(out)
