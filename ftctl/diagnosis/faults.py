"""The table of known failures of a training, most telling first.

The order is the order of trust: one failure brings others after it (a lost process ends its neighbours
with errors of the network), and the cause stands higher. Patterns were seen with LLaMA-Factory 0.9.5 and
FlagEmbedding 1.4.2 on torch 2.10 and transformers 5; what needs a GPU is worded as torch's own code has it.
"""

from __future__ import annotations

from ftctl.diagnosis.model import Fault

DISK_FULL = Fault(
    "disk_full",
    r"No space left on device|os error 28\b|StorageFull|ENOSPC|Disk quota exceeded",
    "no space left on the disk of {run}",
    "free some, or keep fewer checkpoints (train.checkpoints.keep is {keep}), and run the job again",
)

FAULTS: tuple[Fault, ...] = (
    Fault(
        "shared_memory",
        r"multiprocessing/(?:synchronize|heap|shared_memory)\.py\"[\s\S]*^OSError: \[Errno 28\]"
        r"|DataLoader worker \(pid.*\) is killed by signal: Bus error"
        r"|unable to (?:open|write to|mmap) .*shared memory",
        "the processes that load the data ran out of shared memory (/dev/shm)",
        "set data.workers: 1, or give the container more (docker run --shm-size)",
    ),
    DISK_FULL,
    Fault(
        "gpu_taken",
        r"^\S*OutOfMemoryError: CUDA out of memory(?=.*this process has)"
        r".* Process (\d+) has ([\d.]+ GiB) memory in use",
        "out of GPU memory: process {1}, which is not of this run, holds {2} of it",
        "wait until it has ended, or set resources.gpus to GPUs that are free (nvidia-smi shows them)",
        may_pass=True,
    ),
    Fault(
        "gpu_memory",
        r"^\S*OutOfMemoryError: CUDA out of memory\. Tried to allocate ([\d.]+ [KMG]iB)",
        "out of GPU memory, which had no room for {1} more",
        "{memory}",
    ),
    Fault(
        "gpu_memory",
        r"CUDA error: out of memory|CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation",
        "out of GPU memory",
        "{memory}",
    ),
    Fault(
        "memory",
        r"DefaultCPUAllocator: can't allocate memory: you tried to allocate (\d+) bytes",
        "out of memory",
        "{memory}",
    ),
    Fault(
        "memory",
        r"^(?:MemoryError|OSError: \[Errno 12\])|std::bad_alloc|Cannot allocate memory|Unable to allocate",
        "out of memory",
        "{memory}",
    ),
    Fault(
        "nan",
        r"^FloatingPointError: (.*)",
        "{1}",
        "lower train.learning_rate (now {learning_rate}) or raise train.warmup; look at the rows of the last "
        "steps; a loss that is lost comes back by itself never",
    ),
    Fault(
        "template",
        r"^TemplateDiffers: (.*)",
        "a server could not see what would be trained: {1}",
        "set model.template to one that fits the model, or leave it out for the model's own; "
        "deploy.parity: warn trains it all the same",
    ),
    Fault(
        "checkpoint",
        r"^ValueError: Can't find a valid checkpoint at (\S+)",
        "the checkpoint {1} is not complete: it holds no weights",
        "take the one before it",
    ),
    Fault(
        "checkpoint",
        r"in (?:_load_from_checkpoint|_load_optimizer_and_scheduler|_load_rng_state|_load_callback_state"
        r"|load_from_json)$",
        "the checkpoint cannot be read: {raised}",
        "it was cut short or changed; take the one before it",
    ),
    Fault(
        "tokenizer",
        r"in load_tokenizer$[\s\S]*in _?from_pretrained$"
        r"|in load_tokenizer_and_model$[\s\S]*in _from_pretrained$",
        "the model's tokenizer cannot be read: {raised}",
        "copy or download {model} again: tokenizer.json and tokenizer_config.json belong to it",
    ),
    Fault(
        "architecture",
        r"has model type `([^`]+)` but Transformers does not recognize",
        "the engine's transformers does not know the model type {1}",
        "a newer one may: point train.engine_python at it",
    ),
    Fault(
        "architecture",
        r"^ValueError: Unrecognized (?:configuration class|model in)\b(.*)",
        "the engine cannot train this kind of model: {raised}",
        "take a model of an architecture that it trains",
    ),
    Fault(
        "model",
        r"in load_model$[\s\S]*^(?:safetensors\S*\.)?SafetensorError: ",
        "the model's weights cannot be read: {raised}",
        "copy or download {model} again: a file of it was cut short",
    ),
    Fault(
        "model",
        r"^(?:safetensors\S*\.)?SafetensorError: (.*)",
        "a file of weights cannot be read: {1}",
        "copy or download {model} again: a file of it was cut short",
    ),
    Fault(
        "model",
        r"^OSError: (.* does not appear to have (?:a file|files) named .*|Error no file named .*)",
        "the model is not complete: {1}",
        "copy or download {model} again",
    ),
    Fault(
        "remote_code",
        r"trust_remote_code=True",
        "the model comes with code of its own, and remote code is off",
        "set model.trust_remote_code: true if you trust that code",
    ),
    Fault(
        "data",
        r"^(?:datasets\.exceptions\.)?DatasetGenerat\w*Error|^(?:datasets\.exceptions\.)?DataFilesNotFoundError"
        r"|^pyarrow\.lib\.ArrowInvalid: (?:JSON|CSV|Parquet)",
        "the engine cannot read the data: {raised}",
        "ftctl data check shows which rows are wrong",
    ),
    Fault(
        "data",
        r"in (?:align_dataset|get_dataset|_get_merged_dataset|_get_preprocessed_dataset)$",
        "the engine cannot use the data: {raised}",
        "see data.train's format and columns; ftctl data check shows what is in the file",
    ),
    Fault(
        "data",
        r"FlagEmbedding/\S*AbsDataset\.py\", line \d+, in ",
        "the engine cannot use a row of the data: {raised}",
        "ftctl data check shows which rows are wrong",
    ),
    Fault(
        "data_worker",
        r"One of the subprocesses has abruptly died during map operation",
        "a process that prepares the data was ended from outside, as happens when memory runs out",
        "set data.workers lower (now {workers})",
        may_pass=True,
    ),
    Fault(
        "vocabulary",
        r"^IndexError: index out of range in self|device-side assert triggered|indexSelectLargeIndex",
        "a token of the data has no row in the model's embedding: tokenizer and model do not belong together",
        "take both from one place, or set train.native.resize_vocab: true",
    ),
    Fault(
        "positions",
        r"modeling_\w+\.py\", line \d+, in forward\n(?: .*\n)*RuntimeError: The size of tensor a \((\d+)\) "
        r"must match the size of tensor b \((\d+)\) at non-singleton dimension 1",
        "a text of {1} tokens is longer than the {2} positions of the model",
        "set train.query_max_length and train.passage_max_length to {2} or less",
    ),
    Fault(
        "dtype",
        r"^(?:NotImplementedError|RuntimeError): (\"\w+\") not implemented for '(\w+)'",
        "the operation {1} has no version for {2} on this device",
        "set train.precision to another one (now {precision})",
    ),
    Fault(
        "dtype",
        r"^ValueError: (?:Your setup doesn't support (bf16)\S*|(?:fp16|bf16|--?tf32|FP16) .*)",
        "the device cannot compute in the precision that is asked for: {raised}",
        "set train.precision: auto (now {precision})",
    ),
    Fault(
        "dtype",
        r"^ValueError: (Attempting to unscale FP16 gradients)",
        "weights in fp16 cannot be trained by mixed precision",
        "set train.precision: bf16, or fp32 where the GPU has none (now {precision})",
    ),
    Fault(
        "driver",
        r"Found no NVIDIA driver|No CUDA GPUs are available|driver version is insufficient"
        r"|CUDA driver initialization failed|CUDA-capable device\(s\) is/are busy",
        "the engine wants a GPU and finds none that it can use",
        "see ftctl doctor; resources.gpus: 0 trains on the CPU",
    ),
    Fault(
        "package",
        r"^ModuleNotFoundError: (?:No module named '([\w.]+)'|import of ([\w.]+) halted)"
        r"|^importlib\.metadata\.PackageNotFoundError: No package metadata was found for (?:The ')?([\w.-]+)",
        "the engine's environment lacks the module {word}",
        "ftctl engines doctor {engine} looks at it, ftctl engines install {engine} builds it again; a module "
        "that the engine does not bring needs an interpreter of your own: train.engine_python",
    ),
    Fault(
        "package",
        r"^ImportError: (?!cannot import name)(.*(?:install|requires|is required|not installed).*)",
        "the engine's environment lacks a package: {1}",
        "take the setting that needs it out of the job, or point train.engine_python at an interpreter "
        "that has it",
    ),
    Fault(
        "port",
        r"EADDRINUSE|[Aa]ddress already in use",
        "another program has the port by which the run's processes meet",
        "run the job again: a free port is taken; see train.native and MASTER_PORT where you chose it",
        may_pass=True,
    ),
)
