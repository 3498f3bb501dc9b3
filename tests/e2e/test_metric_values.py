"""Every metric that needs no server against its library's own published example, or a count by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftctl.judge.asked import read_metrics
from ftctl.trainers.start import INSIDE
from tests.conftest import ROOT

pytestmark = pytest.mark.engine
PROGRAM = ROOT / "tests" / "e2e" / "count_metrics.py"

# sacrebleu's README, "Using SacreBLEU from Python", with its first set of references.
README = [
    ["The dog bit the man.", "The dog bit the man."],
    ["It wasn't surprising.", "It was not unexpected."],
    ["The man had just bitten him.", "The man bit him first."],
]
CHINESE = [
    ["今天天气很好。", "今天天气真好。"],
    ["我喜欢喝绿茶", "我喜欢绿茶"],
    ["模型在 GPU 上训练", "模型用 GPU 训练"],
]
# rouge-score's README: scorer.score('The quick brown fox…', 'The quick brown dog jumps on the log.')
FOX = [["The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog"]]
# Papineni et al. 2002, 2.1: "the" seven times against "The cat is on the mat": modified precision 2/7.
THE = [["the the the the the the the", "The cat is on the mat"]]
PYTHON_RE = r"(?P<first_name>\w+) (?P<last_name>\w+)"  # Python's documentation of re, Match.groupdict

# By name: what is asked, the rows (answer, reference), the figures, and the scores of the rows.
CASES: dict[str, tuple[Any, Any, dict[str, float], Any]] = {
    # By the definitions: SQuAD's normalize_answer drops case, punctuation and articles.
    "exact strip": ("exact_match", [[" Denver Broncos\n", "Denver Broncos"], ["denver", "Denver"], ["", "x"],
                    ["x", None]], {"exact_match": 1 / 3}, [[1], [0], [0], [None]]),
    "exact squad": ({"exact_match": {"normalise": "squad"}}, [["The Denver  Broncos!", "denver broncos"],
                    ["a n", "an"]], {"exact_match": 0.5}, [[1], [0]]),
    "exact nfkc": ({"exact_match": {"normalise": ["nfkc", "casefold"]}}, [["ＡＢＣ１２３", "abc123"],
                   ["STRASSE", "straße"], ["ab c", "abc"]], {"exact_match": 2 / 3}, [[1], [1], [0]]),
    "contains": ("contains", [["It is Paris.", "Paris"], ["London", "Paris"]], {"contains": 0.5}, [[1], [0]]),
    "contains all": ({"contains": {"text": ["a", "b"]}}, [["ab", None], ["a", None]], {"contains": 0.5},
                     [[1], [0]]),
    "contains any": ({"contains": {"text": ["a", "b"], "all": False}}, [["ab", None], ["a", None]],
                     {"contains": 1.0}, [[1], [1]]),
    "regex": ({"regex": {"pattern": PYTHON_RE}}, [["Malcolm Reynolds", None], ["Malcolm", None]],
              {"regex": 0.5}, [[1], [0]]),
    "regex whole": ({"regex": {"pattern": "[0-9]+", "whole": True}}, [["12", None], ["12 ", None]],
                    {"regex": 0.5}, [[1], [0]]),
    # 40 a's and an end that cannot be: 2^40 ways to try, ended after the time that a row has.
    "regex catastrophic": ({"regex": {"pattern": "(a+)+$", "timeout": 1}},
                           [["a" * 40 + "b", None], ["aa", None]], {"regex": 0.5}, [[0], [1]]),
    # 2 shared of 2 and 3 tokens: P = 1, R = 2/3, F1 = 0.8; "the" is dropped.
    "f1": ("f1", [["the cat sat", "A cat sat down!"], ["dog", "cat"], ["the", "a"], ["a a b", "a b b"]],
           {"f1": (0.8 + 0 + 1 + 2 / 3) / 4}, None),
    # 今天天气真好 and 今天天气很好 share five of six characters each.
    "f1 zh": ({"f1": {"tokenizer": "zh"}}, [["今天天气很好。", "今天天气真好"]], {"f1": 10 / 12}, None),
    # jieba 0.42.1's README: 我来到北京清华大学 is 我/ 来到/ 北京/ 清华大学.
    "f1 jieba": ({"f1": {"tokenizer": "jieba"}}, [["我来到清华大学", "我来到北京清华大学"]],
                 {"f1": 6 / 7}, None),
    "bleu papineni": ({"bleu": {"order": 1, "lowercase": True}}, THE, {"bleu": 200 / 7}, None),
    "bleu readme": ("bleu", README, {}, None),
    "bleu zh": ({"bleu": {"tokenizer": "zh"}}, CHINESE, {}, None),
    "chrf readme": ("chrf", README, {}, None),
    "chrf++ readme": ({"chrf": {"words": 2}}, README, {}, None),
    "chrf same": ("chrf", [["Niemand hat die Absicht"] * 2], {"chrf": 100.0}, [[100.0]]),
    "chrf apart": ("chrf", [["abcdefg", "hijklmnop"]], {"chrf": 0.0}, [[0.0]]),
    "rouge readme": ("rouge", FOX, {"rouge1": 0.7058823529411765, "rougeL": 0.5882352941176471}, None),
    "rouge ascii": ({"rouge": {"tokenizer": "ascii"}}, FOX, {"rouge1": 0.7058823529411765}, None),
    # 5 of 6 characters of each are shared; as a sequence 今天天气 and 好: 5 too; pairs: 今天 天天 天气 of 5.
    "rouge zh": ("rouge", [["今天天气很好。", "今天天气真好"]],
                 {"rouge1": 10 / 12, "rouge2": 6 / 10, "rougeL": 10 / 12}, None),
    "rouge drops": ({"rouge": {"tokenizer": "ascii"}}, [["今天天气很好"] * 2], {"rouge1": 0.0}, None),
    "rouge mixed": ("rouge", [["用 GPU 训练 café", "用 gpu 训练 café"]],
                    {"rouge1": 1.0, "rougeL": 1.0}, None),
    # The Porter stemmer takes jumps to jump, and rouge-score leaves words of three letters alone.
    "rouge stem": ({"rouge": {"stem": True}}, [["jumps", "jumping"]], {"rouge1": 1.0}, None),
    # RFC 8259: any value is a JSON text; NaN, a comma at the end and two texts are none.
    "json": ("json_valid", [['{"a": [1, null]}', None], [" 3 ", None], ["NaN", None], ["[1,]", None],
             ["1 2", None], ["[" * 100_000, None], ["1" * 5000, None]], {"json_valid": 3 / 7},
             [[1], [1], [0], [0], [0], [0], [1]]),
    "json fenced": ({"json_valid": {"fenced": True}}, [["```json\n{}\n```", None], ["Here: {}", None]],
                    {"json_valid": 0.5}, [[1], [0]]),
    # The JSON Schema site's first example: a product with an id, a name and a price above 0.
    "schema": ("json_schema", [['{"productId": 1, "price": 1.5}', None],
               ['{"productId": "x", "price": 1}', None], ['{"productId": 1, "price": 0}', None],
               ["no", None]],
               {"json_schema": 0.25}, [[1], [0], [0], [0]]),
    # scikit-learn's documentation of accuracy_score: y_pred [0, 2, 1, 3], y_true [0, 1, 2, 3].
    "accuracy": ("classification", [["0", "0"], ["2", "1"], ["1", "2"], ["3", "3"]], {"accuracy": 0.5}, None),
    # scikit-learn's documentation of f1_score: y_true [0, 1, 2, 0, 1, 2], y_pred [0, 2, 1, 0, 0, 1], macro.
    "macro": ("classification", [["0", "0"], ["2", "1"], ["1", "2"], ["0", "0"], ["0", "1"], ["1", "2"]],
              {"macro_f1": 0.26666666666666666}, None),
    "labels": ({"classification": {"labels": ["yes", "no"], "find": True}},
               [["Yes!", "yes"], ["yes or no", "no"], ["nothing", "no"], ["I say: no.", "no"]],
               {"accuracy": 0.5}, [[1, 1], [0, 0], [0, 0], [1, 1]]),
    "labels zh": ({"classification": {"find": True}}, [["这是正面的评价", "正面"], ["负面", "负面"]],
                  {"accuracy": 1.0, "macro_f1": 1.0}, None),
    "python": ({"python": {"function": "check.py:ok", "timeout": 4}},
               [["yes", "yes"], ["half", None], ["crash", None], ["exit", None], ["die", None],
                ["sleep", None], ["two", None], ["memory", None], ["yes", "yes"]],
               {"python": 2.5 / 9}, [[1], [0.5], [0], [0], [0], [0], [0], [0], [1]]),
}  # fmt: skip

FUNCTION = """
import os, signal, sys, time
print("a word on standard output")
def ok(prediction, reference, question):
    print("another")
    if prediction == "half":
        return 0.5
    if prediction == "crash":
        raise KeyError("x")
    if prediction == "exit":
        sys.exit(0)
    if prediction == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if prediction == "sleep":
        time.sleep(60)
    if prediction == "two":
        return 2
    if prediction == "memory":
        return len(bytearray(2**34)) > 0
    return prediction == reference
