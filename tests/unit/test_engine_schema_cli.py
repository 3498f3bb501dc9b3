"""`ftctl schema show` and `ftctl schema path`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), ("llamafactory", "LLaMA-Factory 0.9.5", "serving")),
        (("llamafactory",), ("neftune_noise_alpha", "The alpha parameter")),
        (("llamafactory", "finetuning_type"), ("lora, oft, freeze, full", 'default:  "lora"', "source:")),
        (("vllm", "max-model-len"), ("max_model_len", "range:    at least -1")),
        (("vllm", "compilation-config.mode"), ("compilation_config\n", "default:  CompilationConfig()")),
        (("lmdeploy", "tp"), ("backend:  pytorch, turbomind", "only in:  api_server")),
        (("lmdeploy", "server_port"), ("but:      proxy has default 8000",)),
        (("flagembedding", "model_name_or_path"), ("default:  needed",)),
        (("llamafactory", "optim"), ("choices:  adamw_torch, ",)),
        (("job", "train.learning_rate"), ("a number, or null", "also:     lr", "Peak learning rate")),
        (("data.train[0].path",), ("data.train.path\n",)),
        (("vllm", "-tp"), ("tensor_parallel_size\n",)),
        (("vllm", "tp"), ("tensor_parallel_size\n",)),
        (("llamafactory", "--finetuning-type"), ("finetuning_type\n",)),
        (("job",), ("data.train.path", "deploy.max_length")),
    ],
)  # fmt: skip
def test_what_is_shown(ftctl: Cli, words: tuple[str, ...], shown: tuple[str, ...]) -> None:
    out = ftctl("schema", "show", *words, code=0).out
    for piece in shown:
        assert piece in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("llamafactory", "lora_rnk"), "did you mean lora_rank?"),
        (("llamafactory", "lr"), "did you mean train.learning_rate? LLaMA-Factory calls it learning_rate"),
        (("flagembedding", "bs"), "did you mean train.batch_size?"),
        (("lmdeploy", "max_model_len"), "did you mean deploy.max_length? LMDeploy calls it session_len"),
        (("lr",), "did you mean train.learning_rate?"),
        (("job", "learning_rate"), "did you mean train.learning_rate?"),
        (("job", "train.lr"), "did you mean train.learning_rate?"),
        (("job", "trian.epochs"), "did you mean train.epochs?"),
        (("job", "qqqqqqqq"), "`ftctl schema show job` lists them"),
        (("vlm",), "did you mean vllm?"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(ftctl: Cli, words: tuple[str, ...], says: str) -> None:
    assert says in ftctl("schema", "show", *words, code=2).err


def test_json_and_paths(ftctl: Cli) -> None:
    data = ftctl("schema", "show", "vllm", "dtype", "--json", code=0).data
    assert (data["schema"], data["key"], data["default"]) == ("vllm", "dtype", "auto")
    assert len(ftctl("schema", "show", "llamafactory", "--json", code=0).data["keys"]) == 346
    assert Path(ftctl("schema", "path", code=0).out.strip()) == ROOT / "schemas" / "job.schema.json"
    shown = ftctl("schema", "path", "vllm", "--json", code=0).data["path"]
    assert shown == str(ROOT / "schemas" / "serving" / "vllm.schema.json")


def test_sync_refuses_an_engine_that_is_not_there(ftctl: Cli, tmp_path: Path) -> None:
    answer = ftctl("schema", "sync", "vllm", "--no-install", env={"FTCTL_ENGINES": str(tmp_path / "none")})
    assert answer.code == 4
    assert "did you mean vllm?" in ftctl("schema", "sync", "vlm", code=2).err
