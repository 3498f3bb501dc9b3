"""Exact match, contains, regular expressions, F1 and the answer's form: scores of one row by itself."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .refused import Refused
from .rows import Row
from .scorer import Options, Rowwise
from .texts import HAN, Tokenize, normaliser, tokenizer

FENCE = re.compile(r"\A\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)


def exact_match(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """1 where the normalised answer is the normalised reference, else 0 (Rajpurkar et al. 2016, 6)."""
    normalise = normaliser(options["normalise"])
    return Rowwise(
        ["exact_match"], lambda row: [float(normalise(row.text) == normalise(row.reference or ""))]
    )


def contains(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """1 where the reference, or the texts of the options, stand in the answer, else 0."""
    normalise = normaliser(options["normalise"])
    texts = [normalise(text) for text in options["text"] or ()]
    together = all if options["all"] else any

    def score(row: Row) -> Sequence[float]:
        answer = normalise(row.text)
        return [float(together(text in answer for text in texts or [normalise(row.reference or "")]))]

    return Rowwise(["contains"], score, needs="answer" if texts else "reference")


class Bounded(Rowwise):
    """A score of 0 or 1 by a test that may take long: 0 where it takes over `timeout` seconds."""

    def __init__(
        self, name: str, test: Callable[[Row], bool], timeout: float, library: str = "ftctl"
    ) -> None:
        super().__init__([name], self._score, needs="answer", library=library)
        self._name, self._test, self._timeout, self._late = name, test, timeout, 0

    def _score(self, row: Row) -> Sequence[float]:
        try:
            with _at_most(self._timeout):
                return [float(self._test(row))]
        except TimeoutError:
            self._late += 1
            self.notes[:] = [
                f"{self._name}: {self._late} answers took over {self._timeout:g} s and count as 0"
            ]
            return [0.0]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError after that time. Python's `re` looks for signals while it searches."""

    def end(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def regex(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """1 where Python's `re` finds the pattern in the answer, or matches the whole of it, else 0."""
    pattern = re.compile(options["pattern"], re.IGNORECASE if options["ignore_case"] else 0)
    match = pattern.fullmatch if options["whole"] else pattern.search
    return Bounded("regex", lambda row: match(row.text) is not None, options["timeout"])


class F1(Rowwise):
    """F1 = 2PR / (P + R) of the tokens of answer and reference as multisets (Rajpurkar et al. 2016,
    section 6, and evaluate-v1.1.py). Where one has no
    token at all, it is whether both have none (evaluate-v2.0.py)."""

    def __init__(self, options: Options, scratch: Path) -> None:
        super().__init__(["f1"], self._score)
        self._tokenize: Tokenize = tokenizer(options["tokenizer"], scratch)
        self._blanks = options["tokenizer"] == "whitespace"

    def _score(self, row: Row) -> Sequence[float]:
        if self._blanks and not self.notes and HAN.search(row.reference or ""):
            self.notes.append(
                "f1 takes a Chinese sentence for one word; {f1: {tokenizer: zh}} takes characters"
            )
        told, wanted = self._tokenize(row.text), self._tokenize(row.reference or "")
        if not told or not wanted:
            return [float(told == wanted)]
        shared = (Counter(told) & Counter(wanted)).total()
        return [2 * shared / (len(told) + len(wanted))]  # 2PR / (P + R), with both written out


def f1(options: Options, scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """See F1."""
    return F1(options, scratch)


def json_valid(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """1 where the answer is one JSON text of RFC 8259, else 0."""

    def score(row: Row) -> Sequence[float]:
        try:
            read_json(row.text, fenced=options["fenced"])
        except ValueError:
            return [0.0]
        return [1.0]

    return Rowwise(["json_valid"], score, needs="answer")


def json_schema(options: Options, _scratch: Path, _request: Mapping[str, Any]) -> Rowwise:
    """1 where the answer is one JSON text that the schema allows, else 0, by jsonschema's validators.

    The schema may refer to itself, and to nothing outside. Raises Refused where it is none.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable

    path = Path(options["file"])
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except (OSError, ValueError, SchemaError, AttributeError, TypeError) as error:
        raise Refused(f"{path} is no JSON Schema: {str(error).splitlines()[0]}") from None
    validator = kind(schema)

    def test(row: Row) -> bool:
        try:
            return bool(validator.is_valid(read_json(row.text, fenced=options["fenced"])))
        except Unresolvable as error:
            raise Refused(f"{path} refers to what it does not hold: {error}") from None
        except (ValueError, RecursionError):
            return False

    return Bounded("json_schema", test, options["timeout"], f"jsonschema {_version('jsonschema')}")


def read_json(text: str, *, fenced: bool = False) -> Any:
    """The value of one JSON text, strictly by RFC 8259. Raises ValueError."""
    inner = FENCE.match(text) if fenced else None
    try:
        return json.loads(inner[1] if inner else text, parse_constant=_no_constant, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> Any:
    """Python refuses to read integers of more than 4,300 digits, which JSON allows."""
    return int(digits) if len(digits) < 4000 else float(digits)


def _version(distribution: str) -> str:
    from importlib.metadata import version

    return version(distribution)
