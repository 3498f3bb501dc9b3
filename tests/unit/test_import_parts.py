"""The parts of an import: a script's words, a command's arguments, the comparison, the job's text."""

from __future__ import annotations

from typing import Any

import pytest

from ftctl.importing import shell_words
from ftctl.importing.compare import compare, same
from ftctl.importing.draft import Draft, names
from ftctl.importing.flags import nested, parse, value_of
from ftctl.importing.source import Around, read
from ftctl.importing.table import origin_of
from ftctl.importing.write import text as written
from ftctl.job.load import job_schema
from ftctl.job.node import values
from ftctl.job.yaml12 import compose


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("vllm serve m --port 1", [("vllm", "serve", "m", "--port", "1")]),
        ("vllm serve \\\n  m \\\n  --x 'a b'\n", [("vllm", "serve", "m", "--x", "a b")]),
        ("M=one\nvllm serve $M-x ${M} \"$M y\"", [("vllm", "serve", "one-x", "one", "one y")]),
        ("P=${PORT:-80}\nrun --p $P", [("run", "--p", "80")]),
        ("run '$M'", [("run", "$M")]),
        ("a && b | c; d &", [("a",), ("b",), ("c",), ("d",)]),
        ("run x > out.log 2>&1", [("run", "x")]),
        ("# don't\nrun x # isn't\nrun y", [("run", "x"), ("run", "y")]),
        ('A="x \\\n y"\nrun $A', [("run", "x", "y")]),
        ("cmd=\"run \\\n  x\"\necho $cmd\neval $cmd", [("run", "x")]),
        ("run 'never closed", []),
        ("a=(--x 'b c')\na+=(--y)\nrun \"${a[@]}\" z", [("run", "--x", "b c", "--y", "z")]),
        ("declare -a a=(\n  --x 1 # one\n  --y\n)\nrun ${a[*]}", [("run", "--x", "1", "--y")]),
        ("run $(ls 'a b' | tail -1) `pwd; x`/o", [("run", "$(ls 'a b' | tail -1)", "`pwd; x`/o")]),
        ("", []),
    ],
)  # fmt: skip
def test_the_words_of_a_script(script: str, words: list[tuple[str, ...]]) -> None:
    assert [command.words for command in shell_words.commands(script)] == words


def test_the_variables_that_a_command_runs_with() -> None:
    [command] = shell_words.commands("export A=1\nB=2\nC=3 run $B $D $(date)")
    assert command.env == {"A": "1", "C": "3"}
    assert command.words[:2] == ("run", "2")
    assert "$D" in command.unresolved
    assert command.line == 3


def test_the_arguments_of_a_command() -> None:
    words = [
        "m",
        "--a",
        "1",
        "--b=x y",
        "--eager",
        "z",
        "--no-cache",
        "-tp",
        "2",
        "--many",
        "p",
        "q",
        "--n",
        "-1",
    ]
    found = parse(words, switches={"eager"}, lists={"many"}, short={"-tp": "tensor-size"})
    assert found.loose == ("m", "z")
    assert found.named == {
        "a": "1", "b": "x y", "eager": True, "cache": False, "tensor_size": "2", "many": ["p", "q"],
        "n": "-1",
    }  # fmt: skip


def test_values_and_parts_of_arguments() -> None:
    assert value_of('{"a": [1]}') == {"a": [1]}
    assert value_of("{not json") == "{not json"
    assert value_of(["1e-4", "True", "x"]) == [1e-4, True, "x"]
    assert nested({"a.b": "1", "a.c": "x", "d": True}) == {"a": {"b": 1, "c": "x"}, "d": True}


@pytest.mark.parametrize("given", ["a,b", "[a, b]", "['a','b']", ["a", "b"]])
def test_names_however_they_are_written(given: Any) -> None:
    assert names(given) == ["a", "b"]


def test_a_comparison_tells_every_difference() -> None:
    original = {"a": 1, "seed": 7, "learning_rate": 1e-4, "hub_token": "s3cret", "eval_dataset": None}
    rendered = {"a": 2, "seed": 7, "learning_rate": 0.0001, "lora_rank": 8, "lora_alpha": 16}
    found = {difference.key: difference for difference in compare(original, rendered)}
    assert sorted(found) == ["a", "hub_token", "lora_alpha"]
    assert found["a"].why == ""
    assert found["lora_alpha"].why
    assert "s3cret" not in str(found["hub_token"])


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        (3, 3.0, True),
        (True, 1, False),
        ("a, b", ["a", "b"], True),
        ("1", 1, False),
        ({"a": 1}, {"a": 1}, True),
    ],
)
def test_values_that_the_engine_reads_as_one(one: Any, two: Any, equal: bool) -> None:
    assert same(one, two) is equal


