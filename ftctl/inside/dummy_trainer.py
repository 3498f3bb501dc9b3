"""The dummy that stands in for a training engine in a pipeline's own tests: it learns nothing.

    PYTHON dummy_trainer.py train native/train.json      (working directory: the run directory)
    PYTHON dummy_trainer.py merge native/merge.json

Standard library only. It reports the events that training_events.py reports of a real training, saves
checkpoints that it can go on from, and fails as it is told to. The loss of a step follows from the seed and
the step alone, so that a training that was interrupted has the same one.
"""

import hashlib
import json
import math
import os
import pathlib
import resource
import shutil
import signal
import sys
import time
from typing import Any

import dummy_artifact  # type: ignore[import-not-found] # beside this file

PROGRESS = "progress.jsonl"
STOP = pathlib.Path("stop")
FAILED = pathlib.Path("dummy-failed")  # in the run directory: the failure has been had
SLICE = 0.05  # seconds between looks for a stop while a slow step goes on
NOISE = 0.02  # how far a loss lies off its curve


class Training:
    """One training: what was asked, where it stands, and whether it is to stop."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.output = pathlib.Path(asked["output_dir"])
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.wanted = False
        self.begun = time.monotonic()
        self.first_step = 0

    def on_signal(self, number: int, frame: object) -> None:
        self.wanted = True

    def stopping(self) -> bool:
        return not self.asked["ignore_stop"] and (self.wanted or STOP.exists())

    def resume(self) -> None:
        """Take up the step and the history of the checkpoint that is named, if one is."""
        named = self.asked.get("resume_from_checkpoint")
        if not named:
            return
        folder = pathlib.Path(named) if isinstance(named, str) else last_checkpoint(self.output)
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        self.step = self.first_step = int(state["global_step"])
        self.history = list(state["log_history"])

    def run(self) -> bool:
        """Go through the steps; false where it was asked to stop before the last."""
        total = self.asked["total_steps"]
        emit(
            "begin",
            total_steps=total,
            epochs=self.asked["epochs"],
            world_size=self.asked["world_size"],
            resumed_from=self.step or None,
        )
        self.begun = time.monotonic()
        while self.step < total:
            self.one_step(self.step + 1)
            if self.stopping() and self.step < total:
                self.save()
                emit("stopped", step=self.step)
                return False
        return True

    def one_step(self, step: int) -> None:
        """What a step takes, does and leaves."""
        until = time.monotonic() + self.asked["seconds_per_step"]
        while (left := until - time.monotonic()) > 0 and not self.stopping():
            time.sleep(min(left, SLICE))
        self.fail_if_told(step)
        self.step = step
        if step % self.asked["log_every"] == 0 or step == self.asked["total_steps"]:
            self.log()
        if every(self.asked["eval_every"], step):
            self.evaluate()
        if every(self.asked["save_every"], step):
            self.save()

    def fail_if_told(self, step: int) -> None:
        """Die, fail or stand still at the step that was named, each time or only once."""
        due = {"die": self.asked["die_at_step"], "fail": self.asked["fail_at_step"]}
        stall = step == self.asked["stall_at_step"]
        if not (stall or step in due.values()) or FAILED.exists():
            return
        if self.asked["only_once"]:
            FAILED.touch()
        if step == due["die"]:
            number = signal.Signals[self.asked["die_signal"]]
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if step == due["fail"]:
            raise RuntimeError(self.asked["fail_message"])
        while not self.stopping():
            time.sleep(SLICE)

    def log(self) -> None:
        elapsed = max(time.monotonic() - self.begun, 1e-9)
        done, left = self.step - self.first_step, self.asked["total_steps"] - self.step
        entry = {
            "epoch": self.epoch(),
            "loss": self.loss(),
            "learning_rate": learning_rate(self.asked, self.step),
            "step": self.step,
        }
        self.history.append(entry)
        print(f"[ftctl dummy] {json.dumps(entry)}", flush=True)
        emit(
            "step",
            **entry,
            total_steps=self.asked["total_steps"],
            samples_per_second=round(done * self.asked["batch_size"] / elapsed, 3),
            memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            elapsed=round(elapsed, 3),
            remaining=round(elapsed / max(done, 1) * left, 3),
        )

    def epoch(self) -> float:
        return round(self.step / int(self.asked["steps_per_epoch"]), 4)

    def loss(self) -> float:
        bad = self.asked["nan_at_step"]
        if bad is not None and self.step >= bad:
            return math.nan
        return loss_at(int(self.asked["seed"]), self.step, self.asked["total_steps"])

    def evaluate(self) -> None:
        metrics = {"eval_loss": round(self.loss() + 0.1, 4), "epoch": self.epoch()}
        self.history.append({**metrics, "step": self.step})
        emit("evaluation", step=self.step, metrics=metrics)

    def save(self) -> None:
        """A checkpoint; its state is written last, so that one without it is not whole."""
        if self.asked["no_checkpoint"]:
            return
        folder = self.output / f"checkpoint-{self.step}"
        folder.mkdir(parents=True, exist_ok=True)
        self.write(folder)
        if not self.asked["weights_only"]:
            for name in ("optimizer.pt", "scheduler.pt", *random_states(self.asked["world_size"])):
                dummy_artifact.write_archive(folder / name)
        dummy_artifact.write_json(folder / "trainer_state.json", self.state())
        emit("checkpoint", step=self.step, path=str(folder))
        kept = self.asked["keep"]
        for old in checkpoints(self.output)[:-kept] if kept else ():
            shutil.rmtree(old)

    def write(self, folder: pathlib.Path) -> None:
        write = dummy_artifact.write_adapter if self.asked["adapter"] else dummy_artifact.write_model
        write(folder, self.asked, self.step)

    def state(self) -> dict[str, Any]:
        """What transformers' trainer_state.json says."""
        return {
            "ftctl_dummy": True,
            "global_step": self.step,
            "max_steps": self.asked["total_steps"],
            "epoch": self.epoch(),
            "num_train_epochs": self.asked["epochs"],
            "train_batch_size": self.asked["micro_batch_size"],
            "log_history": self.history,
        }

    def finish(self) -> None:
        """The result itself, in the output folder."""
        self.output.mkdir(exist_ok=True)
        self.write(self.output)
        dummy_artifact.write_json(self.output / "trainer_state.json", self.state())
        results = {"ftctl_dummy": True, "epoch": self.epoch(), "train_loss": self.loss()}
        dummy_artifact.write_json(self.output / "train_results.json", results)
        if self.asked["broken_result"]:
            for weights in self.output.glob("*.safetensors"):
                os.truncate(weights, weights.stat().st_size - 8)


