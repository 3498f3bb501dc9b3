"""`lmdeploy serve api_server` command lines (arguments as of 0.18.0) as deploy blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftctl.importing import serving
from ftctl.importing.draft import Draft
from ftctl.importing.flags import Arguments, nested, parse
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source

NAME = "lmdeploy"
SAYS = "an lmdeploy serve api_server command line (text or shell script)"

SWITCHES = frozenset(
    """
    allow_credentials disable_fastapi_docs disable_metrics disable_vision_encoder eager_mode
    enable_abort_handling enable_chunked_prefill enable_eplb enable_metrics enable_microbatch
    enable_prefix_caching enable_return_routed_experts enable_torch_compile disable_cuda_graph
    allow_terminate_by_client language_model_only ssl trust_remote_code communicator_overlap
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily
)
LISTS = frozenset(("api_keys", "adapters", "allow_origins", "allow_methods", "allow_headers"))
FIELDS = {
    "server_name": "deploy.host", "server_port": "deploy.port", "session_len": "deploy.max_length",
    "dtype": "deploy.dtype", "tp": "deploy.tensor_parallel", "dp": "deploy.data_parallel",
    "cache_max_entry_count": "deploy.gpu_memory_share", "max_batch_size": "deploy.max_concurrency",
    "enable_prefix_caching": "deploy.prefix_caching", "model_format": "deploy.quantization",
    "tool_call_parser": "deploy.tool_parser", "reasoning_parser": "deploy.reasoning_parser",
    "trust_remote_code": "model.trust_remote_code", "revision": "model.revision",
}  # fmt: skip
_NOT_HERE = {
    "ssl": "set deploy.tls to the files that SSL_CERTFILE and SSL_KEYFILE named",
    "proxy_url": "ftctl's own servers stand for themselves",
}


def looks(source: Source) -> bool:
    """Whether one of the file's commands starts LMDeploy's server."""
    return any(_arguments(command) is not None for command in source.commands)


def convert(source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
    """The draft of the job."""
    command, arguments = serving.only(source, _arguments, "lmdeploy serve api_server")
    draft = Draft("an lmdeploy serve api_server command line", schema)
    rest = dict(arguments.named)
    path = arguments.loose[0] if arguments.loose else None
    rest = serving.start(draft, source, path, nested(rest), around, "lmdeploy")
    if rest.get("model_format") == "hf":
        draft.drop(
            "model_format", rest.pop("model_format"), "it is how weights are read that nobody quantised"
        )
    serving.fields(draft, rest, FIELDS)
    serving.served_name(draft, rest.pop("model_name", None), "model_name")
    serving.key(draft, rest, "api_keys", command, "LMDEPLOY_API_KEY")
    if "adapters" in rest:
        serving.adapters(draft, rest.pop("adapters"), around, "adapters")
    if "deploy" in draft.job and draft.get("deploy.gpu_memory_share") is not None:
        draft.check(
            "deploy.gpu_memory_share: LMDeploy means what is free after the weights, vLLM the whole GPU"
        )
    serving.rest(draft, rest, _NOT_HERE)
    serving.around(draft, source, command, arguments.loose[1:])
    return draft


def _arguments(command: Command) -> Arguments | None:
    words = command.words
    for index, word in enumerate(words):
        if word.rsplit("/", 1)[-1] == "lmdeploy" and words[index + 1 : index + 3] == ("serve", "api_server"):
            return parse(words[index + 3 :], switches=SWITCHES, lists=LISTS)
    return None
