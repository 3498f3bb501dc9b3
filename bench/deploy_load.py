"""Throughput and latency of a server behind `ftctl deploy` against vLLM started by hand, under one load.

.venv/bin/python -m bench.deploy_load [ROUNDS]
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.demo_job import MODEL, write_job
from bench.deploy_ready import BLOCK, KEY, NAME, by_hand, cpu_seconds
from bench.load import Round, load, percentile, request, table
from bench.measure import FTCTL, machine, once, write
from ftctl.deployments import store
from ftctl.deployments.kept import kept_of
from ftctl.paths import engines_dir
from ftctl.process import ProcessId

REQUESTS, AT_ONCE, TOKENS = 320, 8, 8
LIMIT = 0.02  # share


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    began_on = machine()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FTCTL_ENGINES"] = str(engines_dir())
        os.environ["FTCTL_HOME"] = str(Path(scratch, "home"))
        write_job(Path(scratch))
        words = [word for item in BLOCK for word in ("--set", item)]
        if once([FTCTL, "deploy", str(MODEL), "--name", NAME, *words]).code:
            raise SystemExit(f"ftctl deploy failed: see {store.folder_of(NAME)}")
        try:
            entry = store.get(NAME)
            with by_hand(entry.folder, Path(scratch, "hand"), plain=True) as other:
                port = urlsplit(entry.deployment.url).port or 0
                sides = (Side(other.port, KEY, other.process), Side(port, store.key_of(entry), served(entry)))
                compare(sides, rounds)
        finally:
            once([FTCTL, "stop", NAME])
    write("deploy-load", "A deployment under load, against vLLM by hand", told(*sides), began_on=began_on)


@dataclass
class Side:
    """One server, its rounds, and the CPU seconds that it spent in them."""

    port: int
    key: str
    process: ProcessId
    rounds: list[Round] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second of all rounds together, which are equally long."""
        return len(self.rounds) / sum(1 / one.rate for one in self.rounds)

    @property
    def most(self) -> float:
        """What 99 % of all its latencies stay under, in milliseconds."""
        return percentile([value for one in self.rounds for value in one.each], 0.99)

    @property
    def cost(self) -> float:
        """CPU milliseconds of the server for a request."""
        return 1000 * self.cpu / (REQUESTS * len(self.rounds))


def served(entry: store.Entry) -> ProcessId:
    found = kept_of(entry.folder)
    assert found is not None
    return found.process


def compare(sides: tuple[Side, Side], rounds: int) -> None:
    """Ask both servers in turn, the first of a pair now one and now the other."""
    body = {"model": NAME, "prompt": "Where is the harbour?", "max_tokens": TOKENS, "ignore_eos": True}
    for number in range(rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            asked, before = request("/v1/completions", side.key, body), cpu_seconds(side.process)
            one = load(side.port, asked, count=REQUESTS, at_once=AT_ONCE)
            if number:  # the first pair warms the servers
                side.rounds.append(one)
                side.cpu += cpu_seconds(side.process) - before


def told(hand: Side, ours: Side) -> list[str]:
    rate, most, cost = ours.rate / hand.rate, ours.most / hand.most, ours.cost / hand.cost
    within = rate >= 1 - LIMIT and most <= 1 + LIMIT
    return [
        f"{AT_ONCE} clients keep their connections and send {REQUESTS} requests for {TOKENS} tokens to a",
        "tiny model under vLLM on the CPU: as `ftctl deploy` serves it (a key on every route, a keeper that",
        "watches, no proxy), and by the same command line by hand with vLLM's own key in place of ftctl's.",
        "Both run at once and are asked in turn after a pair that is thrown away, "
        f"{len(hand.rounds)} times. Each",
        "figure is the median with the lowest and highest; a ratio is that of two neighbours.",
        "",
        *table(hand.rounds, ours.rounds, ("by hand", "`ftctl deploy`")),
        "| of all rounds together: | | | |",
        f"| requests a second | {hand.rate:.4g} | {ours.rate:.4g} | {rate:.3f} |",
        f"| 99 % under, ms | {hand.most:.3g} | {ours.most:.3g} | {most:.3f} |",
        f"| CPU of the server a request, ms | {hand.cost:.3f} | {ours.cost:.3f} | {cost:.3f} |",
        "",
        f"Of all rounds together: requests a second {rate:.3f} of those by hand, latency that 99 %",
        f"stay under {most:.3f}. The limit is {100 * LIMIT:.0f} %: **{'within' if within else 'OVER'}**.",
        "",
        "Made by `.venv/bin/python -m bench.deploy_load`.",
    ]


if __name__ == "__main__":
    main()
