"""The command line: one module per verb, and the one place that turns exceptions into exit codes.

A verb's module imports nothing but typer at its top; what it needs it imports when it runs, so that
`--help` and `validate` stay as fast as their libraries allow.
"""

from __future__ import annotations

import gc
import sys

# Net new objects before a collection. Python's 700 would look through the modules just imported again and
# again, a twentieth of a start. What is read row by row is freed as it goes, without any collection.
OBJECTS = 400_000


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from ftctl.errors import BUG, FtctlError

    try:
        _run(sys.argv[1:])
    except FtctlError as error:
        from ftctl.view.failure import show_error

        show_error(error, sys.argv[1:])
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader went away (`ftctl logs | head`): say nothing, as other filters do.
        sys.stderr.close()
        sys.exit(141)
    except Exception as bug:  # noqa: BLE001 - the last resort: a bug of ours, kept with its traceback
        from ftctl.view.failure import disk_full, show_bug, show_error

        if (full := disk_full(bug)) is not None:
            show_error(full, sys.argv[1:])
            sys.exit(full.exit_code)
        show_bug(bug, sys.argv[1:])
        sys.exit(BUG)


def _run(arguments: list[str]) -> None:
    """Run one command. What lives as long as a training does not carry the command line's libraries."""
    if arguments[:1] == ["node"]:
        from ftctl.supervise.node import main as supervise

        sys.exit(supervise(arguments[1:]))
    if arguments[:1] == ["_guard"]:
        from ftctl.supervise.guard import main as guard

        sys.exit(guard(arguments[1:]))
    if arguments[:1] == ["_keep"]:
        from ftctl.keep.stand_by import main as keep

        sys.exit(keep(arguments[1:]))
    if arguments[:1] == ["_boot"]:
        from ftctl.keep.reboot import main as boot

        sys.exit(boot(arguments[1:]))
    if arguments[:1] in (["_attend"], ["_watch"]):
        from ftctl.run.attend import main as attend

        sys.exit(attend(arguments[0], arguments[1:]))
    gc.set_threshold(OBJECTS, 20, 50)
    from ftctl.cli.app import VERBS, build

    # To build all verbs for one of them would cost a tenth of a start.
    verbs = arguments[:1] if arguments[:1] and arguments[0] in VERBS else VERBS
    build(verbs)(prog_name="ftctl")