def loss_at(seed: int, step: int, total: int) -> float:
    """A loss that falls from about 3 to about 0.1 over all steps, with a little noise from the seed."""
    drawn = hashlib.sha256(f"{seed}:{step}".encode()).digest()[:4]
    noise = int.from_bytes(drawn, "big") / 2**32 - 0.5
    return round(0.05 + 3.0 * math.exp(-4.0 * step / total) + NOISE * noise, 4)


def learning_rate(asked: dict[str, Any], step: int) -> float:
    rate: float = asked["learning_rate"]
    return rate * 0.5 * (1 + math.cos(math.pi * step / asked["total_steps"]))


def random_states(processes: int) -> list[str]:
    """The files of the random numbers' state, as transformers names them."""
    return [f"rng_state_{rank}.pth" for rank in range(processes)] if processes > 1 else ["rng_state.pth"]


def every(interval: int | None, step: int) -> bool:
    return interval is not None and step % interval == 0


def checkpoints(output: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints in a folder, by their steps."""
    found = (path for path in output.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit())
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def last_checkpoint(output: pathlib.Path) -> pathlib.Path:
    whole = [path for path in checkpoints(output) if (path / "trainer_state.json").is_file()]
    if not whole:
        raise FileNotFoundError(f"no whole checkpoint in {output}")
    return whole[-1]


def emit(kind: str, **fields: Any) -> None:
    said = {key: value for key, value in fields.items() if value is not None}
    line = json.dumps({"time": round(time.time(), 3), "event": kind, **said})
    with open(PROGRESS, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def train(asked: dict[str, Any]) -> None:
    if STOP.exists():
        return
    training = Training(asked)
    signal.signal(signal.SIGTERM, training.on_signal)
    until = time.monotonic() + asked["seconds_to_load"]
    while (left := until - time.monotonic()) > 0 and not training.stopping():
        time.sleep(min(left, SLICE))
    if training.stopping():
        return
    training.resume()
    if training.run():
        training.finish()


def merge(asked: dict[str, Any]) -> None:
    """Whole weights in place of an adapter; the step is the adapter's."""
    config = pathlib.Path(asked["adapter_dir"], "adapter_config.json")
    step = int(json.loads(config.read_text(encoding="utf-8"))["step"])
    folder = pathlib.Path(asked["output_dir"])
    folder.mkdir(exist_ok=True)
    dummy_artifact.write_model(folder, asked, step)


if __name__ == "__main__":
    what, file = sys.argv[1:]
    print(f"[ftctl dummy] {what}: this stands in for an engine, and nothing is learnt", flush=True)
    {"train": train, "merge": merge}[what](json.loads(pathlib.Path(file).read_text(encoding="utf-8")))
