"""The conversations that a trained chat template and a server's are compared on.

Each ends with a question: what follows is the model's. No text begins or ends with white space: templates of
one name disagree on whether it counts, and good data has none. `tools` are compared where the template or the
data has tools; `thinking` where the template thinks, on and off as far as it was trained so.
"""

from typing import Any

SYSTEM = "You answer for the harbour office. Be short; say so if you do not know."
CODE = (
    "Why does this print 'a\\n' twice?\n\n"
    '```python\nfor x in {"a": 1}:\n\tprint(f"{x!r}")  # <b>&amp;</b>\n```'
)
RULES = "# Rules\n- 'quoted' and \"quoted\"\n\n1. Ja\n2. Nein"
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "get_tide",
            "description": "The water level at a pier, in centimetres.",
            "parameters": {
                "type": "object",
                "properties": {
                    "pier": {"type": "string", "description": "The pier's name."},
                    "hours": {"type": "integer", "description": "How far ahead."},
                },
                "required": ["pier"],
            },
        },
    },
)


def turns(*texts: str, system: str | None = None) -> list[dict[str, str]]:
    """Messages of the user and the assistant in turn, the first and the last the user's."""
    ahead = [] if system is None else [{"role": "system", "content": system}]
    said = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return ahead + said


ONE = ("When does the ferry leave?",)
SEVERAL = ("When does the ferry leave?", "At 7:40, from pier 3.", "And the last one back?")
LONG = ("Hello", "Good morning.", "Is it open?", "Yes,\nuntil 18:00.", "Thanks! One more thing:\nparking?")

CONVERSATIONS: tuple[dict[str, Any], ...] = (
    {"name": "one question", "messages": turns(*ONE)},
    {"name": "one question after a system prompt", "messages": turns(*ONE, system=SYSTEM)},
    {"name": "two turns", "messages": turns(*SEVERAL)},
    {"name": "two turns after a system prompt", "messages": turns(*SEVERAL, system=SYSTEM)},
    {"name": "three turns", "messages": turns(*LONG)},
    {"name": "three turns after a system prompt", "messages": turns(*LONG, system=RULES)},
    {"name": "other scripts", "messages": turns("渡轮几点开？\nÀ quelle heure ? ⛴️ Сколько?")},
    {"name": "code", "messages": turns(CODE)},
    {"name": "code after a system prompt", "messages": turns(CODE, system=RULES)},
    {"name": "tools", "messages": turns(*ONE), "tools": True},
    {"name": "tools and a system prompt", "messages": turns(*ONE, system=SYSTEM), "tools": True},
    {"name": "thinking", "messages": turns(*ONE), "thinking": True},
    {"name": "no thinking", "messages": turns(*ONE), "thinking": False},
    {"name": "thinking in the second turn", "messages": turns(*SEVERAL, system=SYSTEM), "thinking": True},
    {"name": "no thinking in the second turn", "messages": turns(*SEVERAL, system=SYSTEM), "thinking": False},
)  # fmt: skip
