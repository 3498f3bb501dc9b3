"""Upload a folder to a model repository of a Hub, by huggingface_hub (seen with 1.33 and 2.4):

    PYTHON upload_to_hub.py FOLDER REPO MESSAGE [--public] [--force]

The Hub and the token are those of the environment (HF_ENDPOINT, HF_TOKEN, else a token that was saved by
`hf auth login`). Nothing is uploaded to a repository that has files, unless they are an earlier export and
--force is given, nor to a public one without --public. The last line of standard output is a JSON object: url
and commit, or problem (taken, other, public, token, unreachable, refused) and message.
"""

import json
import sys
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, RepositoryNotFoundError

MANIFEST = "ftctl-export.json"
# What a broken connection raises: httpx's error, or httpx2's from huggingface_hub 2 on.
NETWORK: type[BaseException] = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")


def problem(kind: str, message: str) -> dict[str, Any]:
    """What keeps the folder from being uploaded, its message on one line."""
    return {"problem": kind, "message": " ".join(message.split())}


def in_the_way(api: HfApi, repo: str, public: bool, force: bool) -> dict[str, Any] | None:
    """What is wrong with a repository that is there already; None where nothing is."""
    try:
        info = api.model_info(repo)
    except RepositoryNotFoundError:
        return None
    if not info.private and not public:
        return problem("public", f"{repo} is public")
    files = set(api.list_repo_files(repo)) - {".gitattributes"}
    if not files or (force and MANIFEST in files):
        return None
    return problem("taken" if MANIFEST in files else "other", f"{repo} has {len(files)} files")


def upload(folder: str, repo: str, message: str, *, public: bool, force: bool) -> dict[str, Any]:
    """Create the repository where it is not there and put the folder into it; an earlier export goes."""
    api = HfApi()
    found = in_the_way(api, repo, public, force)
    if found is not None:
        return found
    api.create_repo(repo, private=not public, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repo, folder_path=folder, commit_message=message, delete_patterns="*" if force else None
    )
    return {"url": str(commit.repo_url), "commit": commit.oid}


def attempt(folder: str, repo: str, message: str, **how: bool) -> dict[str, Any]:
    """`upload`, or what the Hub has against it."""
    try:
        return upload(folder, repo, message, **how)
    except LocalTokenNotFoundError:
        return problem("token", "there is no token")
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        said = str(error).strip().splitlines() or ["no word"]
        return problem("token" if code in (401, 403) else "refused", said[-1])
    except (NETWORK, OSError) as error:
        return problem("unreachable", str(error) or type(error).__name__)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: upload_to_hub.py FOLDER REPO MESSAGE [--public] [--force]")
    done = attempt(*sys.argv[1:4], public="--public" in sys.argv, force="--force" in sys.argv)
    sys.stdout.write("\n" + json.dumps(done) + "\n")
