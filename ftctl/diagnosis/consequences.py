"""The table of what a lost process brings after it: told where nothing says how that process was lost."""

from __future__ import annotations

from ftctl.diagnosis.model import Fault

CONSEQUENCES: tuple[Fault, ...] = (
    Fault(
        "nccl_timeout",
        r"Watchdog caught collective operation timeout: WorkNCCL\((?:[^)]*OpType=(\w+))?|watchdog got stuck",
        "the GPUs waited in vain for each other (NCCL time-out)",
        "it may pass; if it comes back, one process is slower or gone (look for another error above), or "
        "data and steps differ between processes; NCCL_DEBUG=INFO tells more",
        may_pass=True,
    ),
    Fault(
        "nccl",
        r"NCCL error in: [^,\n]*, ([^,\n]*)|^ncclRemoteError|^ncclSystemError|NCCL WARN",
        "the GPUs could not talk to each other (NCCL): {word}",
        "it may pass; if it comes back, set NCCL_DEBUG=INFO and see its first warning; inside a container "
        "/dev/shm may be too small",
        may_pass=True,
    ),
    Fault(
        "rendezvous",
        r"^(?:torch\.distributed\.)?Dist(?:Network|Store)Error: (.*)|^(?:\S*\.)?Rendezvous\w*Error\b(.*)",
        "the run's processes could not meet: {raised}",
        "see whether each of them was started and whether a firewall stands between them",
        may_pass=True,
    ),
    Fault(
        "peer_lost",
        r"Connection (?:closed by peer|reset by peer)|[Gg]loo.*(?:timed out|Timeout|Timed out)",
        "a process of the run lost another one",
        "it may pass; if it comes back, look for an error of the other one above",
        may_pass=True,
    ),
)
