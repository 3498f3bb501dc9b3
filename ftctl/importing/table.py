"""The table of origins, and which of them a file is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ftctl.errors import JobError, UsageError
from ftctl.importing import flagembedding, lazyllm, llamafactory, lmdeploy, vllm
from ftctl.importing.draft import Draft
from ftctl.importing.refusals import near_miss
from ftctl.importing.retired import ALPACA, COLLIE
from ftctl.importing.source import Around, Source
from ftctl.job.suggest import nearest


class Origin(Protocol):
    """What can be imported: a name for `--from`, what it says of itself, and two functions."""

    @property
    def NAME(self) -> str: ...
    @property
    def SAYS(self) -> str: ...

    def looks(self, source: Source) -> bool:
        """Whether the file is of this kind, by its keys or its first words."""

    def convert(self, source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
        """The draft of the job. Raises JobError for what cannot be imported."""


# The order is that of asking: what names its tool comes before what is known by its keys.
ORIGINS: tuple[Origin, ...] = (lazyllm, llamafactory, flagembedding, COLLIE, ALPACA, vllm, lmdeploy)


def origin_of(source: Source, kind: str | None) -> Origin:
    """The origin named `kind`, else the one that the file looks like.

    Raises UsageError for a kind that there is none of, JobError where the file is of no kind that is known.
    """
    by_name = {origin.NAME: origin for origin in ORIGINS}
    if kind is not None:
        if kind not in by_name:
            near = nearest(kind, by_name)
            remedy = f"did you mean {near}?" if near else f"the kinds are {', '.join(sorted(by_name))}"
            raise UsageError(f"--from {kind}: nothing of that kind can be imported", remedy)
        return by_name[kind]
    found = next((origin for origin in ORIGINS if origin.looks(source)), None)
    if found is None:
        raise _unknown(source)
    return found


def _unknown(source: Source) -> JobError:
    known = near_miss(source)
    if known is not None:
        return JobError([known])
    if source.unread and not source.commands:
        return JobError(source.unread)
    listed = "; ".join(f"{origin.NAME}: {origin.SAYS}" for origin in ORIGINS)
    message = "nothing in it says which tool it is for"
    return JobError([source.refuse("", message, f"say it with --from KIND. The kinds are {listed}")])
