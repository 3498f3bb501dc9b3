"""Many processes that want the same GPUs at once, for the tests of leases.

    python gpu_race.py FOLDER PROCESSES GPUS ASK {hold|turns}

`hold`: each asks once, without waiting, and those who were given GPUs keep them until their standard input
ends. `turns`: each waits, uses what it is given for a moment, and gives it back. A GPU in use is a folder:
making one that is there fails, whatever the leases say. Every line printed says what one process got.
"""

import os
import pathlib
import sys
import time

from ftctl.errors import Missing
from ftctl.facts.model import Gpu
from ftctl.leases.model import Wish
from ftctl.leases.take import Asking, take


def main(folder: pathlib.Path, gpus: int, ask: int, mode: str, gate: int) -> None:
    """One process: waits at the gate (a pipe that is closed for all at once), then takes."""
    os.read(gate, 1)
    cards = tuple(Gpu(index, "any", 1, None, f"GPU-{index}") for index in range(gpus))
    wish = Wish((), ask, tuple(range(gpus)))
    asking = Asking(wish, cards, f"racer {os.getpid()}", folder / "leases", lambda: ({}, None), pause=0.01)
    try:
        lease = take(asking, wait=mode == "turns")
    except Missing as refused:
        say(f"refused {refused.message}")
        return
    for index in lease.gpus:
        (folder / f"in-use-{index}").mkdir()
    say(f"got {os.getpid()} {' '.join(map(str, lease.gpus))}")
    if mode == "hold":
        sys.stdin.read()
    time.sleep(0.005)
    for index in lease.gpus:
        (folder / f"in-use-{index}").rmdir()
    lease.close()


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    place, processes, count, asked, how = sys.argv[1:]
    entry, out = os.pipe()
    children = []
    for _ in range(int(processes)):
        child = os.fork()
        if child == 0:
            os.close(out)
            code = 1
            try:
                main(pathlib.Path(place), int(count), int(asked), how, entry)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    os.close(out)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    say(f"failed {failed}")
