"""What vLLM's log says when it cannot start (seen with 0.32.0), most telling first."""

from __future__ import annotations

from ftctl.servers.fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        r"ImportError\('(lib[\w+.-]+): cannot open shared object file",
        "vLLM needs {1} and this machine has none",
        "install the package that brings it (libnuma.so.1: sudo apt install libnuma1)",
    ),
    Fault(
        r"unrecognized arguments: (.+)",
        "vLLM has no argument {1}",
        "correct or remove it in deploy.native; vLLM's own list: ftctl engines path vllm, then -m "
        "vllm.entrypoints.openai.api_server --help",
    ),
    Fault(r"error: (argument .+)", "vLLM refuses an {1}", "correct it in the deploy: block"),
    Fault(
        r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\w+=([\d.]+)",
        "a context of {1} tokens is asked for and the model has {2}",
        "set deploy.max_length to {2} or less",
    ),
    Fault(
        r"estimated maximum model length is (\d+)",
        "the KV cache has room for {1} tokens only, fewer than one request of full length needs",
        "set deploy.max_length to {1} or less, or give more deploy.kv_cache_memory",
    ),
    Fault(
        r"Available memory on node \d+ \(([^/)]+)/[^)]*\).*less than[^(]*\(([^)]+)\)",
        "{1} GiB of memory are free and the server asks for {2}",
        "lower deploy.kv_cache_memory or deploy.gpu_memory_share, or stop what else is running",
        may_pass=True,
    ),
    Fault(
        r"Available memory on node .*less than",
        "there is less free memory than the server asks for",
        "lower deploy.kv_cache_memory or deploy.gpu_memory_share, or stop what else is running",
        may_pass=True,
    ),
    Fault(
        r"Free memory on device \S* ?\(([^)]+)\).*less than desired GPU memory utilization",
        "only {1} of GPU memory is free, less than the server's share",
        "lower deploy.gpu_memory_share, or stop what else uses the GPU (nvidia-smi shows it)",
        may_pass=True,
    ),
    Fault(
        r"No available memory for the cache blocks",
        "the weights leave no room for the KV cache",
        "raise deploy.kv_cache_memory (on a GPU gpu_memory_share), or use more GPUs with tensor_parallel",
    ),
    Fault(
        r"CUDA out of memory|OutOfMemoryError|[Cc]an't allocate memory|Cannot allocate memory|bad_alloc",
        "the server ran out of memory",
        "lower deploy.max_length, max_concurrency or gpu_memory_share, or use a larger machine",
        may_pass=True,
    ),
    Fault(
        r"[Aa]ddress already in use",
        "another program took the port while the server was starting",
        "run ftctl deploy again, or choose another deploy.port",
        may_pass=True,
    ),
    Fault(
        r"Model architectures (\[[^\]]*\]) (?:are not supported|failed to be inspected)",
        "vLLM does not serve the model architecture {1}",
        "take a model of an architecture that vLLM lists as supported",
    ),
    Fault(
        r"has model type `([^`]+)` but Transformers does not recognize",
        "vLLM's transformers does not know the model type {1}",
        "a newer vLLM may: point deploy.engine_python at one",
    ),
    Fault(
        r"attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)",
        "the model's {1} attention heads cannot be split over {2} GPUs",
        "set deploy.tensor_parallel to a divisor of {1}",
    ),
    Fault(
        r"LoRA rank (\d+) is greater than max_lora_rank (\d+)",
        "the adapter has rank {1} and the server was started for {2}",
        "take native: max_lora_rank out of the job; ftctl derives it",
    ),
    Fault(
        r"trust_remote_code=True",
        "the model comes with code of its own, and remote code is off",
        "set model.trust_remote_code: true if you trust that code",
    ),
    Fault(
        r"Found no NVIDIA driver|No CUDA GPUs are available|driver version is insufficient",
        "the engine wants a GPU and finds none that it can use",
        "set deploy.gpus: 0 to serve on the CPU, or see ftctl doctor",
        may_pass=True,
    ),
    Fault(
        r"ModuleNotFoundError: No module named '([^']+)'",
        "the engine's environment lacks the module {1}",
        "see ftctl engines doctor vllm, or install it again with ftctl engines install vllm",
    ),
    Fault(
        r"(?:Error while deserializing header|SafetensorError|header too large)[:.]?\s*(.*)",
        "a weights file is damaged: {1}",
        "train or copy the model again",
    ),
    Fault(
        r"(Error retrieving file list|does not appear to have a file named \S+|Can't load tokenizer.*)",
        "the model folder is not complete: {1}",
        "check that it holds config.json, the tokenizer and the weights",
    ),
    # Last: what ended the engine process is said before it, if by anything.
    Fault(
        r"EngineDeadError",
        "its engine process has died",
        "the log says what came before; without a word it was killed, as happens when memory runs out",
        may_pass=True,
    ),
)

# What a line of the log tells about how far the start has come.
PHASES: tuple[tuple[str, str], ...] = (
    ("Application startup complete", "answering"),
    ("Starting vLLM server", "opening the port"),
    ("KV cache size", "warming up"),
    ("Loading weights took", "preparing the KV cache"),
    ("Starting to load model", "loading the weights"),
    ("Initializing a V1 LLM engine", "starting the engine"),
    ("Resolved architecture", "planning the engine"),
    ("non-default args", "reading the model's config"),
)
