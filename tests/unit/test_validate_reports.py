"""What was found, in every format: escapes, places, counts, and the same words everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from ftctl.errors import JobError, Problem
from ftctl.view.reports import as_json, github, junit, sarif
from ftctl.view.reports.kinds import KINDS, description
from ftctl.view.reports.model import Checked, Report, said
from ftctl.view.reports.text import problem_lines, valid_lines

BASE = Path("/checkout")
ODD = Problem("a, b:c%.yaml", 3, 7, "train.lr", "is <100 %> & \"x\" :: 'y', 客", "write\n1", "range")
DATA = Problem("/checkout/data/rows 1.jsonl", 41, 0, "", "no text", "", "data")
AWAY = Problem("/elsewhere/rows.jsonl", 0, 0, "", "it has no rows", "", "data")
OPTION = Problem("--set train.lr=1", 0, 0, "train.lr", "lr is not a key of train", "", "unknown-key")
HINT = Problem(
    "good.yaml", 5, 3, "data.eval", "is never looked at", "set train.eval_every", "hint", "warning"
)
REPORT = Report(
    (
        Checked("a, b:c%.yaml", problems=(ODD, DATA)),
        Checked("good.yaml", "good", "sft, lora, x/y", (HINT,)),
        Checked("second\x01.yaml", problems=(DATA, OPTION, AWAY)),
    ),
    skipped=2,
)


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# The part of the SARIF 2.1.0 schema that ftctl writes; every object there is closed, as it is here.
TEXT = closed(["text"], text={"type": "string", "minLength": 1})
REGION = closed(
    ["startLine"], startLine={"type": "integer", "minimum": 1}, startColumn={"type": "integer", "minimum": 1}
)
PHYSICAL = closed(
    ["artifactLocation"],
    artifactLocation=closed(["uri"], uri={"type": "string", "pattern": "^[!-~]+$"}),
    region=REGION,
)
RESULT = closed(
    ["message", "ruleId"],
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level={"enum": ["none", "note", "warning", "error"]},
    message=TEXT,
    locations={"type": "array", "items": closed([], physicalLocation=PHYSICAL)},
)
RULE = closed(["id"], id={"type": "string"}, shortDescription=TEXT)
DRIVER = closed(
    ["name"],
    name={"type": "string"},
    version={"type": "string"},
    rules={"type": "array", "uniqueItems": True, "items": RULE},
)
RUN = closed(
    ["tool"],
    tool=closed(["driver"], driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = {
    **closed(
        ["version", "runs"],
        version={"const": "2.1.0"},
        runs={"type": "array", "items": RUN},
        **{"$schema": {"type": "string", "format": "uri"}},
    )
}


def test_the_problems_are_sorted_and_each_is_there_once() -> None:
    assert REPORT.problems == (OPTION, DATA, AWAY, ODD, HINT)
    assert REPORT.verdict == "4 problems and 1 warning in 3 of 3 files (2 others are no jobs)"
    assert Report((Checked("a", problems=(ODD,)),)).verdict == "1 problem"


def test_text() -> None:
    assert valid_lines(REPORT) == "good.yaml: valid (sft, lora, x/y)\n"
    assert problem_lines(REPORT) == "".join(f"{problem}\n" for problem in (OPTION, DATA, AWAY, ODD, HINT))
    assert str(JobError([ODD])).endswith("客; write\\n1")


def test_github_escapes_what_its_commands_would_read() -> None:
    lines = github.write(REPORT, BASE).splitlines()
    assert lines == [
        "::error title=ftctl unknown-key::--set train.lr=1: train.lr: lr is not a key of train",
        "::error file=data/rows 1.jsonl,line=41,title=ftctl data::no text",
        "::error file=/elsewhere/rows.jsonl,title=ftctl data::it has no rows",
        "::error file=a%2C b%3Ac%25.yaml,line=3,col=7,title=ftctl range::"
        "train.lr: is <100 %25> & \"x\" :: 'y', 客; write%0A1",
        "::warning file=good.yaml,line=5,col=3,title=ftctl hint::"
        "data.eval: is never looked at; set train.eval_every",
    ]


def test_sarif_is_what_its_schema_asks_for() -> None:
    log = json.loads(sarif.write(REPORT, BASE))
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["data", "hint", "range", "unknown-key"]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    option, data, away, odd, hint = run["results"]
    assert "locations" not in option
    assert [option["level"], hint["level"]] == ["error", "warning"]
    assert data["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "data/rows%201.jsonl"},
        "region": {"startLine": 41},
    }
    assert away["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "file:///elsewhere/rows.jsonl"}
    }
    assert odd["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%2C%20b%3Ac%25.yaml"},
        "region": {"startLine": 3, "startColumn": 7},
    }
    jsonschema.Draft202012Validator(SARIF).validate(json.loads(sarif.write(Report(()), BASE)))


def test_junit_has_one_test_case_a_file() -> None:
    root = ElementTree.fromstring(junit.write(REPORT, BASE))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "2")
    suite = root[0]
    assert {case.get("name"): len(case) for case in suite} == {
        "a, b:c%.yaml": 1,
        "good.yaml": 1,
        "second\\x01.yaml": 1,
    }
    failure = suite[0][0]
    assert failure.get("message") == "2 problems"
    assert failure.text == f"{ODD}\n{DATA}"
    assert (suite[1][0].tag, suite[1][0].text) == ("system-out", str(HINT))


def test_every_format_says_the_same_words() -> None:
    words = [said(problem) for problem in REPORT.problems]
    envelope = json.loads(as_json.write(REPORT, BASE))
    assert [said(Problem(**problem)) for problem in envelope["problems"]] == words
    results = json.loads(sarif.write(REPORT, BASE))["runs"][0]["results"]
    assert [result["message"]["text"] for result in results][1:] == words[1:]
    cases = "".join(ElementTree.fromstring(junit.write(REPORT, BASE)).itertext())
    commands = github.write(REPORT, BASE).replace("%0A", "\n").replace("%25", "%")
    for word in words:
        assert word in problem_lines(REPORT).replace(" warning:", "")
        assert word in cases.replace(" warning:", "")
        assert word in commands


def test_an_engines_rule_says_what_it_asks_for() -> None:
    assert description("loraplus-needs-lora").startswith("loraplus_lr_ratio is for LoRA alone; remove it")
    assert description("a-rule-of-tomorrow") == "a rule of tomorrow"


@pytest.mark.parametrize("kind", [*KINDS, "batch", "a-rule-of-tomorrow"])
def test_every_kind_has_a_description(kind: str) -> None:
    assert description(kind)
    assert kind == kind.lower()
    assert " " not in kind


def test_warnings_stand_beside_errors_in_every_format() -> None:
    report = Report((Checked("good.yaml", problems=(HINT, replace(HINT, line=6, level="error", rule=""))),))
    assert report.verdict == "1 problem and 1 warning"
    assert problem_lines(report).splitlines()[0].startswith("good.yaml:5:3: data.eval: warning: ")
    assert [p["level"] for p in json.loads(as_json.write(report, BASE))["problems"]] == ["warning", "error"]
    commands = github.write(report, BASE).splitlines()
    assert [line.partition(" ")[0] for line in commands] == ["::warning", "::error"]
    results = json.loads(sarif.write(report, BASE))["runs"][0]["results"]
    assert [result["level"] for result in results] == ["warning", "error"]
    (failure,) = ElementTree.fromstring(junit.write(report, BASE).encode()).iter("failure")
    assert failure.get("message") == "1 problem and 1 warning"
    assert len((failure.text or "").splitlines()) == 2
