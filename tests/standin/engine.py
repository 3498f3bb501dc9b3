"""A stand-in engine for the fault tests: a real program that writes real progress lines and a real log.

It trains nothing, and no test takes it for a proof that an engine works.

    python engine.py --steps 20 --pause 0.05 [--fail-at N | --die-at N | --eat-at N]
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time


def emit(kind: str, **fields: object) -> None:
    with open("progress.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"time": time.time(), "event": kind, **fields}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.02)
    parser.add_argument("--loading", type=float, default=0.0)
    parser.add_argument("--fail-at", type=int)
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--eat-at", type=int, help="take memory, up to 1 GiB")
    parser.add_argument("--child", action="store_true", help="start a child that outlives a careless stop")
    parser.add_argument("--noise", type=int, default=0, help="bytes of log a step")
    options = parser.parse_args()
    if options.child:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        pathlib.Path("child.pid").write_text(str(child.pid))
    print("stand-in engine: loading", flush=True)
    time.sleep(options.loading)
    emit("begin", total_steps=options.steps, epochs=1, world_size=1)
    for step in range(1, options.steps + 1):
        time.sleep(options.pause)
        print("x" * options.noise, flush=True)
        if step == options.fail_at:
            raise ValueError(f"the stand-in was told to fail at step {step}")
        if step == options.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == options.eat_at:
            eaten = [b"x" * 2**23 for _ in range(128)]
            print(f"nobody minds {len(eaten)} pieces of 8 MiB", flush=True)
        emit("step", step=step, total_steps=options.steps, loss=round(5.0 / step, 4))
        if pathlib.Path("stop").exists():
            emit("checkpoint", step=step, path=f"output/checkpoint-{step}")
            emit("stopped", step=step)
            return


main()
