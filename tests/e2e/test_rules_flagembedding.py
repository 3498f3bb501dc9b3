"""Every rule of FlagEmbedding against its own programs: their parsers, and runs on tiny models."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftctl.rules.flagembedding.defaults import DEFAULTS
from ftctl.rules.flagembedding.programs import LAYERWISE, PROGRAMS
from ftctl.rules.flagembedding.table import BOOK
from ftctl.rules.flagembedding.training import ALL_PACKAGES
from ftctl.rules.rule import Rule, example

pytestmark = pytest.mark.engine
DRIVER = Path(__file__).with_name("try_flagembedding_rules.py")


@dataclass(frozen=True)
class Tried:
    """What the engine did: by the example's id, by the proof's name, and its defaults by program."""

    answers: dict[str, dict[str, Any]]
    proofs: dict[str, Any]
    defaults: dict[str, dict[str, Any]]


def _runs(rule: Rule) -> bool:
    """Whether this machine can run the example: one process, no GPU, no package that is not there."""
    here = rule.place.world_size == 1 and rule.place.gpus == 0
    return here and rule.command != LAYERWISE and rule.place.packages != ALL_PACKAGES


def _by(*proofs: str, running: bool = False) -> list[Rule]:
    return [rule for rule in BOOK.rules if rule.proof in proofs and (_runs(rule) or not running)]


def _example(rule: Rule, change: str, kind: str, program: str | None = None) -> dict[str, Any]:
    packages = ALL_PACKAGES if change == "allowed" else rule.place.packages or ALL_PACKAGES
    made = example(rule, getattr(rule, change), BOOK.bases[program or rule.command])
    return {
        "id": f"{rule.name} {change} {kind}", "command": program or rule.command, "arguments": made,
        "world_size": rule.place.world_size, "packages": sorted(packages), "run": kind != "parsed",
    }  # fmt: skip


def _examples() -> list[dict[str, Any]]:
    changes = ("refused", "allowed")
    made = [_example(rule, change, "parsed") for rule in BOOK.rules for change in changes]
    for rule in _by("later", "silent", running=True):
        made.append(_example(rule, "refused", "run"))
        if rule.proof == "later":
            others = (program for program in rule.also if program != LAYERWISE)
            made += [_example(rule, "refused", program, program) for program in others]
            if rule.place.packages is None:
                made.append(_example(rule, "allowed", "run"))
    return made


@pytest.fixture(scope="module")
def tried(flagembedding_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """One process of the engine's interpreter, which imports the engine once."""
    done = subprocess.run(
        [flagembedding_python, "-B", DRIVER],
        input=json.dumps({"examples": _examples(), "programs": PROGRAMS}),
        cwd=tmp_path_factory.mktemp("rules"),
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    said = {kind: [json.loads(text) for word, _, text in lines if word == kind]
            for kind in ("ANSWER", "PROOF", "DEFAULTS")}  # fmt: skip
    answers = {answer.pop("id"): answer for answer in said["ANSWER"]}
    return Tried(answers, {proof["id"]: proof["found"] for proof in said["PROOF"]}, said["DEFAULTS"][0])


def _passed(answer: dict[str, Any], source: str) -> bool:
    where = re.compile(rf"(?:^|/){re.escape(source)}$")
    return any(where.search(frame) for frame in answer["passed"])


def _named(rule: Rule) -> str:
    return rule.name


@pytest.mark.parametrize("rule", _by("parser"), ids=_named)
def test_what_the_rule_refuses_the_parser_refuses_there(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} refused parsed"]
    assert answer["error"], "the engine accepts it"
    assert _passed(answer, rule.source), (answer["message"], answer["passed"])


@pytest.mark.parametrize("rule", BOOK.rules, ids=_named)
def test_the_parser_accepts_the_nearest_allowed(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} allowed parsed"]
    assert not answer["error"], (answer["error"], answer["message"])


@pytest.mark.parametrize("rule", _by("later", "silent"), ids=_named)
def test_the_parser_lets_the_others_through(tried: Tried, rule: Rule) -> None:
    """Which is why a rule says it: nothing would, or only after the model is loaded."""
    answer = tried.answers[f"{rule.name} refused parsed"]
    assert not answer["error"], (answer["error"], answer["message"])


@pytest.mark.parametrize("rule", _by("later", running=True), ids=_named)
def test_the_program_fails_later_there(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} refused run"]
    assert answer["error"], "the program runs through"
    assert _passed(answer, rule.source), (answer["message"], answer["passed"])
    for program in rule.also:
        if program != LAYERWISE:
            assert tried.answers[f"{rule.name} refused {program}"]["error"], program


@pytest.mark.parametrize(
    "rule", [rule for rule in _by("later", running=True) if rule.place.packages is None], ids=_named
)
def test_the_program_runs_the_nearest_allowed(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} allowed run"]
    assert not answer["error"], (answer["error"], answer["message"], answer["passed"][-4:])


@pytest.mark.parametrize("rule", _by("silent", running=True), ids=_named)
def test_the_program_runs_through_in_silence(tried: Tried, rule: Rule) -> None:
    answer = tried.answers[f"{rule.name} refused run"]
    assert not answer["error"], (answer["error"], answer["message"], answer["passed"][-4:])


def test_the_defaults_are_the_engine_s(tried: Tried) -> None:
    for program, theirs in tried.defaults.items():
        assert {name: theirs[name] for name in DEFAULTS if name in theirs} == {
            name: value for name, value in DEFAULTS.items() if name in theirs
        }, program
    assert set(DEFAULTS) <= {name for theirs in tried.defaults.values() for name in theirs}


def test_a_temperature_of_zero_ends_in_weights_that_are_not_numbers(tried: Tried) -> None:
    broken, tensors = tried.proofs["temperature_zero"]
    assert broken > tensors / 2


def test_the_reranker_s_last_batch_has_loss_zero(tried: Tried) -> None:
    kept, dropped = tried.proofs["last_batch"]
    assert kept == [*dropped, 0.0]
    assert all(loss > 0 for loss in dropped)


def test_a_group_of_one_trains_at_loss_zero(tried: Tried) -> None:
    reranker, embedder = tried.proofs["groups_of_one"]
    assert len(reranker) > 1
    assert len(embedder) > 1
    assert set(reranker) == set(embedder) == {0.0}


def test_plain_vectors_start_at_many_times_the_loss(tried: Tried) -> None:
    normalised, plain = tried.proofs["plain_vectors"]
    assert plain > 5 * normalised


def test_fp16_on_the_cpu_trains_in_fp32(tried: Tried) -> None:
    assert tried.proofs["half_precision"] is True


def test_no_epochs_save_the_base_model(tried: Tried) -> None:
    assert tried.proofs["no_epochs"] is True


def test_a_lora_alpha_of_zero_merges_to_the_base_model(tried: Tried) -> None:
    assert tried.proofs["no_alpha"] == [True, False]


def test_the_embeddings_are_taken_out_of_the_targets(tried: Tried) -> None:
    assert tried.proofs["dropped_target"] == ["q_proj"]


def test_the_best_checkpoint_is_never_saved(tried: Tried) -> None:
    assert tried.proofs["best_checkpoint"] == 0


def test_a_batch_of_one_dataset_writes_none_before_queries(tried: Tried) -> None:
    refused, allowed = tried.proofs["none_in_front"]
    assert refused == [f"None{query}" for query in allowed]


def test_a_format_with_one_place_loses_the_query(tried: Tried) -> None:
    assert tried.proofs["lost_query"] == ["Instruct: Find it:", "Instruct: Find it: word0 word1 word2"]


def test_a_decoder_reranker_reads_the_prompt_only_as_a_decoder(tried: Tried) -> None:
    (default, short), (decoder, long) = tried.proofs["decoder_inputs"]
    assert (default, decoder) == ("AbsRerankerTrainDataset", "AbsLLMRerankerTrainDataset")
    assert long > short + 20  # the prompt


def test_the_longest_pair_is_longer_than_max_len(tried: Tried) -> None:
    assert tried.proofs["longest_pair"] > 2


def test_examples_need_more_than_512_tokens(tried: Tried) -> None:
    without, examples = tried.proofs["examples"]
    assert without < 5 < examples


def test_the_first_position_of_a_decoder_says_nothing(tried: Tried) -> None:
    cls, last_token = tried.proofs["cls_of_decoder"]
    assert cls == 0.0 < last_token


def test_two_processes_on_the_cpu_are_copies_without_use_cpu(tried: Tried) -> None:
    assert tried.proofs["copies"] == [[1, 1], [2, 2]]


def test_the_layerwise_model_cannot_be_made(tried: Tried) -> None:
    (rule,) = (rule for rule in BOOK.rules if rule.name == "layerwise-needs-transformers-4")
    assert tried.proofs["layers"]["error"] == "KeyError"
    assert _passed(tried.proofs["layers"], rule.source)


def test_merging_a_layerwise_reranker_asks_the_hub(tried: Tried) -> None:
    (rule,) = (rule for rule in BOOK.rules if rule.name == "layerwise-merge-foreign-config")
    answer = tried.proofs["foreign_configuration"]
    assert answer["error"] == "OSError"
    assert _passed(answer, rule.source)
