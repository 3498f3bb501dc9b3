"""A deployment: a server that was started from an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftctl.errors import FtctlError
from ftctl.process import ProcessId


@dataclass(frozen=True)
class Parity:
    """How close a server is to the training engine on the same inputs.

    `figure` is the worst of `count`: a cosine (1 is the same) where `measure` is cosine, a relative
    difference (0 is the same) where it is difference; where it is tokens, the share of `count` conversations
    of which the server makes the trained token ids. None: not checked, and `note` says why. `differs`: it is
    not as trained and serves all the same (deploy.parity: warn); `note` says how.
    """

    measure: str = "cosine"
    figure: float | None = None
    count: int = 0
    note: str = ""
    differs: bool = False


class Unlike(FtctlError):
    """A server does not see or answer what the model was trained to; `parity` has the figure."""

    def __init__(self, message: str, remedy: str, parity: Parity) -> None:
        super().__init__(message, remedy)
        self.parity = parity


@dataclass(frozen=True)
class Deployment:
    """One server. `url` is its base address without a path; `model` its name in the API; `folder` holds
    deployment.json, server.log and the key (0600); `run` is the run directory that it came from.

    `kind` is generate, embed or score; the prompts are what a client puts in front of queries and
    passages, the suffix what it ends a query with. `process` is the server's, NOBODY before there is one.
    `parity` is None until it has been compared, and for a dummy. `base` is the model that adapters are
    attached to; `adapters` are the folders of further ones by their names in the API (None: the server
    takes none), `lora_rank` the largest rank that it takes, `template` the
    jinja file in place of the base's own chat template. `listens` is the address to connect to where
    `url` is https: its host is the certificate's.
    """

    name: str
    engine: str
    model: str
    url: str
    process: ProcessId
    created: float
    folder: str
    artifact: str
    run: str | None = None
    kind: str = "generate"
    query_prompt: str | None = None
    query_suffix: str | None = None
    passage_prompt: str | None = None
    parity: Parity | None = None
    base: str = ""
    adapters: Mapping[str, str] | None = None
    lora_rank: int | None = None
    template: str | None = None
    listens: str | None = None
    binds: str = ""
    members: tuple[str, ...] = ()
    retiring: tuple[str, ...] = ()
    behind: str | None = None
