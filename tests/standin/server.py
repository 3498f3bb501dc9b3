#!/usr/bin/env python3
"""A stand-in server for the fault tests: called as vLLM is, it writes a log and fails on demand.

It is started in place of an engine's interpreter; `--stand-in WORD` (the job's native block), or STAND_IN in
its environment, says how it behaves: die, kv (dies of a small cache), deaf (never listens), other-name,
broken (500 to a completion), stubborn (it and its child ignore SIGTERM), quick (none of these), tied (ends
with its child, as vLLM does with its engine), once (tied; starts once, and dies of a small cache afterwards),
shaky (starts once, and dies of an unknown cause afterwards), stuck (healthy, and answers one completion
only), busy (so too, and writes more and more tokens for others), mute (has nothing to say in a chat),
other-tokens (makes other token ids of a conversation), brief (dies of the first chat), late (dies of the chat
after as many as the canary has). A chat about "slow" is streamed a second for each message and one.
"""

import argparse
import http.server
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

KV = """(EngineCore pid=7) ERROR 11-21 09:00:00 [core.py:99] EngineCore failed to start.
(EngineCore pid=7) ERROR 11-21 09:00:00 [core.py:99] ValueError: To serve one request of 512 tokens, 1.0 GiB \
KV cache is needed, and the estimated maximum model length is 384. Try increasing it.
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"""


ADAPTERS = []  # the names of those that have been loaded
TOKENS = [1, 2, 3]  # what it makes of any conversation
CHATS = {"brief": 0, "late": 5}  # how many are answered before it dies


def wait_to_be_told():
    """What an engine's interpreter does that is started ahead; `no-import` ends as it imports."""
    if sys.argv[1:3] == ["-m", "waiting_server"]:
        if os.environ.get("STAND_IN") == "no-import":
            sys.exit("ImportError: libsomething.so: cannot open shared object file")
        sys.argv[1:] = ["-m", sys.argv[3], *importlib.import_module("waiting_server").told(sys.argv[3])]


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m")
    parser.add_argument("--port", type=int)
    parser.add_argument("--host")
    parser.add_argument("--served-model-name")
    parser.add_argument("--middleware")
    parser.add_argument("--lora-modules")
    parser.add_argument("--stand-in", default=os.environ.get("STAND_IN", "quick"))
    return parser.parse_known_args()[0]


class Handler(http.server.BaseHTTPRequestHandler):
    settings = None
    tokens = completions = chats = 0

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def allowed(self):
        if (
            self.path == "/health"
            or self.headers.get("Authorization") == "Bearer " + os.environ["FTCTL_DEPLOYMENT_KEY"]
        ):
            return True
        self.answer(401, {"error": {"message": "no key"}})
        return False

    def do_GET(self):
        if self.path == "/metrics" and self.allowed():
            Handler.tokens += self.settings.stand_in == "busy"
            body = f"vllm:generation_tokens_total{{}} {self.tokens}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.allowed():
            names = [self.settings.served_model_name, (self.settings.lora_modules or "").partition("=")[0]]
            names += ADAPTERS
            if self.settings.stand_in == "other-name":
                names = ["another"]
            self.answer(200, {"data": [{"id": name} for name in names if name]})

    def change_adapters(self, body):
        """As vLLM does; an adapter whose folder is called refused is refused."""
        owner = pathlib.Path("owner").read_text().strip()
        if self.headers.get("X-Ftctl-Owner") != owner:
            self.answer(403, {"error": {"message": "not the owner"}})
        elif self.path == "/v1/unload_lora_adapter":
            ADAPTERS.remove(body["lora_name"])
            self.answer(200, "removed")
        elif body["lora_path"].endswith("/refused"):
            self.answer(500, {"error": {"message": "LoRA weights do not match"}})
        else:
            ADAPTERS.append(body["lora_name"])
            self.answer(200, "added")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        Handler.completions += 1
        Handler.chats += self.path == "/v1/chat/completions"
        if self.chats > CHATS.get(self.settings.stand_in, self.chats):
            os._exit(1)
        if self.settings.stand_in in ("stuck", "busy") and self.completions > 1:
            time.sleep(300)
        if self.path.endswith("_lora_adapter"):
            self.change_adapters(body)
        elif self.settings.stand_in == "broken":
            self.answer(500, {"error": {"message": "EngineCore encountered an issue"}})
        elif self.path == "/tokenize":
            self.answer(200, {"tokens": TOKENS if self.settings.stand_in != "other-tokens" else TOKENS[::-1]})
        elif self.path == "/detokenize":
            self.answer(200, {"prompt": " ".join(map(str, body["tokens"]))})
        elif body.get("stream"):
            self.send_response(200)
            self.end_headers()
            said = [message["content"] for message in body["messages"]]
            for word in ("heard: ", *said):
                chunk = {"choices": [{"delta": {"content": word}}]}
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                time.sleep(1.0 if "slow" in said else 0.0)
            if "break off" not in said:
                self.wfile.write(b"data: [DONE]\n\n")
        else:
            text = "" if self.settings.stand_in == "mute" and "messages" in body else "!"
            self.answer(200, {"choices": [{"text": text}]})

    def log_message(self, *args):
        pass


def main():
    wait_to_be_told()
    settings = options()
    importlib.import_module(settings.middleware.rpartition(".")[0])
    print("INFO 11-21 09:00:00 [api.py:1] non-default args: {}", flush=True)
    again = pathlib.Path("child.pid").exists()
    if settings.stand_in == "die" or (settings.stand_in == "shaky" and again):
        sys.exit("ValueError: something that no table knows")
    if settings.stand_in == "kv" or (settings.stand_in == "once" and again):
        sys.exit(KV)
    if settings.stand_in == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    pathlib.Path("child.pid").write_text(str(child.pid))
    if settings.stand_in in ("tied", "once"):
        threading.Thread(target=lambda: os._exit(child.wait() and 1), daemon=True).start()
    if settings.stand_in == "deaf":
        time.sleep(300)
    Handler.settings = settings
    http.server.ThreadingHTTPServer.daemon_threads = True
    with http.server.ThreadingHTTPServer((settings.host, settings.port), Handler) as server:
        server.serve_forever(poll_interval=0.05)


main()
