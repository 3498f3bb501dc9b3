#!/usr/bin/env python3
"""A stand-in for LLaMA-Factory's interpreter: called as ftctl calls it, it trains nothing, in a second.

It reads native/train.yaml, writes progress lines, a log and checkpoints, the files that transformers' Trainer
writes and in its order, slowly enough to be killed in between; it goes on from a checkpoint and stops when
it is asked to. No test takes it for a proof that an engine works.

The environment says how it behaves: STANDIN_PAUSE (seconds a step), STANDIN_SAVING (seconds a file that is
saved), STANDIN_WEIGHTS (bytes of a whole model, a hole in the file), STANDIN_DIE (N: SIGKILL to itself at
step N, once), STANDIN_RAISE (N: an exception at step N, every time), STANDIN_HEAVY (N: SIGKILL at step N,
always).
"""

import io
import json
import os
import pathlib
import signal
import struct
import sys
import time
import zipfile

PAUSE = float(os.environ.get("STANDIN_PAUSE", "0.03"))
SAVING = float(os.environ.get("STANDIN_SAVING", PAUSE / 8))
STEPS_PER_EPOCH = 10
WISHES = []  # the signals that asked for a stop


def setting(name, default=None):
    for line in pathlib.Path("native/train.yaml").read_text().splitlines():
        key, _, value = line.partition(": ")
        if key == name:
            return value
    return default


def emit(kind, **fields):
    with open("progress.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time(), 3), "event": kind, **fields}) + "\n")


def weights(size=256):
    header = {"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(256)


def saved():
    """What torch.save leaves, from outside: a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", bytes(2000))
    return file.getvalue()


def write(path, content):
    """In two halves, so that a kill can come between them."""
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(SAVING)
        file.write(content[len(content) // 2 :])


def save_model(folder):
    folder.mkdir(parents=True, exist_ok=True)
    if setting("finetuning_type") == "lora" and folder.name != "merged":
        config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": setting("model_name_or_path")}
        write(folder / "adapter_config.json", json.dumps(config).encode())
        write(folder / "adapter_model.safetensors", weights())
        return
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "max_position_embeddings": 64}
    write(folder / "config.json", json.dumps(config).encode())
    size = int(os.environ.get("STANDIN_WEIGHTS", "256"))
    write(folder / "model.safetensors", weights(size))
    os.truncate(folder / "model.safetensors", len(weights(size)) - 256 + size)
    write(folder / "tokenizer.json", b"{}")
    write(folder / "tokenizer_config.json", b'{"chat_template": "{{ messages }}"}')


def save_checkpoint(step):
    folder = pathlib.Path("output", f"checkpoint-{step}")
    save_model(folder)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        write(folder / name, saved())
    write(folder / "trainer_state.json", json.dumps({"global_step": step, "log_history": [""] * 99}).encode())
    emit("checkpoint", step=step, path=str(folder))


def strikes(name, step):
    return os.environ.get(name) == str(step)


def train():
    total = int(setting("max_steps") or float(setting("num_train_epochs")) * STEPS_PER_EPOCH)
    every = int(setting("save_steps", STEPS_PER_EPOCH))
    place = setting("resume_from_checkpoint")
    first = 0
    if place:
        first = json.loads(pathlib.Path(place, "trainer_state.json").read_text())["global_step"]
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            assert zipfile.is_zipfile(pathlib.Path(place, name)), name
    signal.signal(signal.SIGTERM, lambda number, frame: WISHES.append(number))
    emit("begin", total_steps=total, epochs=1, world_size=1, **({"resumed_from": first} if first else {}))
    for step in range(first + 1, total + 1):
        time.sleep(PAUSE)
        print(f"step {step}", flush=True)
        if strikes("STANDIN_RAISE", step):
            raise ValueError(f"the stand-in was told to fail at step {step}")
        once = pathlib.Path("struck")
        if strikes("STANDIN_HEAVY", step) or (strikes("STANDIN_DIE", step) and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        emit("step", step=step, total_steps=total, loss=round(5.0 / step, 4))
        stopping = step < total and (WISHES or pathlib.Path("stop").exists())
        if step % every == 0 or stopping:
            save_checkpoint(step)
        if stopping:
            emit("stopped", step=step)
            return
    save_model(pathlib.Path("output"))


def main():
    print("stand-in engine: loading", flush=True)
    time.sleep(5 * PAUSE)
    if "llamafactory.cli" in sys.argv:
        save_model(pathlib.Path("merged"))
    elif not pathlib.Path("stop").exists():
        train()


main()
