"""A local stand-in for the Hugging Face hub: the calls that creating, uploading and downloading a model make.

It keeps what is sent, and refuses what the hub refuses: calls without the token, a model card whose metadata lack what
they must have, large files that were not uploaded before the commit. Names of owners choose faults:
`forbidden/...` is another's, `broken/...` fails at the commit, and each answer of those repeats the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import yaml

TOKEN = "hf_" + "s3cr3t" * 5
LICENSES = ("apache-2.0", "cc-by-4.0", "mit", "other")


@dataclass
class Hub:
    """What is stored."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    address: str = ""

    def sha(self, name: str) -> str:
        return hashlib.sha1(f"{name} {self.commits[name]}".encode()).hexdigest()


class Refused(Exception):  # noqa: N818
    """An answer that is no success."""

    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        super().__init__(message)
        self.status, self.code, self.more = status, code, more


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """The hub, at `address`, until the block ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.calls.append(f"{self.command} {self.path}")
            try:
                status, headers, content = _handled(hub, self.command, self.path, self.headers, body)
            except Refused as refused:
                message = f"{refused} (Authorization: {self.headers.get('Authorization')})"
                status, content = refused.status, {"error": message, "errors": [{"message": message}], **refused.more}
                content = json.dumps(content)
                headers = {"X-Error-Code": refused.code} if refused.code else {}
            sent = content if isinstance(content, bytes) else content.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _handled(hub: Hub, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
    path = unquote(path.partition("?")[0])
    if (
        method in ("POST", "PUT")
        and not path.startswith("/large/")
        and headers.get("Authorization") != f"Bearer {TOKEN}"
    ):
        raise Refused(401, "Invalid username or password.")
    if path == "/api/repos/create":
        return _json(_create(hub, json.loads(body)))
    if path == "/api/validate-yaml":
        _refuse_bad_metadata(json.loads(body)["content"])
        return _json({"errors": [], "warnings": []})
    if match := re.fullmatch(r"/large/(\w+)", path):
        if hashlib.sha256(body).hexdigest() != match[1]:
            raise Refused(400, "another sha256")
        hub.large[match[1]] = body
        return 200, {}, ""
    if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", path):
        wanted = json.loads(body)["objects"]
        objects = [
            {**entry, "actions": {"upload": {"href": f"{hub.address}/large/{entry['oid']}"}}} for entry in wanted
        ]
        return _json({"transfer": "basic", "objects": objects})
    if match := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+?)(?:/(preupload|commit|tree|revision)/(\w+))?", path):
        return _model(hub, match[1], match[2] or "revision", body)
    if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/(\w+)/(.+)", path):
        content = _stored(hub, match[1])[match[3]]
        tags = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": hub.sha(match[1])}
        return 200, tags, content
    raise Refused(404, f"no such call: {method} {path}")


def _create(hub: Hub, wanted: dict[str, Any]) -> dict[str, Any]:
    name = f"{wanted['organization']}/{wanted['name']}"
    if wanted["organization"] == "forbidden":
        raise Refused(403, "You don't have the rights to create a model under the namespace forbidden.")
    url = f"{hub.address}/{name}"
    if name in hub.models:
        raise Refused(409, "You already created this model repo", url=url)
    hub.models[name], hub.commits[name] = {}, 0
    hub.private[name] = wanted.get("private") is True or wanted.get("visibility") == "private"
    return {"url": url}


def _model(hub: Hub, name: str, call: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    files = _stored(hub, name)
    if call == "preupload":
        listed = [
            {
                "path": entry["path"],
                "uploadMode": "lfs" if entry["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for entry in json.loads(body)["files"]
        ]
        return _json({"files": listed})
    if call == "tree":
        return _json(
            [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in files.items()
            ]
        )
    if call == "commit":
        return _json(_commit(hub, name, body))
    siblings = [{"rfilename": path} for path in files]
    return _json({"id": name, "sha": hub.sha(name), "siblings": siblings, "private": hub.private[name], "tags": []})


def _commit(hub: Hub, name: str, body: bytes) -> dict[str, Any]:
    if name.startswith("broken/"):
        raise Refused(400, "the disk of the hub is full")
    for line in body.decode().splitlines():
        operation = json.loads(line)
        value = operation["value"]
        match operation["key"]:
            case "file":
                hub.models[name][value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                if value["oid"] not in hub.large:
                    raise Refused(400, f"{value['path']} was never uploaded")
                hub.models[name][value["path"]] = hub.large[value["oid"]]
            case "deletedFile":
                del hub.models[name][value["path"]]
    hub.commits[name] += 1
    sha = hub.sha(name)
    return {"commitUrl": f"{hub.address}/{name}/commit/{sha}", "commitOid": sha, "success": True}


def _refuse_bad_metadata(text: str) -> None:
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if match is None:
        raise Refused(400, "no metadata")
    metadata = yaml.safe_load(match[1])
    if metadata.get("license") not in LICENSES:
        raise Refused(400, f'"license" must be one of [{", ".join(LICENSES)}]')
    for model in metadata.get("model-index", ()):
        for result in model["results"]:
            if not {"type", "name"} <= set(result["dataset"]) or not all(
                {"type", "value"} <= set(metric) for metric in result["metrics"]
            ):
                raise Refused(400, '"model-index" lacks keys')


def _stored(hub: Hub, name: str) -> dict[str, bytes]:
    if name not in hub.models:
        raise Refused(404, "Repository not found", "RepoNotFound")
    return hub.models[name]


def _json(value: Any) -> tuple[int, dict[str, str], str]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value)
