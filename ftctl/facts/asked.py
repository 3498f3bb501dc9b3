"""What was looked up already: jobs that are checked together share models, data files and the machine."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ftctl.errors import FtctlError

T = TypeVar("T")


class Asked:
    """The answers of one call of ftctl. What is asked a second time is not looked up again."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}

    def once(self, key: Hashable, look: Callable[[], T]) -> T:
        """What `look` returns; its FtctlError is kept too, and raised for everyone who asks."""
        if key not in self._answers:
            try:
                self._answers[key] = look()
            except FtctlError as error:
                self._answers[key] = error
        answer = self._answers[key]
        if isinstance(answer, FtctlError):
            raise answer.with_traceback(None)
        found: T = answer
        return found
