"""`native:` blocks: what the engines would refuse is refused at once, in its line, with the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.errors import JobError
from ftctl.job.load import load

HEAD = "name: a\nmodel: some/base\n"
TRAIN = "data: {train: rows.jsonl}\ntrain:\n  method: lora\n"


def said(folder: Path, body: str) -> list[str]:
    """What is said of a job with this body: line, column, and the rest."""
    (folder / "rows.jsonl").write_text("{}\n")
    job = folder / "job.yaml"
    job.write_text(HEAD + body)
    try:
        load(job, environ={"HOME": "/"})
    except JobError as error:
        return [str(problem).removeprefix(f"{job}:") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("native", "message"),
    [
        ("lr: 1e-4", "did you mean train.learning_rate? LLaMA-Factory calls it learning_rate"),
        ("learning_rte: 1", "did you mean learning_rate? train.learning_rate sets it"),
        ("use_galor: true", "did you mean use_galore?"),
        ("lora_r: 8", "did you mean train.lora.rank? LLaMA-Factory calls it lora_rank"),
        ("batch_size: 8", "did you mean train.batch_size?"),
        ("epochs: 8", "did you mean train.epochs? LLaMA-Factory calls it num_train_epochs"),
        ("stag: sft", "set train.task, which sets stage"),
        ("output_dirr: x", "remove it: ftctl sets output_dir itself"),
        ("save-steps: 4", "write save_steps"),
        ("qqqq: 4", "`ftctl schema show llamafactory` lists its arguments"),
    ],
)
def test_an_unknown_argument_of_the_trainer(tmp_path: Path, native: str, message: str) -> None:
    key = native.partition(":")[0]
    expected = f"7:5: train.native.{key}: {key} is not an argument of LLaMA-Factory 0.9.5; {message}"
    assert said(tmp_path, f"{TRAIN}  native:\n    {native}\n") == [expected]


@pytest.mark.parametrize(
    ("native", "message"),
    [
        ('plot_loss: "false"', 'is text ("false"), true or false is wanted; write false without quotes'),
        ("plot_loss: yes", 'is text ("yes"), true or false is wanted; write true (yes is text in YAML 1.2)'),
        ('neftune_noise_alpha: "5"', 'is text ("5"), a number is wanted; write 5 without quotes'),
        ("adam_beta1: fast", 'is text ("fast"), a number is wanted'),
        ("run_name: 5", 'is 5, text is wanted; write "5" in quotes'),
        ("max_samples: 1.5", "is 1.5, a whole number is wanted"),
        ("plot_loss: null", "is empty, true or false is wanted"),
        ("pref_loss: sigmod", "did you mean sigmoid?"),
        ("optim: adamw_trch", "none of its 42 choices; did you mean adamw_torch?"),
        ("optim: no_such", "none of its 42 choices; `ftctl schema show llamafactory optim` lists them"),
    ],
)
def test_a_wrong_value_for_the_trainer(tmp_path: Path, native: str, message: str) -> None:
    key = native.partition(":")[0]
    (found,) = said(tmp_path, f"{TRAIN}  native:\n    {native}\n")
    assert found.startswith(f"7:{7 + len(key)}: train.native.{key}: ")
    assert message in found


def test_an_item_of_a_list_is_named(tmp_path: Path) -> None:
    (found,) = said(tmp_path, f"{TRAIN}  native: {{freeze_extra_modules: [a, 3]}}\n")
    assert "train.native.freeze_extra_modules[1]: is 3, text is wanted" in found


@pytest.mark.parametrize(
    ("native", "message"),
    [
        ("tp: 2", "did you mean tensor_parallel_size? deploy.tensor_parallel sets it"),
        ("max-num-seq: 2", "did you mean max_num_seqs? deploy.max_concurrency sets it"),
        ("no-enable-chunked-prefill: true", "write enable_chunked_prefill: false"),
        ("swap_space: 4", "did you mean deploy.kv_cache_memory? vLLM calls it kv_cache_memory_bytes"),
        ("enforce_eager: 'true'", 'is text ("true"), true or false is wanted; write true without quotes'),
        ("disable_log_stats: false", "is false, and the engine has no word for that; remove it"),
        ("gpu-memory-utilization: 1.5", "is 1.5, more than 1; the range is above 0 up to 1"),
        ("dtype: fp16", 'is "fp16", one of auto, bfloat16, float, float16, float32, half is wanted'),
        ("limit-mm-per-prompt: image=1", 'is "image=1"; wanted: a mapping, or JSON as text'),
        ("max_model_len: lots", "wanted: a whole number, also as 2k, 4M or auto"),
    ],
)
def test_a_mistake_for_the_server(tmp_path: Path, native: str, message: str) -> None:
    (found,) = said(tmp_path, f"deploy:\n  native:\n    {native}\n")
    assert found.startswith("5:")
    assert message in found


@pytest.mark.parametrize(
    "native",
    [
        "max-model-len: 1k", "max_model_len: auto", "--max-logprobs: 5", "compilation-config.mode: 3",
        "compilation_config: {mode: 3}", "hf_overrides: '{\"a\": 1}'", "enable_chunked_prefill: false",
        "dtype: null", "allowed_origins: []", "cpu_offload_params: [a, b]", "cpu_offload_params: a",
        "seed: 1e3", "disable-fastapi-docs: false",
    ],
)  # fmt: skip
def test_what_the_server_takes_passes(tmp_path: Path, native: str) -> None:
    assert said(tmp_path, f"deploy:\n  native:\n    {native}\n") == []


@pytest.mark.parametrize(
    "native",
    [
        "neftune_noise_alpha: 5", "deepspeed: {zero_optimization: {stage: 2}}", "deepspeed: ds.json",
        "additional_target: [a, b]", "additional_target: a,b", "report_to: [tensorboard]",
        "report_to: null", "max_samples: 1e3", "include_num_input_tokens_seen: true",
    ],
)  # fmt: skip
def test_what_the_trainer_takes_passes(tmp_path: Path, native: str) -> None:
    assert said(tmp_path, f"{TRAIN}  native:\n    {native}\n") == []


def test_what_clashes_with_a_key_is_said_once_with_both_ways_out(tmp_path: Path) -> None:
    clash = "native: {per_device_train_batch_size: '4'}"
    (found,) = said(tmp_path, f"{TRAIN}  batch_size: 8\n  {clash}\n")
    assert found.endswith(
        "native.per_device_train_batch_size and train.batch_size are both set; "
        "set train.micro_batch_size, or leave it here and drop batch_size"
    )


def test_both_blocks_are_checked_and_overrides_too(tmp_path: Path) -> None:
    body = f"{TRAIN}  native: {{aaaa: 1}}\ndeploy: {{native: {{bbbb: 1}}}}\n"
    assert [line.partition(";")[0] for line in said(tmp_path, body)] == [
        "6:12: train.native.aaaa: aaaa is not an argument of LLaMA-Factory 0.9.5",
        "7:19: deploy.native.bbbb: bbbb is not an argument of vLLM 0.32.0",
    ]
    (tmp_path / "job.yaml").write_text(f"{HEAD}{TRAIN}")
    with pytest.raises(JobError, match=r"--set train\.native\.aaaa=1"):
        load(tmp_path / "job.yaml", ("train.native.aaaa=1",))


def test_many_unknown_arguments_take_no_time(tmp_path: Path) -> None:
    keys = ", ".join(f"unknown_argument_{number}: 1" for number in range(2000))
    found = said(tmp_path, f"{TRAIN}  native: {{{keys}}}\n")
    assert len(found) == 2000
    assert ";" not in found[-1]


def test_a_whole_number_reaches_the_engine_as_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "job.yaml").write_text(f"{HEAD}{TRAIN}  native: {{max_samples: 1e3, adam_beta1: 1.0}}\n")
    job = load(tmp_path / "job.yaml")
    assert job.train is not None
    assert json.dumps(dict(job.train.native)) == '{"max_samples": 1000, "adam_beta1": 1.0}'