AWKWARD = [
    "", " ", "true", "1e-4", "0x10", "no", "~", "null", "- a", "a: b", "# c", "x #y", "{", "[a]", "'q'",
    '"q"', "${X}", "$${X}", "$$${X}", "back\\slash", "line\nbreak", "tab\t", "\x7f", "\x85", "\u2028",
    "\ufeff", "漢字", "😀", "*a", "&a", "!t", "%d", "@x", "`x`", "<<", "a" * 300,
]  # fmt: skip


@pytest.mark.parametrize("value", AWKWARD, ids=ascii)
def test_awkward_text_is_read_back_as_it_was(value: str) -> None:
    draft = Draft("a test", job_schema())
    draft.set("name", "x")
    draft.set("model.path", "a/b", value)
    draft.native("train", "some", {"deep": [value, {value or "k": value}], "float": 1e-7, "none": None})
    draft.drop("left", value, value)
    draft.check(value)
    made = written(draft, source=value, file=value)
    root, problems = compose(made, "job.yaml")
    assert root is not None
    assert not problems
    found = values(root)["train"]["native"]["some"]
    plain = value.replace("${", "$${")
    key = (value or "k").replace("${", "$${")
    assert found == {"deep": [plain, {key: plain}], "float": 1e-7, "none": None}


def test_an_unknown_file_names_the_kinds() -> None:
    from ftctl.errors import JobError, UsageError

    with pytest.raises(JobError, match=r"llamafactory:.*vllm:.*lmdeploy:"):
        origin_of(read("hello", "x.txt"), None)
    with pytest.raises(UsageError, match="did you mean vllm"):
        origin_of(read("hello", "x.txt"), "vlm")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "{", "[1, 2]", "a: [", "- x", "finetune_method:", "finetune_method: []", "finetune_method: {}",
     "finetune_method: [[]]", "model_name_or_path:", "model_name_or_path: {}", "export_dir: []",
     "model_name_or_path: a/b\nstage: [x]\ndo_train: {}\ndataset: {a: 1}\nval_size: x\nsave_steps: {}",
     "model_name_or_path: a/b\ndataset: 5\nbf16: [1]\npacking: x\nlora_target: {a: 1}\ninterleave_probs: 3\n"
     "save_strategy: [x]\neval_strategy: {}\ninfer_dtype: []",
     "model_name_or_path: a/b\ninfer_dtype: []\nvllm_config: [1]\nadapter_name_or_path: {}",
     "base_model: 5\nlora_r: x\ndata_path: []\nlora_target_modules: {}",
     "vllm serve", "vllm serve --port", "vllm serve m --dtype a b --max-model-len x --served-model-name",
     "lmdeploy serve api_server", "torchrun -m FlagEmbedding.finetune.embedder.encoder_only.base",
     "vllm serve a\nvllm serve b", "llamafactory-cli train --stage", "vllm serve m --a.b 1 --a 2 --a.c 3"],
)  # fmt: skip
def test_a_strange_file_is_a_job_or_a_clean_error(text: str) -> None:
    from pathlib import Path

    from ftctl.errors import FtctlError
    from ftctl.importing.imported import convert
    from ftctl.importing.source import Around

    try:
        made = convert(read(text, "x"), Around(), kind=None, file="x.job.yaml", folder=Path("/nowhere"))
    except FtctlError as error:
        assert str(error)
    else:
        assert compose(made.text, "x.job.yaml")[1] == ()


def drafted(text: str) -> dict[str, Any]:
    source = read(text, "run.sh")
    return origin_of(source, None).convert(source, Around(), job_schema()).job


@pytest.mark.parametrize(
    "start",
    [
        "torchrun --nproc_per_node 2 -m",
        "accelerate launch --num_processes 4 --num_machines 2 -m",
        "accelerate launch --num_processes=2 -m",
        "deepspeed --num_gpus 2 --module",
    ],
)
def test_every_launcher_says_how_many_processes(start: str) -> None:
    args = "FlagEmbedding.finetune.embedder.encoder_only.base --model_name_or_path a/b --train_data d.jsonl"
    job = drafted(f"{start} {args} --per_device_train_batch_size 4\n")
    assert job["resources"]["gpus"] == 2
    assert job["train"]["batch_size"] == 8


def test_short_flags_of_vllm_reach_their_arguments() -> None:
    native = drafted("vllm serve a/b -O3 -cc.mode=3\n")["deploy"]["native"]
    assert native == {"optimization_level": "3", "compilation_config": {"mode": 3}}


def test_a_text_that_stands_for_a_number_differs_with_a_reason() -> None:
    [difference] = compare({"learning_rate": "1e-4"}, {"learning_rate": 1e-4})
    assert difference.why == "the number that the text stands for"
