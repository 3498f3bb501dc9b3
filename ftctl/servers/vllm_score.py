"""What vLLM needs to score by a language model as FlagEmbedding 1.4.2 does: a template and a tokenizer.

FlagEmbedding encodes query, line break, passage, line break and question each alone and joins the tokens.
vLLM encodes the whole text, where a tokenizer may join a line break to what stands before it ("?\\n" is one
token of Qwen's), and would add the tokenizer's own end token.
"""

from __future__ import annotations

import json
from typing import Any

from ftctl.errors import UsageError

QUESTION = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by "
    "providing a prediction of either 'Yes' or 'No'."
)

MARK = "\ue000"  # between the parts, for private use in Unicode: the tokenizer splits there and drops it


def score_template(begin: str | None, query_prompt: str, passage_prompt: str) -> str:
    """The jinja template of a pair; `begin` is the token at its start, None where there is none."""
    line = f"{MARK}\n{MARK}"
    query = _literal((begin or "") + query_prompt) + _first("query")
    return query + _literal(line + passage_prompt) + _first("document") + _literal(line + QUESTION)


def _first(role: str) -> str:
    """The content of the message of that role; nothing where there is none, as when vLLM warms up."""
    return (
        f'{{% for message in messages if message.role == "{role}" %}}{{{{ message.content }}}}{{% endfor %}}'
    )


def _literal(text: str) -> str:
    """Text as jinja prints it, line breaks kept; it strips one that ends a template."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"


def score_tokenizer(text: str) -> str:
    """tokenizer.json as the scoring needs it: the parts encoded each alone, and no token added.

    Raises UsageError for a tokenizer that gives the parts other tokens than the whole.
    """
    tokenizer: dict[str, Any] = json.loads(text)
    if _prepends(tokenizer.get("normalizer")):
        raise UsageError(
            "the tokenizer puts a space in front of every text, so that vLLM cannot encode a pair as it was "
            "trained",
            "score with FlagEmbedding's FlagLLMReranker; leave deploy: out",
        )
    parts = {"type": "Split", "pattern": {"String": MARK}, "behavior": "Removed", "invert": False}
    own = tokenizer.get("pre_tokenizer")
    after = own["pretokenizers"] if own and own.get("type") == "Sequence" else [own] if own else []
    changed = {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [parts, *after]},
        "post_processor": None,
        "truncation": None,
        "padding": None,
    }
    return json.dumps({**tokenizer, **changed}, ensure_ascii=False)


def _prepends(normalizer: Any) -> bool:
    if not isinstance(normalizer, dict):
        return False
    if normalizer.get("type") == "Sequence":
        return any(_prepends(part) for part in normalizer.get("normalizers", ()))
    return normalizer.get("type") == "Prepend"


def tokenizer_config(text: str) -> str:
    """tokenizer_config.json with the class that takes tokenizer.json as it is written.

    Others (Qwen2Tokenizer of transformers 5) make their own pre-tokenizer again.
    """
    config: dict[str, Any] = json.loads(text)
    config.pop("auto_map", None)  # code of its own, and null where it is present crashes transformers
    return json.dumps({**config, "tokenizer_class": "PreTrainedTokenizerFast"}, ensure_ascii=False)


def begin_token(text: str) -> str | None:
    """The token that FlagEmbedding puts in front, from tokenizer_config.json: none if it pads with it too."""
    config: dict[str, Any] = json.loads(text)
    begin, pad = (_content(config.get(name)) for name in ("bos_token", "pad_token"))
    return begin if begin != pad else None


def _content(token: Any) -> str | None:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) and found else None
