"""Adapters before a server gets them: whose they are, whether they fit, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftctl.deployments.adapters import check_adapter, check_template, look_at
from ftctl.errors import FtctlError, UsageError
from ftctl.servers.vllm_lora import highest_rank, refusals
from tests.conftest import Cli
from tests.lora_files import write_lora
from tests.model_files import safetensors, write_model

SHAPE = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1}
UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model with one projection to adapt."""
    return a_model(tmp_path / "base")


def a_model(folder: Path, rows: int = 8) -> Path:
    write_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | SHAPE))
    (folder / "model.safetensors").write_bytes(safetensors({UP: [rows, 4]}))
    return folder


def refused(folder: Path, base: Path | str) -> str:
    with pytest.raises(FtctlError) as caught:
        check_adapter(folder, str(base))
    return str(caught.value)


def test_the_largest_rank_counts(base: Path, tmp_path: Path) -> None:
    one, two = write_lora(tmp_path / "one", base, rank=2), write_lora(tmp_path / "two", base, rank=9)
    named = {"one": str(one), "two": str(two)}
    assert look_at(named, str(base)) == (named, 9, None)
    assert look_at({}, str(base)) == ({}, None, None)


def test_an_adapter_may_name_its_ranks_by_pattern(base: Path, tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "a", base, rank=4, r=2, rank_pattern={"up_proj": 4})
    assert check_adapter(adapter, str(base)) == 4
    assert highest_rank({"r": True, "rank_pattern": None}) == 0


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"peft_type": "IA3"}, "no LoRA adapter but IA3"),
        ({"bias": "all"}, "has biases"),
        ({"use_dora": True}, "DoRA"),
        ({"lora_bias": True}, "has biases"),
        ({"modules_to_save": ["embed_tokens", "score"]}, "whole modules (embed_tokens)"),
        ({"init_lora_weights": "pissa"}, "pissa changes the base model's weights"),
        ({"alora_invocation_tokens": [1]}, "activated LoRA"),
        ({"layer_replication": [[0, 1]]}, "repeats layers"),
        ({"use_qalora": True}, "QALoRA"),
    ],
)
def test_what_vllm_refuses_is_refused_before_it(
    base: Path, tmp_path: Path, config: dict[str, Any], says: str
) -> None:
    assert says in refused(write_lora(tmp_path / "a", base, **config), base)


def test_what_changes_nothing_for_vllm_is_taken() -> None:
    usual = {
        "peft_type": "LORA",
        "bias": "none",
        "use_dora": False,
        "modules_to_save": None,
        "use_rslora": True,
    }
    assert not list(refusals({**usual, "use_rslora": True, "init_lora_weights": "gaussian"}))
    assert not list(refusals({**usual, "modules_to_save": ["score"], "init_lora_weights": True}))


def test_a_rank_above_all_is_refused(base: Path, tmp_path: Path) -> None:
    assert "rank 513" in refused(write_lora(tmp_path / "a", base, rank=4, r=513), base)


def test_a_rank_that_the_weights_belie_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "a", base, rank=64, r=8)
    assert "its weights have rank 64 and its adapter_config.json says 8" in refused(adapter, base)


def test_pickled_weights_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "a", base)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "its weights are pickled" in refused(adapter, base)
    (adapter / "adapter_model.bin").unlink()
    assert "no such file" in refused(adapter, base)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"])
def test_a_link_out_of_the_folder_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    adapter, secret = write_lora(tmp_path / "a", base), tmp_path / "secret"
    source = adapter / name
    secret.write_bytes(source.read_bytes() if source.exists() else b"{}")
    source.unlink(missing_ok=True)
    source.symlink_to(secret)
    assert f"{name} is a link out of the folder" in refused(adapter, base)
    source.unlink()
    source.symlink_to("../../../../../../etc/passwd")
    assert "is a link out of the folder" in refused(adapter, base)


def test_the_hubs_cache_may_link_to_its_blobs(base: Path, tmp_path: Path) -> None:
    blobs = tmp_path / "models--a--b" / "blobs"
    adapter = write_lora(tmp_path / "models--a--b" / "snapshots" / "1", base)
    blobs.mkdir()
    for number, path in enumerate(sorted(adapter.iterdir())):
        path.rename(blobs / str(number))
        path.symlink_to(f"../../blobs/{number}")
    assert check_adapter(adapter, str(base)) == 8


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (b"", "cut short"),
        (b"\xff" * 8, "not a safetensors file"),
        (b"\x05" + bytes(7) + b"[1,2]", "is broken"),
    ],
)
def test_broken_weights_are_refused(base: Path, tmp_path: Path, damage: bytes, says: str) -> None:
    adapter = write_lora(tmp_path / "a", base)
    (adapter / "adapter_model.safetensors").write_bytes(damage)
    assert says in refused(adapter, base)


