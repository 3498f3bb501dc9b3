"""A job file becomes one frozen Job: forms, defaults and places."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ftctl.job.load import load
from ftctl.job.model import Dataset, problem_at
from ftctl.job.training import Quantization
from tests.written_jobs import HEAD, TRAIN, Write, deploy_of, refused, writer


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path)


def test_a_short_job_with_its_defaults(write: Write) -> None:
    path = write(TRAIN + "  epochs: 2\ndeploy: {}\n")
    job = load(path)
    assert job.name == "a-job"
    assert (job.model.path, job.model.local) == ("Qwen/Qwen3-0.6B", False)
    assert job.data is not None
    assert job.data.train == (Dataset(path.parent / "rows.jsonl"),)
    assert job.train is not None
    assert (job.train.epochs, job.train.method, job.train.lora.rank) == (2.0, "lora", 8)
    assert job.deploy is not None
    assert (job.deploy.host, job.deploy.port) == ("127.0.0.1", None)
    assert job.file == path.absolute()
    assert job.source == path.read_text(encoding="utf-8")
    assert job.places["train.epochs"] == (5, 11)
    assert job.places["data.train[0].path"] == (3, 15)
    assert "train.epochs" in job.written
    assert "train.method" not in job.written


def test_a_job_is_frozen_and_can_be_kept(write: Write) -> None:
    job = load(write(TRAIN + "  native: {lr_scheduler_kwargs: {a: [1, {b: 2}]}}\n"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.name = "other"  # type: ignore[misc] # that is the point
    kept = dataclasses.asdict(job)
    assert kept["train"]["native"] == {"lr_scheduler_kwargs": {"a": [1, {"b": 2}]}}
    assert hash(job.written)


def test_short_and_long_forms_are_the_same(write: Write) -> None:
    short = load(write(TRAIN + "  quantization: 4\n  packing: true\n"))
    long = load(
        write(
            "name: a-job\nmodel: {path: Qwen/Qwen3-0.6B}\ndata: {train: [{path: rows.jsonl}]}\n"
            "train: {quantization: {bits: 4}, packing: plain}\n"
        )
    )
    assert (short.model, short.data, short.train) == (long.model, long.data, long.train)
    assert short.train is not None
    assert short.train.quantization == Quantization(4)
    single = load(
        write(HEAD + "data: {train: {path: rows.jsonl}}\ntrain: {quantization: 4, packing: plain}\n")
    )
    assert single.data == short.data


@pytest.mark.parametrize(
    ("written", "share", "files"),
    [
        ("0.05", 0.05, 0), ("200", 200, 0), ("200.0", 200, 0), ("1", 1, 0), ("null", None, 0),
        ("more.json", None, 1), ("[more.json, {path: rows.jsonl}]", None, 2), ("'1.5'", None, 1),
    ],
)  # fmt: skip
def test_evaluation_forms(write: Write, written: str, share: float | None, files: int) -> None:
    job = load(write(HEAD + f"data: {{train: rows.jsonl, eval: {written}}}\ntrain: {{}}\n"))
    assert job.data is not None
    assert job.data.eval_share == share
    assert type(job.data.eval_share) is type(share)
    assert len(job.data.eval) == files


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("./base", True),
        ("base", True),
        ("../elsewhere/base", True),
        ("gpt2", False),
        ("owner/name.v2", False),
    ],
)
def test_a_model_is_a_folder_or_a_hub_id(write: Write, written: str, local: bool) -> None:
    path = write(f"name: a\nmodel: {written}\ndeploy: {{}}\n")
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "base").symlink_to(path.parent / "base")
    job = load(path)
    assert job.model.local is local
    assert Path(job.model.path).is_absolute() is local
    assert not local or (Path(job.model.path) / "config.json").is_file()


def test_home_and_absolute_paths(write: Write) -> None:
    path = write("name: a\nmodel: ~/base\ndata: {train: " + f'"{Path(__file__)}"' + "}\ntrain: {}\n")
    job = load(path, environ={"HOME": str(path.parent)})
    assert job.model.path == str(path.parent / "base")
    assert job.data is not None
    assert job.data.train[0].path == Path(__file__)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("64MiB", 64 << 20),
        ("1.5 GB", 1_500_000_000),
        ("2GiB", 2 << 30),
        ("512", 512),
        ("7B", 7),
        ("1KiB", 1024),
    ],
)
def test_sizes_in_bytes(write: Write, written: str, size: int) -> None:
    job = load(write(HEAD + f"deploy: {{kv_cache_memory: {written}}}\n"))
    assert job.deploy is not None
    assert job.deploy.kv_cache_memory == size


@pytest.mark.parametrize(
    ("written", "gpus"), [("2", 2), ("2.0", 2), ("0", 0), ("all", "all"), ("[0, 2]", (0, 2)), ("null", None)]
)
def test_gpus(write: Write, written: str, gpus: object) -> None:
    job = load(write(HEAD + f"resources: {{gpus: {written}}}\ndeploy: {{gpus: {written}}}\n"))
    assert job.deploy is not None
    assert job.resources.gpus == job.deploy.gpus == gpus
    assert type(job.resources.gpus) is type(gpus)


def test_numbers_have_their_types(write: Write) -> None:
    job = load(write(TRAIN + "  batch_size: 64.0\n  epochs: 2\n  warmup: 10.0\n  lora: {rank: 1.6e1}\n"))
    assert job.train is not None
    train = job.train
    assert (train.batch_size, train.epochs, train.warmup, train.lora.rank) == (64, 2.0, 10, 16)
    assert [type(v) for v in (train.batch_size, train.epochs, train.warmup, train.lora.rank)] == [
        int, float, int, int
    ]  # fmt: skip


def test_a_null_on_a_nullable_key_is_the_same_as_nothing(write: Write) -> None:
    bare = load(write(TRAIN + "  seed: 42\n"))
    nulls = load(
        write(TRAIN + "  learning_rate: null\n  batch_size:\n  quantization: ~\n  checkpoints: {}\n")
    )
    assert bare.train == nulls.train
    every = load(write(TRAIN + "  checkpoints: {keep: null}\n"))
    assert every.train is not None
    assert every.train.checkpoints.keep is None


def test_a_problem_found_later_has_its_place(write: Write) -> None:
    path = write(TRAIN + "  lora:\n    rank: 8\n")
    job = load(path, ("train.epochs=2",))
    assert str(problem_at(job, "train.lora.rank", "x")).startswith(f"{path}:6:11: train.lora.rank: x")
    assert str(problem_at(job, "train.lora.alpha", "x", "y")) == f"{path}:5:3: train.lora.alpha: x; y"
    assert str(problem_at(job, "train.epochs", "x")) == "--set train.epochs=2: train.epochs: x"
    assert problem_at(job, "deploy.port", "x").line == 0


def test_a_trailing_line_break_is_no_part_of_a_name(write: Write) -> None:
    said = refused(write('name: "a-job\\n"\nmodel: x/y\ndeploy: {api_key: "${env:KEY}\\n"}\n'))
    assert len(said) == 2


def test_no_file_a_folder_and_an_empty_one(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone.yaml") == ["there is no such file; write one with `ftctl init`"]
    assert refused(tmp_path) == ["this is a folder; name the job file in it"]
    assert "cannot be read" in refused(Path("/proc/self/mem"))[0]
    assert refused(tmp_path / "a\0b")[0].endswith("the file's name holds a NUL character")


def test_names_that_no_system_takes_are_problems(write: Write) -> None:
    long = "x" * 5000
    said = refused(
        write(
            f'name: a\nmodel: {long}\ndata: {{train: [{long}, "a\\0b"]}}\ntrain: {{engine_python: {long}}}\n'
        )
    )
    assert [line.split(":")[2].strip() for line in said] == [
        "model", "data.train[0]", "data.train[1]", "train.engine_python"
    ]  # fmt: skip


def test_missing_files_and_other_mistakes_come_together(write: Write) -> None:
    said = refused(write("name: a\nmodel: ./gone\ndata: {train: gone.jsonl}\ntrain: {lr: 1}\n"))
    assert [line.split(":")[2].strip() for line in said] == ["model", "data.train", "train.lr"]


def test_a_thousand_unknown_keys_get_an_answer_at_once(write: Write) -> None:
    said = refused(write(HEAD + "deploy: {}\n" + "".join(f"item{n}: 1\n" for n in range(1000))))
    assert len(said) == 1000
    assert "the keys here are" in said[0]
    assert said[-1].endswith("item999 is not a key of a job")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_an_address_of_this_machine_needs_no_key(write: Write, host: str) -> None:
    assert deploy_of(load(write(HEAD + f"deploy: {{host: '{host}'}}\n"))).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.evil.example", "192.168.1.5", "localhost.example"])
def test_any_other_address_needs_one(write: Write, host: str) -> None:
    assert "there is no api_key" in refused(write(HEAD + f"deploy: {{host: '{host}'}}\n"))[0]
    text = HEAD + f"deploy: {{host: '{host}', api_key: '${{env:KEY}}'}}\n"
    assert deploy_of(load(write(text))).host == host


def test_a_large_file_is_not_read_whole(write: Write) -> None:
    path = write(HEAD + "#" * (1 << 20))
    assert "more than 1 MiB" in refused(path)[0]
    assert "more than 1 MiB" in refused(Path("/dev/zero"))[0]


def test_problems_of_all_kinds_come_at_once_in_file_order(write: Write) -> None:
    said = refused(
        write("name: a b\nmodel: x/y\nmodel: z\ntrain: {lr: 1, task: kto}\ndeploy:\n  port: ${env:P}\n")
    )
    assert [line.split(":")[0] for line in said] == ["1", "1", "3", "4", "4", "6"]
