"""What LMDeploy's log says when it cannot start (0.18.0), most telling first."""

from __future__ import annotations

from ftctl.servers.fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        r"unrecognized arguments: (.+)",
        "LMDeploy has no argument {1}",
        "correct or remove it in deploy.native; `ftctl schema show lmdeploy` lists its arguments",
    ),
    Fault(r"error: (argument .+)", "LMDeploy refuses an {1}", "correct it in the deploy: block"),
    Fault(
        r"Found no NVIDIA driver|No CUDA GPUs are available|driver version is insufficient",
        "LMDeploy wants a GPU and finds none that it can use",
        "set deploy.engine: vllm to serve on the CPU, or see ftctl doctor",
    ),
    Fault(
        r"No enough gpu memory for (?:runtime|kv cache)|No available memory|num_gpu_blocks",
        "the weights leave no room for the KV cache",
        "lower deploy.max_length or max_concurrency, or use more GPUs with tensor_parallel",
    ),
    Fault(
        r"CUDA out of memory|OutOfMemoryError|out of memory|bad_alloc",
        "the server ran out of memory",
        "lower deploy.gpu_memory_share, max_length or max_concurrency, or use a larger GPU",
    ),
    Fault(
        r"[Aa]ddress already in use",
        "another program took the port while the server was starting",
        "run ftctl deploy again, or choose another deploy.port",
    ),
    Fault(
        r"Try apply_chat_template failed: (.+)",
        "the model's chat template cannot be used: {1}",
        "see the tokenizer in the model's folder, or set model.template and train again",
    ),
    Fault(
        r"trust_remote_code=True",
        "the model comes with code of its own, and remote code is off",
        "set model.trust_remote_code: true if you trust that code",
    ),
    Fault(
        r"ModuleNotFoundError: No module named '([^']+)'",
        "the engine's environment lacks the module {1}",
        "see ftctl engines doctor lmdeploy, or install it again with ftctl engines install lmdeploy",
    ),
    Fault(
        r"(?:Error while deserializing header|SafetensorError|header too large)[:.]?\s*(.*)",
        "a weights file is damaged: {1}",
        "train or copy the model again",
    ),
)

# What a line of the log tells about how far the start has come.
PHASES: tuple[tuple[str, str], ...] = (
    ("Application startup complete", "answering"),
    ("Uvicorn running on", "answering"),
    ("Please open", "opening the port"),
    ("Convert to turbomind format", "loading the weights"),
    ("Loading weights from", "loading the weights"),
    ("matching vision model", "reading the model's config"),
)
