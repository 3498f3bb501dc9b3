"""A small Hub on 127.0.0.1 with the routes that huggingface_hub asks for an upload (seen with 1.33).

HUB FOLDER TOKEN keeps repositories in FOLDER and prints its port. It knows one token; a repository is private
unless it was made public.
"""

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT, TOKEN = Path(sys.argv[1]), sys.argv[2]
LARGE = 10_000  # bytes; what is larger goes to the large files' own store


def mode(file):
    """How a file is to be sent."""
    return {
        "path": file["path"],
        "uploadMode": "lfs" if file["size"] > LARGE else "regular",
        "shouldIgnore": False,
    }


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.begin()
        words = self.words
        if words[:2] == ["api", "models"] and "tree" in words:
            folder = ROOT / "/".join(words[2 : words.index("tree")])
            files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".private"]
            return self.answer(
                [
                    {
                        "type": "file",
                        "path": str(path.relative_to(folder)),
                        "size": path.stat().st_size,
                        "oid": "0",
                    }
                    for path in files
                ]
            )
        if words[:2] == ["api", "models"]:
            name = "/".join(words[2:]).split("/revision/")[0]
            folder = ROOT / name
            if not folder.is_dir():
                return self.answer({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
            siblings = [{"rfilename": str(path)} for path in files if path.name != ".private"]
            private = (folder / ".private").exists()
            return self.answer({"id": name, "private": private, "siblings": siblings, "sha": "a" * 40})
        return self.answer({"error": f"no such route: {self.path}"}, 404)

    def do_POST(self):
        body = self.begin()
        if not self.allowed():
            return self.answer({"error": "Invalid username or password."}, 401)
        words = self.words
        if words == ["api", "repos", "create"]:
            return self.create(json.loads(body))
        if words == ["api", "validate-yaml"]:
            return self.answer({"errors": [], "warnings": []})
        if "preupload" in words:
            return self.answer({"files": [mode(one) for one in json.loads(body)["files"]]})
        if words[-2:] == ["objects", "batch"]:
            href = f"{self.here}/store/"
            asked = json.loads(body)["objects"]
            objects = [{**one, "actions": {"upload": {"href": href + one["oid"]}}} for one in asked]
            return self.answer({"transfer": "basic", "objects": objects})
        return self.commit(ROOT / "/".join(words[2 : words.index("commit")]), body)

    def create(self, asked):
        name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        if asked.get("private") or asked.get("visibility") == "private":
            (ROOT / name / ".private").touch()
        return self.answer({"url": f"{self.here}/{name}", "id": name})

    def do_PUT(self):
        body = self.begin()
        number = self.words[-1]
        if hashlib.sha256(body).hexdigest() != number:
            return self.answer({"error": "other bytes"}, 400)
        (ROOT / ".store").mkdir(exist_ok=True)
        (ROOT / ".store" / number).write_bytes(body)
        return self.answer({})

    def commit(self, folder, body):
        for line in filter(None, body.decode().splitlines()):
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                (folder.parent / "message").write_text(value["summary"])
            elif entry["key"] == "deletedFile":
                (folder / value["path"]).unlink()
            else:
                target = folder / value["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                stored = entry["key"] == "lfsFile"
                data = (
                    (ROOT / ".store" / value["oid"]).read_bytes()
                    if stored
                    else base64.b64decode(value["content"])
                )
                target.write_bytes(data)
        name = folder.relative_to(ROOT)
        self.answer(
            {"commitOid": "c" * 40, "commitUrl": f"{self.here}/{name}/commit/{'c' * 40}", "success": True}
        )

    def begin(self):
        """Read the request's body; sets the path's words and this server's address."""
        self.words = [unquote(word) for word in urlsplit(self.path).path.split("/") if word]
        self.here = f"http://{self.headers['Host']}"
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def allowed(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def answer(self, value, code=200, headers=None):
        data = json.dumps(value).encode()
        self.send_response(code)
        for name, said in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        with open(ROOT / ".requests", "a") as file:
            file.write(f"{self.command} {self.path}\n")


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
print(server.server_address[1], flush=True)
server.serve_forever()
