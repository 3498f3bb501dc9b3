"""LMDeploy's command line: what a plan becomes, and where its chat template comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftctl.artifacts.model import Artifact
from ftctl.deployments.overlay import overlay_links, overlay_template
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import ServePlan
from ftctl.rendered import Rendered
from ftctl.servers import server
from ftctl.servers.fault import diagnose
from ftctl.servers.lmdeploy import FAULTS, OVERLAY
from tests.model_files import write_model

MODEL = Artifact("model", Path("/runs/a b/客服/model"))
PLAN = ServePlan("lmdeploy", "ft", "none", (1, 3), 2, "auto", 512)


def render(plan: ServePlan = PLAN, artifact: Artifact = MODEL, **deploy: object) -> Rendered:
    machine = MachineFacts((), None, 2, 2**34, 2**34)
    block = Deploy(**deploy)  # type: ignore[arg-type] # the fields are given by name in tests
    return server("lmdeploy").render(
        plan, block, artifact, python=Path("/env/bin/python"), port=8123, machine=machine
    )


def test_the_command_whole() -> None:
    rendered = render()
    runner = Path(rendered.argv[1])
    assert (runner.name, runner.is_file()) == ("lmdeploy_server.py", True)
    assert (rendered.argv[0], *rendered.argv[2:]) == (
        "/env/bin/python", "serve", "api_server", "/runs/a b/客服/model",
        "--dtype", "auto",
        "--session-len", "512",
        "--tp", "2",
        "--enable-prefix-caching",
        "--chat-template", "hf",
        "--model-name", "ft",
        "--server-name", "127.0.0.1",
        "--server-port", "8123",
        "--disable-fastapi-docs",
    )  # fmt: skip
    assert {key: rendered.env[key] for key in rendered.env if key != "PYTHONPATH"} == {
        "PYTHONHOME": None,
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": None,
        "CUDA_VISIBLE_DEVICES": "1,3",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "SSL_CERTFILE": None,
        "SSL_KEYFILE": None,
        "TM_LOG_LEVEL": None,
    }
    assert (Path(str(rendered.env["PYTHONPATH"])) / "vllm_guard.py").is_file()


def test_the_certificate_goes_by_the_environment() -> None:
    rendered = render(tls={"certificate": Path("/c.pem"), "key": Path("/k.pem")})
    assert "--ssl" in rendered.argv
    assert (rendered.env["SSL_CERTFILE"], rendered.env["SSL_KEYFILE"]) == ("/c.pem", "/k.pem")


def test_another_template_is_served_from_a_folder_of_links() -> None:
    plan = ServePlan("lmdeploy", "ft", "none", (0,), 1, "auto", 512, chat_template="/runs/t.jinja")
    rendered = render(plan)
    assert rendered.argv[4] == OVERLAY
    assert rendered.argv[rendered.argv.index("--chat-template") + 1] == "hf"


def test_a_model_without_a_template_is_served_without_one() -> None:
    rendered = render(artifact=Artifact("model", Path("/m"), has_chat_template=False))
    assert rendered.argv[rendered.argv.index("--chat-template") + 1] == "base"


def test_the_native_template_wins() -> None:
    argv = render(native={"chat-template": "internlm2", "max_prefill_iters": 2}).argv
    assert argv.count("--chat-template") == 1
    assert argv[argv.index("--chat-template") + 1] == "internlm2"
    assert argv[argv.index("--max-prefill-iters") + 1] == "2"


def test_the_overlay_is_the_model_with_one_file_changed(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m")
    (model / "chat_template.json").write_text("{}")
    (model / "additional_chat_templates").mkdir()
    template = tmp_path / "trained.jinja"
    template.write_text("{{ trained }}")
    folder = tmp_path / "deployment"
    for path, text in overlay_template(template.read_text(), {}, OVERLAY).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for path, goal in overlay_links(model, OVERLAY).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(goal)
    laid = folder / OVERLAY
    assert {path.name for path in laid.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    }  # fmt: skip
    assert (laid / "chat_template.jinja").read_text() == "{{ trained }}"
    assert json.loads((laid / "config.json").read_text())["model_type"] == "qwen3"


def test_what_a_template_is_told_unasked_stands_in_it() -> None:
    unasked = {"enable_thinking": False}
    plan = ServePlan("lmdeploy", "ft", "none", (0,), 1, "auto", 512, template_kwargs=unasked)
    assert render(plan).argv[4] == OVERLAY
    told = overlay_template("{{ said }}", unasked, "m")["m/chat_template.jinja"]
    put = "{%- set enable_thinking = false %}"
    assert told == "{%- if enable_thinking is not defined %}" + put + "{%- endif %}{{ said }}"
    with pytest.raises(UsageError, match="no chat template"):
        overlay_template(None, {}, "m")


def test_what_its_log_says_is_understood() -> None:
    for line, says in (
        ("RuntimeError: Found no NVIDIA driver on your system.", "finds none"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "out of memory"),
        ("lmdeploy: error: unrecognized arguments: --nope", "no argument --nope"),
        ("ERROR:    [Errno 98] error while attempting to bind: address already in use", "took the port"),
        ("ValueError: Try apply_chat_template failed: no template", "no template"),
    ):
        found = diagnose(["INFO: starting", line], FAULTS)
        assert found.known
        assert says in found.cause
        assert found.remedy