"""
SCHEMA = {
    "type": "object",
    "properties": {"productId": {"type": "integer"}, "price": {"type": "number", "exclusiveMinimum": 0}},
    "required": ["productId", "price"],
}


@pytest.fixture(scope="module")
def answer(judge_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the judge's interpreter makes of all cases, in one process."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "check.py").write_text(FUNCTION)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    cases = {}
    own = {"json_schema": {"file": str(folder / "schema.json")}}
    for name, (given, rows, _, _) in CASES.items():
        (asked,), wrong = read_metrics([own if given == "json_schema" else given])
        assert wrong == ()
        options = {**asked.options}
        if asked.metric == "python":
            options["function"] = f"{folder}/check.py:ok"
        cases[name] = {"metric": asked.metric, "options": options, "rows": rows}
    corpora = {"readme": README, "chinese": CHINESE}
    (folder / "cases.json").write_text(json.dumps({"cases": cases, "corpora": corpora}))
    argv = [judge_python, PROGRAM, INSIDE, folder / "cases.json", folder / "answer.json"]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / "answer.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_it_is_what_was_published_or_counted_by_hand(answer: Any, name: str) -> None:
    _, _, figures, scores = CASES[name]
    found = answer["cases"][name]
    for figure, value in figures.items():
        assert found["figures"][figure] == pytest.approx(value, abs=1e-9)
    if scores is not None:
        assert found["scores"] == scores


@pytest.mark.parametrize("name", CASES)
def test_what_is_resampled_is_the_librarys_own_formula(answer: Any, name: str) -> None:
    found = answer["cases"][name]
    assert found["resampled"] == pytest.approx(found["figures"], rel=1e-9)


@pytest.mark.parametrize(
    ("case", "figure", "corpus", "asked"),
    [
        ("bleu readme", "bleu", "readme", "13a"),
        ("bleu zh", "bleu", "chinese", "zh"),
        ("chrf readme", "chrf", "readme", "chrf"),
        ("chrf++ readme", "chrf", "readme", "chrf++"),
    ],
)
def test_a_corpus_has_sacrebleus_own_score(
    answer: Any, case: str, figure: str, corpus: str, asked: str
) -> None:
    wanted = answer["sacrebleu"][corpus][asked]
    assert 10 < wanted < 90
    assert answer["cases"][case]["figures"][figure] == pytest.approx(wanted, abs=1e-9)


def test_notes_say_what_was_not_counted(answer: Any) -> None:
    notes = {name: case["notes"] for name, case in answer["cases"].items()}
    assert notes["regex catastrophic"] == ["regex: 1 answers took over 1 s and count as 0"]
    (python,) = notes["python"]
    assert python.startswith("python: 6 calls gave no score and count as 0: 2: KeyError: 'x'")
    assert notes["f1"] == []


def test_95_percent_intervals_hold_the_true_value_about_95_times_of_100(answer: Any) -> None:
    """500 samples of 60 rows each; the percentile interval of a small sample is a little too narrow."""
    for name, share in answer["coverage"].items():
        assert 0.91 <= share <= 0.98, name


def test_every_resample_has_as_many_rows_as_there_are(answer: Any) -> None:
    assert answer["chunks"] == [[4000, 700], [700.0], 1.0]


def test_no_answer_is_never_better_than_a_wrong_one(answer: Any) -> None:
    """Of macro F1 than any label in its place; of BLEU than any wrong text up to the reference's length."""
    assert len(answer["unanswered"]) == 50
    for failed, least in answer["unanswered"]:
        assert 0 <= failed <= least + 1e-9
    assert sum(failed > 0 for failed, _ in answer["unanswered"]) > 40
