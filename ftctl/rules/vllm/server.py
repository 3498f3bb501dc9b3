"""What the server asks of its parsers, logs and templates."""

from __future__ import annotations

from ftctl.rules.condition import Condition, absent, below, fact, given, on, unless, when, written
from ftctl.rules.rule import Rule
from ftctl.rules.vllm.choices import REASONING_PARSERS, TOOL_PARSERS

SERVE_ARGS = "launchers/cli_args.py:validate_parsed_serve_args"
KNOWN = "launchers/launcher.py:validate_api_server_args"
LAUNCH = "launchers/launcher.py:setup_server"
TLS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_ciphers", "enable_ssl_refresh")


def _unknown(name: str, known: tuple[str, ...]) -> Condition:
    """A parser that the engine does not have and that no plugin can bring."""
    said = f"`{name}` none of the engine's"
    return fact(said, lambda setting: setting.get(name) not in ("", None, *known))


RULES: tuple[Rule, ...] = (
    Rule(
        "tool-choice-needs-parser", SERVE_ARGS, on("enable_auto_tool_choice") & ~on("tool_call_parser"),
        ("enable_auto_tool_choice", "tool_call_parser"),
        "needs {tool_call_parser}", "set {tool_call_parser}, or remove it",
        {"enable_auto_tool_choice": True},
        {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"},
    ),
    Rule(
        "tool-parser-unused", "parser/parser_manager.py:get_tool_parser",
        given("tool_call_parser") & ~on("enable_auto_tool_choice"),
        ("tool_call_parser", "enable_auto_tool_choice"),
        "is not used: without {enable_auto_tool_choice} calls come back as plain text",
        "set {enable_auto_tool_choice}: true, or set deploy.tool_parser, which does",
        {"tool_call_parser": "hermes"}, {"tool_call_parser": "hermes", "enable_auto_tool_choice": True},
        proof="silent",
    ),
    Rule(
        "tool-parser-known", KNOWN,
        on("enable_auto_tool_choice") & on("tool_call_parser") & _unknown("tool_call_parser", TOOL_PARSERS)
        & ~on("tool_parser_plugin"),
        ("tool_call_parser",),
        "names a tool parser that this version does not have", "take one of " + ", ".join(TOOL_PARSERS),
        {"enable_auto_tool_choice": True, "tool_call_parser": "hermes2"},
        {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"},
    ),
    Rule(
        "reasoning-parser-known", "reasoning/abs_reasoning_parsers.py:get_reasoning_parser",
        _unknown("reasoning_parser", REASONING_PARSERS) & ~on("reasoning_parser_plugin"),
        ("reasoning_parser",),
        "names a reasoning parser that this version does not have",
        "take one of " + ", ".join(REASONING_PARSERS),
        {"reasoning_parser": "qwen"}, {"reasoning_parser": "qwen3"},
    ),
    Rule(
        "tool-plugin-unused", LAUNCH, on("tool_parser_plugin") & ~on("tool_call_parser"),
        ("tool_parser_plugin", "tool_call_parser"),
        "brings a parser that nothing uses", "name the parser in {tool_call_parser}",
        {"tool_parser_plugin": "mine.py"}, {}, proof="silent",
    ),
    Rule(
        "hf-parser-own-template", SERVE_ARGS,
        given("chat_template") & (when("tool_call_parser", "hf") | when("reasoning_parser", "hf")),
        ("chat_template", "tool_call_parser", "reasoning_parser"),
        "changes the prompt, and the hf parser still expects the answers of the model's own template",
        "leave it out, or take the model family's own parser",
        {"chat_template": "{{ messages[0]['content'] }}", "tool_call_parser": "hf",
         "enable_auto_tool_choice": True},
        {"chat_template": "{{ messages[0]['content'] }}"}, severity="warning", proof="silent",
    ),
    Rule(
        "log-outputs-needs-requests", SERVE_ARGS, on("enable_log_outputs") & ~on("enable_log_requests"),
        ("enable_log_outputs", "enable_log_requests"),
        "needs {enable_log_requests}", "set {enable_log_requests}: true, or remove it",
        {"enable_log_outputs": True}, {"enable_log_outputs": True, "enable_log_requests": True},
    ),
    Rule(
        "log-length-needs-requests", "launchers/api_server/app_state.py:init_app_state",
        given("max_log_len") & ~on("enable_log_requests"), ("max_log_len", "enable_log_requests"),
        "does nothing: no request is logged", "set {enable_log_requests}: true, or remove it",
        {"max_log_len": 10}, {"max_log_len": 10, "enable_log_requests": True},
        severity="warning", proof="silent",
    ),
    Rule(
        "request-metrics-need-statistics", SERVE_ARGS,
        on("enable_per_request_metrics") & on("disable_log_stats"),
        ("enable_per_request_metrics", "disable_log_stats"),
        "needs the statistics that {disable_log_stats} turns off", "remove one",
        {"enable_per_request_metrics": True, "disable_log_stats": True}, {"enable_per_request_metrics": True},
    ),
    Rule(
        "keep-alive-not-negative", SERVE_ARGS, below("sse_keep_alive_interval", 0),
        ("sse_keep_alive_interval",),
        "is negative", "write seconds, or 0 for none",
        {"sse_keep_alive_interval": -1}, {"sse_keep_alive_interval": 15},
    ),
    Rule(
        "grpc-port-has-no-server", "launchers/cli_args.py:validate_grpc_port_arg", given("grpc_port"),
        ("grpc_port",),
        "belongs to vLLM's Rust server, and ftctl starts the Python one", "remove it",
        {"grpc_port": 50051}, {},
    ),
    Rule(
        "tls-settings-without-tls", "launchers/api_server/entry.py:run_server_worker",
        written(*TLS) & absent("ssl_certfile"), (*TLS, "ssl_certfile"),
        "does nothing without a certificate", "set deploy.tls, or remove it",
        {"ssl_ciphers": "HIGH"}, {}, proof="silent", each=written,
    ),
    Rule(
        "offline-docs-never-shown", "launchers/app.py:build_app",
        on("enable_offline_docs") & on("disable_fastapi_docs"),
        ("enable_offline_docs", "disable_fastapi_docs"),
        "does nothing: {disable_fastapi_docs} wins, and ftctl sets it", "set {disable_fastapi_docs}: null",
        {"enable_offline_docs": True, "disable_fastapi_docs": True}, {"enable_offline_docs": True},
        proof="silent",
    ),
    Rule(
        "traces-need-an-endpoint", "config/observability.py:_validate_tracing_config",
        given("collect_detailed_traces") & ~on("otlp_traces_endpoint"),
        ("collect_detailed_traces", "otlp_traces_endpoint"),
        "needs {otlp_traces_endpoint}", "set {otlp_traces_endpoint}, or remove it",
        {"collect_detailed_traces": ["model"]}, {},
    ),
    Rule(
        "whitespace-needs-grammar-backend", "config/structured_outputs.py:_validate_structured_output_config",
        on("structured_outputs_config.disable_any_whitespace")
        & unless("structured_outputs_config.backend", "xgrammar", "guidance"),
        ("structured_outputs_config",),
        "has disable_any_whitespace, which only the backends xgrammar and guidance know",
        "add backend: xgrammar to it",
        {"structured_outputs_config": {"disable_any_whitespace": True}},
        {"structured_outputs_config": {"disable_any_whitespace": True, "backend": "xgrammar"}},
    ),
    Rule(
        "additional-properties-need-guidance",
        "config/structured_outputs.py:_validate_structured_output_config",
        on("structured_outputs_config.disable_additional_properties")
        & unless("structured_outputs_config.backend", "guidance"),
        ("structured_outputs_config",),
        "has disable_additional_properties, which only the backend guidance knows",
        "add backend: guidance to it",
        {"structured_outputs_config": {"disable_additional_properties": True}},
        {"structured_outputs_config": {"disable_additional_properties": True, "backend": "guidance"}},
    ),
    Rule(
        "profiler-needs-a-folder", "config/profiler.py:_validate_profiler_config",
        when("profiler_config.profiler", "torch") & ~on("profiler_config.torch_profiler_dir"),
        ("profiler_config",),
        "asks for the profiler torch and names no torch_profiler_dir", "add torch_profiler_dir to it",
        {"profiler_config": {"profiler": "torch"}},
        {"profiler_config": {"profiler": "torch", "torch_profiler_dir": "profile"}},
    ),
    Rule(
        "profiler-folder-needs-profiler", "config/profiler.py:_validate_profiler_config",
        on("profiler_config.torch_profiler_dir") & unless("profiler_config.profiler", "torch"),
        ("profiler_config",),
        "names a torch_profiler_dir without the profiler torch", "add profiler: torch to it",
        {"profiler_config": {"torch_profiler_dir": "profile"}},
        {"profiler_config": {"profiler": "torch", "torch_profiler_dir": "profile"}},
    ),
)  # fmt: skip
