"""Render a model's chat templates once, within bounds of time and memory, before a server renders them.

    PYTHON try_template.py TEMPLATES.json        (a list of jinja texts)

A template is a program of whoever made the model: it may loop for ever, fill the memory, or reach for what a
template has no business with. vLLM 0.32.0 renders it while it starts, and again for every request. Exit code
3 and a line on standard output say that a template must not be served; the end by a signal says so too, for
the limits are the kernel's. It needs jinja2 alone, and makes the environment that transformers 5 makes.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from chat_conversations import CONVERSATIONS, TOOLS  # type: ignore[import-not-found] # beside this file
from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

SECONDS = 3  # of CPU time, for all of them; a usual template takes a hundredth
MEMORY = 1 << 30  # bytes of address space
LONGEST = 10_000_000  # characters that a conversation may become
REFUSED = 3


class Generation(Extension):
    """`{% generation %}`, by which transformers marks what is trained on; nothing is added to the text."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def refused(message: str) -> None:
    raise TemplateError(message)


def environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    made.filters["tojson"] = lambda value, **how: json.dumps(value, **{"ensure_ascii": False, **how})
    made.globals |= {"raise_exception": refused, "strftime_now": lambda form: form}
    return made


def asked() -> Iterator[dict[str, Any]]:
    """What a template is told of each conversation, with and without the beginning of an answer."""
    for one in CONVERSATIONS:
        told = {"messages": one["messages"], "tools": list(TOOLS) if one.get("tools") else None}
        told |= {"enable_thinking": one["thinking"]} if "thinking" in one else {}
        for begin in (True, False):
            yield told | {"add_generation_prompt": begin, "bos_token": "<s>", "eos_token": "</s>"}


def fault(text: str) -> str:
    """What keeps a template from being rendered by a server; empty where nothing does.

    One that is wrong, or refuses a conversation, is the server's to tell of.
    """
    try:
        template = environment().from_string(text)
        for told in asked():
            try:
                if len(template.render(told)) > LONGEST:
                    return f"makes more than {LONGEST:,} characters of a few words"
            except SecurityError as error:
                return f"does what no template may: {error}"
            except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
                continue
    except MemoryError:
        return f"takes more than {MEMORY >> 20:,} MiB of memory"
    except RecursionError:
        return "calls itself without end"
    except Exception:  # noqa: BLE001 - what jinja2 makes of a text that is no template
        return ""
    return ""


def trial(text: str) -> str:
    """`fault`, found by a process of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump([text], file)
        file.flush()
        argv = [sys.executable, __file__, file.name]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "does not end" if done.returncode < 0 else done.stdout.strip()


def main(file: str) -> int:
    templates = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    for text in templates:
        if said := fault(text):
            print(said[:300])
            return REFUSED
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: try_template.py TEMPLATES.json")
    sys.exit(main(sys.argv[1]))
