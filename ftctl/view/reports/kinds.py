"""The kinds of problem, in a sentence each: the names are stable, for machines hold on to them."""

from __future__ import annotations

from collections.abc import Mapping

from ftctl.job.rules import RULES

KINDS: Mapping[str, str] = {
    "yaml": "The file is one document of YAML 1.2 with each key once.",
    "unreadable": "The file can be read.",
    "unknown-key": "Every key is a key of a job.",
    "missing-key": "Every key that a job needs is there.",
    "type": "Every value is of its key's type.",
    "range": "Every number is in its key's range.",
    "value": "Every value is one that its key takes.",
    "later": "Nothing is asked for that this version does not have.",
    "override": "Every --set is KEY=VALUE and reaches a key.",
    "environment": "Every reference names an environment variable that is set.",
    "path": "Every file and folder is where the job says.",
    "model": "The model's folder is a whole model.",
    "data": "Every row of data can be trained on.",
    "plan": "The job's numbers fit together and fit the machine.",
    "engine": "The interpreters that the job names can be run.",
    "job": "The job can be run.",
}


def description(kind: str) -> str:
    """What a kind of problem, or the rule of that name, asks for."""
    own = {**{rule.name: rule.says for rule in RULES}, **KINDS}
    return own.get(kind) or _engine_rule(kind)


def _engine_rule(name: str) -> str:
    """What an engine's rule or a note says, in the engine's own names; the name where there is none such."""
    from ftctl.advice.table import BY_NAME
    from ftctl.rules.table import all_rules

    if name in BY_NAME:
        return f"{BY_NAME[name].reason}; {BY_NAME[name].remedy}"
    for rule in all_rules():
        if rule.name == name:
            return f"{rule.about[0]} {rule.message}; {rule.remedy}".replace("{", "").replace("}", "")
    return name.replace("-", " ")
