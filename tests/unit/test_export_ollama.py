"""Ollama's Modelfile: templates found in conversations, and Go's templates as far as they are known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer

from ftctl.errors import FtctlError
from ftctl.export.for_ollama import check_template
from ftctl.export.go_template import UnknownTemplate, compiled, rendered, text
from ftctl.export.make import Asked, Watched, export
from ftctl.export.source import source_of
from ftctl.inside.chat_conversations import CONVERSATIONS
from tests.ended_runs import again, ended_run
from tests.tokenizer_files import write_tokenizer

Messages = Sequence[dict[str, str]]
QUIET = Watched(lambda path, count: None, lambda said: None, lambda total: None)


def chatml(messages: Messages) -> str:
    said = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
    return said + "<|im_start|>assistant\n"


def turns(messages: Messages) -> tuple[str | None, Messages]:
    """The system's words and the rest."""
    first = messages[0]
    return (first["content"], messages[1:]) if first["role"] == "system" else (None, messages)


def of_its_own(messages: Messages) -> str:
    """A system prompt of the template's own, quotes and braces, and another form of the first turn."""
    system, rest = turns(messages)
    said = f'<s>{{{{"{system or "Be kind."}"}}}}\n'
    for one in rest:
        said += f'Q: "{one["content"]}" A:' if one["role"] == "user" else f" {one['content']}</s>"
    return said


def inside_the_user(messages: Messages) -> str:
    """Llama 2's kind: the system's words are in the user's first message."""
    system, rest = turns(messages)
    ahead = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system is not None else ""
    said = "<s>"
    for number, one in enumerate(rest):
        if one["role"] == "user":
            said += f"[INST] {ahead if number == 0 else ''}{one['content']} [/INST]"
        else:
            said += f" {one['content']} </s>"
    return said


def thoughtful(messages: Messages) -> str:
    """An empty thought before each earlier answer, and none asked for."""
    return chatml(messages).replace("<|im_start|>assistant\n", "<|im_start|>assistant\n<think></think>", 1)


def folder_with(tmp_path: Path, bos: str | None = None) -> tuple[Path, Tokenizer]:
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken(word) for word in ("<|im_start|>", "<|im_end|>", "<s>", "</s>")])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": bos}))
    return tmp_path, tokenizer


def recorded(tokenizer: Tokenizer, write: Any) -> dict[str, Any]:
    """What a training by this template records."""
    found = []
    for one in CONVERSATIONS:
        said = write(one["messages"])
        more = {key: one[key] for key in ("tools",) if key in one}
        more |= {"kwargs": {"enable_thinking": one["thinking"]}} if "thinking" in one else {}
        ids = tokenizer.encode(said, add_special_tokens=False).ids
        needed = "tools" not in one
        found.append(
            {
                "name": one["name"],
                "messages": one["messages"],
                "ids": ids,
                "text": said,
                "needed": needed,
                **more,
            }
        )
    return {"conversations": found, "usual": {}, "end": {"id": 1, "token": "<|im_end|>"}, "template": "x"}


@pytest.mark.parametrize("write", [chatml, of_its_own, inside_the_user])
@pytest.mark.parametrize("bos", [None, "<s>"])
def test_the_template_is_found_in_the_conversations(tmp_path: Path, write: Any, bos: str | None) -> None:
    folder, tokenizer = folder_with(tmp_path, bos)
    made = check_template(recorded(tokenizer, write), folder)
    assert made.count == 9
    assert made.left[0] == "tools"
    assert made.bos == (bos if write is not chatml else None)
    node = compiled(made.template)
    for one in CONVERSATIONS:
        assert (made.bos or "") + rendered(node, one["messages"]) == write(one["messages"])
    assert '"""' not in made.template
    assert not made.template.endswith('"')


def test_chatml_looks_as_one_would_write_it(tmp_path: Path) -> None:
    folder, tokenizer = folder_with(tmp_path)
    assert check_template(recorded(tokenizer, chatml), folder).template == (
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
        '{{ range .Messages }}{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '<|im_start|>assistant\n{{ else if eq .Role "assistant" }}{{ .Content }}<|im_end|>\n'
        "{{ end }}{{ end }}"
    )


