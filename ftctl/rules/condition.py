"""Conditions as values: each says in words what it asks, and is joined to others by `&`, `|` and `~`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftctl.rules.setting import Setting


@dataclass(frozen=True)
class Condition:
    """A question to a setting. `says` is the question in words, with the engine's names in backquotes."""

    says: str
    holds: Callable[[Setting], bool]
    joined: bool = False

    def __and__(self, other: Condition) -> Condition:
        said = f"{_closed(self)} and {_closed(other)}"
        return Condition(said, lambda setting: self.holds(setting) and other.holds(setting))

    def __or__(self, other: Condition) -> Condition:
        said = f"{self.says} or {other.says}"
        return Condition(said, lambda setting: self.holds(setting) or other.holds(setting), joined=True)

    def __invert__(self) -> Condition:
        return Condition(f"not ({self.says})", lambda setting: not self.holds(setting))


def _closed(condition: Condition) -> str:
    return f"({condition.says})" if condition.joined else condition.says


def on(*names: str) -> Condition:
    """Any of the arguments is true as Python takes it: the engine checks no type, so a text is true."""
    said = " or ".join(f"`{name}`" for name in names)
    return Condition(said, lambda setting: any(setting.get(name) for name in names), joined=len(names) > 1)


def off(name: str) -> Condition:
    """The argument is false, zero, empty or not set."""
    return Condition(f"no `{name}`", lambda setting: not setting.get(name))


def given(name: str) -> Condition:
    """The argument has a value, whatever it is."""
    return Condition(f"`{name}` set", lambda setting: setting.get(name) is not None)


def absent(name: str) -> Condition:
    """The argument has no value."""
    return Condition(f"`{name}` not set", lambda setting: setting.get(name) is None)


def when(name: str, *values: object) -> Condition:
    """The argument is one of the values."""
    said = " or ".join("unset" if value is None else str(value) for value in values)
    return Condition(f"`{name}` {said}", lambda setting: setting.get(name) in values)


def unless(name: str, *values: object) -> Condition:
    """The argument, set or by default, is none of the values."""
    said = " or ".join("unset" if value is None else str(value) for value in values)
    return Condition(f"`{name}` other than {said}", lambda setting: setting.get(name) not in values)


def above(name: str, limit: float) -> Condition:
    """The argument is a number over the limit."""
    return Condition(f"`{name}` > {limit:g}", lambda setting: (setting.number(name) or 0) > limit)


def below(name: str, limit: float) -> Condition:
    """The argument is a number under the limit."""

    def holds(setting: Setting) -> bool:
        value = setting.number(name)
        return value is not None and value < limit

    return Condition(f"`{name}` < {limit:g}", holds)


def broken_number(name: str) -> Condition:
    """The argument is a number over 1 that is not whole."""

    def holds(setting: Setting) -> bool:
        value = setting.number(name)
        return value is not None and value > 1 and value != int(value)

    return Condition(f"`{name}` over 1 and not whole", holds)


def more(name: str, other: str) -> Condition:
    """Both arguments are numbers, set or by default, and the first is the larger."""

    def holds(setting: Setting) -> bool:
        first, second = setting.number(name), setting.number(other)
        return first is not None and second is not None and first > second

    return Condition(f"`{name}` > `{other}`", holds)


def names(name: str, word: str) -> Condition:
    """The argument, a list or words with commas between, has the word."""
    return Condition(f"`{name}` with {word}", lambda setting: word in setting.words(name))


def written(*names: str) -> Condition:
    """Any of the arguments is written, whatever the engine's default is."""
    said = " or ".join(f"`{name}`" for name in names) + " written"
    return Condition(said, lambda setting: any(setting.arguments.get(name) is not None for name in names))


def fact(says: str, holds: Callable[[Setting], bool]) -> Condition:
    """Anything else that can be asked of a setting."""
    return Condition(says, holds)


def lacks(package: str) -> Condition:
    """The engine's environment is known and has no such distribution."""

    def holds(setting: Setting) -> bool:
        return setting.place.packages is not None and package not in setting.place.packages

    return Condition(f"no package {package}", holds)


DISTRIBUTED = fact("several processes", lambda setting: setting.place.world_size > 1)
ALONE = fact("one process", lambda setting: setting.place.world_size == 1)
ON_CPU = fact("the CPU", lambda setting: setting.place.gpus == 0)
ON_GPU = fact("a GPU", lambda setting: setting.place.gpus > 0)
OLD_DEVICE = fact(
    "the CPU, or a GPU older than Ampere",
    lambda setting: setting.place.gpus == 0 or setting.place.bf16 is False,
)
ZERO3 = fact("DeepSpeed ZeRO-3", lambda setting: setting.zero == 3)
SHARDED = fact("DeepSpeed ZeRO-3 or FSDP", lambda setting: setting.zero == 3 or bool(setting.get("fsdp")))
EVALUATES = fact(
    "`do_eval`, `do_predict`, `predict_with_generate` or an `eval_strategy`",
    lambda setting: (
        any(setting.get(name) for name in ("do_eval", "do_predict", "predict_with_generate"))
        or setting.get("eval_strategy") not in ("no", None)
    ),
)
