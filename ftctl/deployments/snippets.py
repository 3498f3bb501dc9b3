"""How a deployment is asked from elsewhere: a command or a program to copy.

The key is read from its file when the snippet runs: it stands in no snippet and in no process list.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ftctl.deployments.model import Deployment
from ftctl.deployments.store import CA
from ftctl.errors import UsageError

NEAR = ("localhost", "127.0.0.1", "::1")  # names that lead to this machine by themselves
QUESTION = "Hello! Who are you?"
PASSAGE = "A passage that may answer it."


def snippet(form: str, deployment: Deployment, key_file: str) -> str:
    """The snippet of that form (one of FORMS) for a deployment whose key is in `key_file`.

    Raises UsageError for an unknown form and for one that the deployment's kind cannot be asked by.
    """
    if form not in FORMS:
        raise UsageError(f"there is no snippet for {form}", f"one of {', '.join(FORMS)}")
    return FORMS[form](deployment, key_file)


def _path_and_body(deployment: Deployment) -> tuple[str, dict[str, Any]]:
    """Where the deployment is asked and with what, by its kind."""
    if deployment.kind == "embed":
        return "/v1/embeddings", {"model": deployment.model, "input": [_query(deployment)]}
    if deployment.kind == "score":
        documents = [f"{deployment.passage_prompt or ''}{PASSAGE}"]
        return "/rerank", {"model": deployment.model, "query": _query(deployment), "documents": documents}
    messages = [{"role": "user", "content": QUESTION}]
    return "/v1/chat/completions", {"model": deployment.model, "messages": messages}


def _query(deployment: Deployment) -> str:
    return f"{deployment.query_prompt or ''}{QUESTION}{deployment.query_suffix or ''}"


def curl(deployment: Deployment, key_file: str) -> str:
    """A shell command. The key reaches curl by a pipe: an argument would show it to every user."""
    path, body = _path_and_body(deployment)
    data = shlex.quote(json.dumps(body, ensure_ascii=False))
    return (
        f"printf 'Authorization: Bearer %s' \"$(cat {shlex.quote(key_file)})\" |\n"
        f"  curl --silent --show-error --fail-with-body {_trusted(deployment)}"
        f"{shlex.quote(deployment.url + path)} \\\n"
        f"  --header @- --header 'Content-Type: application/json' \\\n"
        f"  --data {data}"
    )


def _trusted(deployment: Deployment) -> str:
    """What makes curl trust the deployment's certificate, and find it."""
    if deployment.listens is None:
        return ""
    place = urlsplit(deployment.url)
    found = f"{place.hostname}:{place.port}:{deployment.listens}"
    ca = f"--cacert {shlex.quote(f'{deployment.folder}/{CA}')} "
    return ca if place.hostname in NEAR else f"{ca}--resolve {shlex.quote(found)} "


def _context(deployment: Deployment) -> str:
    return f"ssl.create_default_context(cafile={f'{deployment.folder}/{CA}'!r})"


def python(deployment: Deployment, key_file: str) -> str:
    """A program of the standard library alone."""
    path, body = _path_and_body(deployment)
    found = {"embed": '["data"][0]["embedding"]', "score": '["results"]'}.get(
        deployment.kind, '["choices"][0]["message"]["content"]'
    )
    secured = deployment.listens is not None
    return f"""\
import json, pathlib{", ssl" if secured else ""}, urllib.request

key = pathlib.Path({key_file!r}).read_text().strip()
body = {body!r}
request = urllib.request.Request(
    {deployment.url + path!r},
    data=json.dumps(body).encode(),
    headers={{"Authorization": f"Bearer {{key}}", "Content-Type": "application/json"}},
)
with urllib.request.urlopen(request{f", context={_context(deployment)}" if secured else ""}) as answer:
    print(json.load(answer){found})"""


def openai(deployment: Deployment, key_file: str) -> str:
    """A program with OpenAI's own client. Raises UsageError for a reranker, which that client lacks."""
    if deployment.kind == "score":
        raise UsageError(
            f"{deployment.name} serves scores, and OpenAI's client has no call for them",
            f"ftctl deploy {deployment.name} --print curl, or python",
        )
    _, body = _path_and_body(deployment)
    call, found = {"embed": ("embeddings", "data[0].embedding")}.get(
        deployment.kind, ("chat.completions", "choices[0].message.content")
    )
    given = ", ".join(f"{name}={value!r}" for name, value in body.items())
    secured = deployment.listens is not None
    trust = f"\n    http_client=DefaultHttpxClient(verify={_context(deployment)})," if secured else ""
    return f"""\
import pathlib{chr(10) + "import ssl" if secured else ""}

from openai import {"DefaultHttpxClient, " if secured else ""}OpenAI

client = OpenAI(
    base_url={deployment.url + "/v1"!r},
    api_key=pathlib.Path({key_file!r}).read_text().strip(),{trust}
)
answer = client.{call}.create({given})
print(answer.{found})"""


def open_webui(deployment: Deployment, key_file: str) -> str:
    """A command that starts Open WebUI on this machine with the deployment as its one connection.

    Raises UsageError for what cannot be talked with.
    """
    if deployment.kind != "generate":
        raise UsageError(
            f"{deployment.name} is no model to talk with", f"ftctl deploy {deployment.name} --print curl"
        )
    ca = shlex.quote(f"{deployment.folder}/{CA}")
    trust = "" if deployment.listens is None else f"SSL_CERT_FILE={ca} "
    return (
        f"{trust}OPENAI_API_BASE_URL={shlex.quote(deployment.url + '/v1')} \\\n"
        f'OPENAI_API_KEY="$(cat {shlex.quote(key_file)})" ENABLE_OLLAMA_API=false \\\n'
        f"  uvx --python 3.11 open-webui serve --host 127.0.0.1 --port 3000"
    )


FORMS: Mapping[str, Callable[[Deployment, str], str]] = {
    "curl": curl,
    "python": python,
    "openai": openai,
    "open-webui": open_webui,
}