def test_a_template_that_no_go_template_gives_is_refused(tmp_path: Path) -> None:
    folder, tokenizer = folder_with(tmp_path)

    def counting(messages: Messages) -> str:
        return f"{len(messages)} messages\n{chatml(messages)}"

    with pytest.raises(FtctlError, match="conversations differ") as caught:
        check_template(recorded(tokenizer, counting), folder)
    assert "--to merged" in caught.value.remedy
    with pytest.raises(FtctlError, match="conversations differ"):
        check_template(recorded(tokenizer, thoughtful), folder)
    shouting = recorded(tokenizer, lambda messages: chatml(messages).upper())
    with pytest.raises(FtctlError, match="is not trained as it is said"):
        check_template(shouting, folder)
    with_tools = recorded(tokenizer, chatml)
    with_tools["conversations"][9]["needed"] = True
    with pytest.raises(FtctlError, match="the data has tools"):
        check_template(with_tools, folder)


def test_other_tokens_of_the_same_text_are_found(tmp_path: Path) -> None:
    folder, tokenizer = folder_with(tmp_path)
    trained = recorded(tokenizer, chatml)
    trained["conversations"][0]["ids"] = [*trained["conversations"][0]["ids"], 5]
    with pytest.raises(FtctlError, match="1 of 9 conversations differ, the first is 'one question'"):
        check_template(trained, folder)
    trained["conversations"][0]["also"] = trained["conversations"][0]["ids"][:-1]
    assert check_template(trained, folder).count == 9


def test_an_export_for_ollama(tmp_path: Path) -> None:
    run = ended_run(tmp_path)
    _, tokenizer = folder_with(run.path / "output", "<s>")
    again(run, "output")
    run.write_json("trained_template.json", recorded(tokenizer, inside_the_user))
    made = export(source_of(str(run.path)), tmp_path / "there", Asked("ollama"), QUIET)
    said = (tmp_path / "there" / "Modelfile").read_text()
    assert re.search(r'^FROM \.\nTEMPLATE """', said, re.MULTILINE)
    assert said.endswith('"""\nPARAMETER stop "<|im_end|>"\n')
    config = json.loads((tmp_path / "there" / "tokenizer_config.json").read_text())
    assert config == {"bos_token": "<s>", "add_bos_token": True}
    assert made.notes[0] == "the Modelfile's template gives the tokens of the training in 9 conversations"
    run.remove("trained_template.json")
    with pytest.raises(FtctlError, match="no record of the template"):
        export(source_of(str(run.path)), tmp_path / "other", Asked("ollama"), QUIET)
    assert not (tmp_path / "other").exists()


def test_gos_templates() -> None:
    said = (
        '{{ if .System }}<{{ .System }}>{{ else }}none{{ end }}{{ "\\u200b{{" }}'
        '{{ range .Messages }}{{ if eq .Role "user" }}U{{ .Content }}{{ else if eq .Role "tool" }}T{{ else }}'
        "A{{ end }}{{ end }}{{ .Nothing }}"
    )
    node = compiled(said)
    user, system = {"role": "user", "content": "x"}, {"role": "system", "content": "s"}
    assert rendered(node, [user]) == "none\u200b{{Ux"
    assert (
        rendered(node, [system, user, user, {"role": "assistant", "content": ""}]) == "<s>\u200b{{AUx\n\nxA"
    )


@pytest.mark.parametrize(
    "said",
    ["{{- .System }}", "{{ range .Messages }}", "{{ end }}", "{{ if and .A .B }}{{ end }}", "{{ .A | b }}",
     "{{ $x }}", "{{ range .Messages }}{{ else }}{{ end }}", "{{ if .A }}", '{{ "\\x41" }}'],
)  # fmt: skip
def test_what_is_not_known_is_refused(said: str) -> None:
    with pytest.raises(UnknownTemplate):
        compiled(said)


@pytest.mark.parametrize(
    "said", ["plain\nlines", '"""', "{{ .System }}", "}}", "a\u200bb\r", "渡轮 <｜end▁of｜>", "{"]
)
def test_any_text_comes_through_a_template(said: str) -> None:
    written = text(said)
    assert rendered(compiled(written), []) == said
    assert '"""' not in written
    assert written.replace("\n", "").isprintable()
