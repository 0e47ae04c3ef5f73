"""A small Hugging Face hub on 127.0.0.1: what ``huggingface_hub`` 2.4 asks for, and no more.

- ``GET /api/{models,datasets}/ID/tree/COMMIT?recursive=true``: the files, and ``.../revision/COMMIT``;
- ``HEAD`` and ``GET /[datasets/]ID/resolve/COMMIT/PATH``: small files with the git blob id as ETag, large ones
  (``.parquet``, ``.safetensors``) with their SHA-256 as ``X-Linked-Etag``;
- errors carry ``X-Error-Code``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".parquet", ".safetensors")
Files = Mapping[str, bytes]
"""Content by path."""


class Hub:
    """The hub, whose port stays the same over a restart; a repository has the same files at each commit.

    Args:
        models, datasets: the repositories by name.

    Attributes:
        requests: ``METHOD PATH`` of each request so far.
        spoilt: how many of the next files are sent with a changed byte.
    """

    def __init__(self, models: Mapping[str, Files], datasets: Mapping[str, Files]) -> None:
        self.repositories = {"models": models, "datasets": datasets}
        self.commits: set[str] = set()
        self.requests: list[str] = []
        self.spoilt = 0
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """The endpoint, for ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Nobody listens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def commit(self, name: str) -> str:
        """A commit of all repositories, made of a name: so that no test meets what another has cached."""
        commit = hashlib.sha1(name.encode()).hexdigest()
        self.commits.add(commit)
        return commit


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        listed = re.fullmatch(r"/api/(models|datasets)/(.+)/(tree|revision)/([^/]+)()", path)
        file = re.fullmatch(r"/(?:(datasets)/)?(.+?)/(resolve)/([^/]+)/(.+)", path)
        if found := listed or file:
            kind, name, what, commit, inner = found.groups()
            files = self.hub.repositories[kind or "models"].get(name)
            if files is None:
                self._send(401, **{"X-Error-Code": "RepoNotFound"})
            elif commit not in self.hub.commits:
                self._send(404, **{"X-Error-Code": "RevisionNotFound"})
            elif what == "resolve":
                self._file(files[inner], commit, inner)
            else:
                listing = [_entry(name, content) for name, content in sorted(files.items())]
                about = {"id": name, "sha": commit, "siblings": []}
                self._send(200, json.dumps(listing if what == "tree" else about).encode())

    def _file(self, content: bytes, commit: str, path: str) -> None:
        known = {"X-Repo-Commit": commit, "ETag": f'"{_blob_id(content)}"'}
        if path.endswith(LARGE):
            known["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        if self.command == "GET" and self.hub.spoilt:
            self.hub.spoilt -= 1
            content = bytes([content[0] ^ 1]) + content[1:]
        self._send(200, content, **known)

    def _send(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """A file as the listing has it; of a large one the blob is a pointer, whose id is not that of the content."""
    if not path.endswith(LARGE):
        return {"type": "file", "oid": _blob_id(content), "size": len(content), "path": path}
    linked = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return {"type": "file", "oid": _blob_id(path.encode()), "size": len(content), "lfs": linked, "path": path}


def _blob_id(content: bytes) -> str:
    """The id that git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