def test_an_adapter_of_another_model_is_refused(base: Path, tmp_path: Path) -> None:
    other = a_model(tmp_path / "other", rows=16)
    adapter = write_lora(tmp_path / "a", other)
    assert f'was trained on "{other}", not on "{base}"' in refused(adapter, base)
    assert "was trained on" in refused(adapter, "acme/chat")
    # It says that it is this one's, and is not.
    liar = write_lora(tmp_path / "b", other, base_model_name_or_path=str(base))
    (liar / "adapter_model.safetensors").write_bytes(
        safetensors({f"base_model.model.{UP.removesuffix('.weight')}.lora_B.weight": [16, 8]})
    )
    assert "does not fit the model" in refused(liar, base)
    stranger = {"base_model.model.transformer.h.0.attn.lora_A.weight": [8, 4]}
    (liar / "adapter_model.safetensors").write_bytes(safetensors(stranger))
    assert "it changes modules that are not there" in refused(liar, base)


def test_a_copy_of_the_base_is_the_base(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(base, copy)
    config = json.loads((copy / "config.json").read_text()) | {"transformers_version": "5.6.0"}
    (copy / "config.json").write_text(json.dumps(config))
    adapter = write_lora(tmp_path / "a", base)
    assert check_adapter(adapter, str(copy)) == 8
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert "was trained on" in refused(adapter, copy), "one bit makes another model"


def test_a_base_that_was_moved_is_known_by_name_and_shape(base: Path, tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "a", base, base_model_name_or_path="/gone/base")
    assert check_adapter(adapter, str(base)) == 8
    assert "was trained on" in refused(write_lora(tmp_path / "b", base, base_model_name_or_path=""), base)


def test_a_base_in_the_hubs_cache_is_known_by_its_id(base: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--acme--chat" / "snapshots" / "1"
    shutil.copytree(base, cached)
    assert (
        check_adapter(write_lora(tmp_path / "a", base, base_model_name_or_path="acme/chat"), str(cached)) == 8
    )


def test_adapters_share_the_template_that_they_were_trained_with(base: Path, tmp_path: Path) -> None:
    """The base's own is `{{ messages }}`, in its tokenizer's configuration."""
    one, two, other = (write_lora(tmp_path / name, base) for name in ("one", "two", "other"))
    for folder in (one, two):
        (folder / "chat_template.jinja").write_text("{{ trained }}")
    (other / "chat_template.jinja").write_text("{{ messages }}")
    named = {"one": str(one), "two": str(two)}
    assert look_at(named, str(base)).template == str(one / "chat_template.jinja")
    assert look_at({"other": str(other)}, str(base)).template is None, "the base's own"
    assert look_at({}, str(base), own=two).template == str(two / "chat_template.jinja")
    with pytest.raises(UsageError, match="were trained with different chat templates"):
        look_at({**named, "other": str(other)}, str(base))
    with pytest.raises(UsageError, match="were trained with different chat templates"):
        look_at(named, str(base), own=other)
    check_template(one, str(base), str(two / "chat_template.jinja"))
    check_template(other, str(base), None)
    check_template(one, "acme/chat", None)  # of a model on a Hub nothing is known
    for folder, served in ((one, None), (other, str(one / "chat_template.jinja"))):
        with pytest.raises(UsageError, match="another chat template than the server has"):
            check_template(folder, str(base), served)


def test_what_is_no_adapter_is_told_by_name(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"deploy\.adapters\.a: .*is no adapter: it has no adapter_config"):
        look_at({"a": str(base)}, str(base))
    with pytest.raises(UsageError, match=r"deploy\.adapters\.a: there is no nothing-here"):
        look_at({"a": "nothing-here"}, str(base))


def test_validate_tells_it_at_the_adapters_own_line(ftctl: Cli) -> None:
    base = a_model(ftctl.cwd / "base")
    write_lora(ftctl.cwd / "good", base)
    write_lora(ftctl.cwd / "bad", base, use_dora=True)
    job = "name: bot\nmodel: ./base\ndeploy:\n  adapters:\n    good: good\n    bad: ./bad\n"
    (ftctl.cwd / "job.yaml").write_text(job)
    said = ftctl("validate", "job.yaml", code=2).err
    assert said.startswith("job.yaml:6:10: deploy.adapters.bad: vLLM cannot attach")
    (ftctl.cwd / "job.yaml").write_text(job.replace("    bad: ./bad\n", ""))
    shown = {one["key"]: one["value"] for one in ftctl("plan", "job.yaml", "--json", code=0).data["choices"]}
    assert shown["deploy.adapters"] == "good"
