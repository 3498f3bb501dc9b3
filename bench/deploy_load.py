"""Throughput and latency of a server behind `ftctl deploy` against vLLM started by hand, under one load.

.venv/bin/python -m bench.deploy_load [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench.demo_job import MODEL, write_job
from bench.deploy_ready import BLOCK, KEY, NAME, by_hand
from bench.load import Round, load, percentile, request, table
from bench.measure import FTCTL, machine, once, write
from ftctl.deployments import store
from ftctl.paths import engines_dir

REQUESTS, AT_ONCE, TOKENS = 320, 8, 8
LIMIT = 0.02  # share


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 24
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
                hand, ours = compared(other.port, port, store.key_of(entry), rounds)
        finally:
            once([FTCTL, "stop", NAME])
    write("deploy-load", "A deployment under load, against vLLM by hand", told(hand, ours), began_on=began_on)


def compared(by_hand: int, deployed: int, key: str, rounds: int) -> tuple[list[Round], list[Round]]:
    """The rounds of both servers, in turn, the first of a pair now one and now the other."""
    body = {"model": NAME, "prompt": "Where is the harbour?", "max_tokens": TOKENS, "ignore_eos": True}
    sides = [(by_hand, KEY, list[Round]()), (deployed, key, list[Round]())]
    for number in range(rounds + 1):
        for port, secret, done in sides if number % 2 else sides[::-1]:
            asked = request("/v1/completions", secret, body)
            one = load(port, asked, count=REQUESTS, at_once=AT_ONCE)
            done.extend([one] if number else [])  # the first pair warms the servers
    return sides[0][2], sides[1][2]


def told(hand: Sequence[Round], ours: Sequence[Round]) -> list[str]:
    pairs = list(zip(hand, ours, strict=True))
    rate = statistics.median(two.rate / one.rate for one, two in pairs)
    worst = [percentile([value for one in side for value in one.each], 0.99) for side in (hand, ours)]
    within = rate >= 1 - LIMIT and worst[1] <= (1 + LIMIT) * worst[0]
    return [
        f"{AT_ONCE} clients keep their connections and send {REQUESTS} requests for {TOKENS} tokens to a",
        "tiny model under vLLM on the CPU: as `ftctl deploy` serves it (a key on every route, a keeper that",
        "watches, no proxy), and by the same command line by hand with vLLM's own key in place of ftctl's.",
        f"Both run at once and are asked in turn, {len(hand)} times after a pair that is thrown away. Each",
        "figure is the median with the lowest and highest; a ratio is that of two neighbours.",
        "",
        *table(hand, ours, ("by hand", "`ftctl deploy`")),
        f"| 99 % under, ms, of all rounds together | {worst[0]:.3g} | {worst[1]:.3g} | "
        f"{worst[1] / worst[0]:.3f} |",
        "",
        f"Requests a second: {rate:.3f} of those by hand; latency that 99 % stay under: "
        f"{worst[1] / worst[0]:.3f}. The limit is {100 * LIMIT:.0f} %: **{'within' if within else 'OVER'}**.",
        "",
        "Made by `.venv/bin/python -m bench.deploy_load`.",
    ]


if __name__ == "__main__":
    main()
