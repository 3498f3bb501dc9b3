"""`vllm serve` command lines (arguments as of 0.32.0) as deploy blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftctl.importing import serving
from ftctl.importing.draft import Draft
from ftctl.importing.flags import Arguments, nested, parse
from ftctl.importing.shell_words import Command
from ftctl.importing.source import Around, Source

NAME = "vllm"
SAYS = "a vllm serve command line (text or shell script)"

SHORT = {
    "-tp": "tensor-parallel-size", "-pp": "pipeline-parallel-size", "-dp": "data-parallel-size",
    "-q": "quantization", "-asc": "api-server-count", "-O": "optimization-level", "-n": "nnodes",
    "-r": "node-rank", "-cc": "compilation-config", "-ep": "enable-expert-parallel",
    "-dcp": "decode-context-parallel-size",
}  # fmt: skip
# The flags that take no value, of those that people write before the model's name.
SWITCHES = frozenset(
    """
    aggregate_engine_logging allow_credentials async_scheduling calculate_kv_scales
    disable_access_log disable_cascade_attn disable_custom_all_reduce disable_fastapi_docs
    disable_frontend_multiprocessing disable_hybrid_kv_cache_manager disable_log_requests
    disable_log_stats disable_sliding_window disable_uvicorn_access_log enable_auto_tool_choice
    enable_chunked_prefill enable_dbo enable_eplb enable_expert_parallel enable_log_outputs
    enable_log_requests enable_lora enable_offline_docs enable_prefix_caching enable_prompt_embeds
    enable_prompt_tokens_details enable_request_id_headers enable_server_load_tracking
    enable_sleep_mode enable_tokenizer_info_endpoint enforce_eager fully_sharded_loras headless
    data_parallel_hybrid_lb data_parallel_external_lb grpc language_model_only
    log_config_file_strict return_tokens_as_token_ids skip_mm_profiling skip_tokenizer_init
    trust_remote_code trust_request_chat_template use_tqdm_on_load
    """.split()  # noqa: SIM905 - a wrapped text is read and compared more easily
)
LISTS = frozenset(("served_model_name", "lora_modules", "middleware", "allowed_local_media_path"))
FIELDS = {
    "host": "deploy.host", "port": "deploy.port", "dtype": "deploy.dtype",
    "tensor_parallel_size": "deploy.tensor_parallel", "pipeline_parallel_size": "deploy.pipeline_parallel",
    "data_parallel_size": "deploy.data_parallel", "gpu_memory_utilization": "deploy.gpu_memory_share",
    "kv_cache_memory_bytes": "deploy.kv_cache_memory", "kv_cache_dtype": "deploy.kv_cache_dtype",
    "quantization": "deploy.quantization", "max_num_seqs": "deploy.max_concurrency",
    "enable_prefix_caching": "deploy.prefix_caching", "tool_call_parser": "deploy.tool_parser",
    "reasoning_parser": "deploy.reasoning_parser", "enable_log_requests": "deploy.log_requests",
    "max_model_len": "deploy.max_length", "trust_remote_code": "model.trust_remote_code",
    "revision": "model.revision",
}  # fmt: skip
_NOT_HERE = {
    "headless": "ftctl needs the server's API",
    "uds": "ftctl reaches its servers by address",
    "grpc": "ftctl serves HTTP",
    "config": "write the keys of that file under deploy.native",
    "middleware": "ftctl puts its own guard in front of the server",
    "data_parallel_multi_port_external_lb": "its extra ports would not ask for the key",
    "enable_lora": "ftctl sets it where an adapter is attached",
    "max_lora_rank": "ftctl sets it from the adapter's own rank",
    "disable_log_requests": "requests are not logged unless deploy.log_requests is true",
}
_DTYPES = {"half": "float16", "float": "float32"}
_HUMAN = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG])")


def looks(source: Source) -> bool:
    """Whether one of the file's commands starts vLLM's server."""
    return any(_arguments(command) is not None for command in source.commands)


def convert(source: Source, around: Around, schema: Mapping[str, Any]) -> Draft:
    """The draft of the job."""
    command, arguments = serving.only(source, _arguments, "vllm serve")
    draft = Draft("a vllm serve command line", schema)
    rest = dict(arguments.named)
    path = rest.pop("model", rest.pop("model_tag", arguments.loose[0] if arguments.loose else None))
    rest = serving.start(draft, source, path, nested(rest), around, "vllm")
    _values(rest)
    serving.fields(draft, rest, FIELDS)
    serving.served_name(draft, rest.pop("served_model_name", None), "served_model_name")
    serving.key(draft, rest, "api_key", command, "VLLM_API_KEY")
    if "lora_modules" in rest:
        serving.adapters(draft, rest.pop("lora_modules"), around, "lora_modules")
    serving.tls(draft, rest, around, "ssl_certfile", "ssl_keyfile", "ssl_ca_certs")
    if draft.get("deploy.tool_parser") and rest.pop("enable_auto_tool_choice", None):
        draft.origins[("deploy", "tool_parser")] = "tool_call_parser, enable_auto_tool_choice"
    serving.rest(draft, rest, _NOT_HERE)
    serving.around(draft, source, command, arguments.loose[1:] if path in arguments.loose else ())
    return draft


def _arguments(command: Command) -> Arguments | None:
    """The arguments of a command that starts the server; None for any other."""
    words = command.words
    for index, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name == "vllm" and words[index + 1 : index + 2] == ("serve",):
            start = index + 2
        elif word == "vllm.entrypoints.openai.api_server" or re.match(r"vllm/vllm-openai(?::|$)", word):
            start = index + 1
        else:
            continue
        given = [re.sub(r"-O(\d)", r"--optimization-level=\1", word) if word[:2] == "-O" else word
                 for word in words[start:]]  # fmt: skip
        return parse(given, switches=SWITCHES, lists=LISTS, short=SHORT)
    return None


def _values(rest: dict[str, Any]) -> None:
    """Values as the job writes them: vLLM's `32k` is 32 000, its `32K` 32 × 1024."""
    rest["dtype"] = _DTYPES.get(rest.get("dtype", ""), rest.get("dtype"))
    if "optimization_level" in rest:  # the engine's parser takes it as text
        rest["optimization_level"] = str(rest["optimization_level"])
    for name in ("max_model_len", "kv_cache_memory_bytes"):
        if human := _HUMAN.fullmatch(str(rest.get(name))):
            power = "kmg".index(human[2].lower()) + 1
            rest[name] = int(float(human[1]) * (1024 if human[2].isupper() else 1000) ** power)
    for name in [name for name in rest if rest[name] is None]:
        del rest[name]
