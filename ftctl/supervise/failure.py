"""The error of a failed command: what is known of its end, diagnosed."""

from __future__ import annotations

import shutil
from pathlib import Path

from ftctl.diagnosis.diagnose import diagnose
from ftctl.diagnosis.model import UNKNOWN, Diagnosis, Failure
from ftctl.errors import FtctlError
from ftctl.plan.model import Plan
from ftctl.run.directory import LOG
from ftctl.supervise.lastwords import last_words, log_end
from ftctl.supervise.memory_killer import Killed


class EngineFailed(FtctlError):
    """A command of an engine failed. `diagnosis` says why, and whether another try may get through.

    `phase` is the command's name, `code` its exit code (negative: the signal), `step` the training step that
    it had reached.
    """

    def __init__(
        self, message: str, remedy: str, diagnosis: Diagnosis, *, phase: str, code: int, step: int
    ) -> None:
        super().__init__(message, remedy)
        self.diagnosis = diagnosis
        self.phase, self.code, self.step = phase, code, step


def failed(
    run: Path,
    plan: Plan,
    name: str,
    code: int,
    *,
    step: int,
    begun: bool,
    killed: Killed,
    logged: int,
    silent: float | None = None,
) -> EngineFailed:
    """The error of the command `name`: why, how it ended, its last words, and where the whole log is.

    `logged` is how long the log was when the command was started, in bytes.
    """
    log = run / LOG
    failure = Failure(
        code=code,
        lines=log_end(log, logged),
        step=step,
        begun=begun,
        disk_free=shutil.disk_usage(run).free,
        killed_here=killed.here,
        killed_anywhere=killed.anywhere,
        silent=silent,
    )
    diagnosis = diagnose(failure, plan, str(run))
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    where = f" after step {step}" if step else ""
    words = "\n".join(f"    {line}" for line in last_words(log, since=logged))
    said = f"; its last words:\n{words}" if words else ", without a word"
    cause = "" if diagnosis.name == UNKNOWN else f"{diagnosis.cause}; "
    remedy = f"{diagnosis.remedy}; " if diagnosis.remedy else ""
    message = f"{name}: {cause}the engine {how}{where}{said}"
    return EngineFailed(
        message, f"{remedy}the whole log is {log}", diagnosis, phase=name, code=code, step=step
    )
