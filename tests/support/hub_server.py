"""A small Hugging Face hub on 127.0.0.1 with switchable faults: what its clients call, and no more.

Served as the real hub does, as far as ``huggingface_hub`` 2.4 looks at it:

- ``GET /api/{models,datasets}/ID/tree/COMMIT?recursive=true``: the files, in pages;
- ``GET /api/{models,datasets}/ID/revision/COMMIT``, and the front page;
- ``HEAD`` and ``GET /[datasets/]ID/resolve/COMMIT/PATH``: small files by a redirect on the same host with the git
  blob id as ETag; large ones (``.parquet``, ``.safetensors``) by a redirect to a second host, the store, with
  their SHA-256 as ``X-Linked-Etag``;
- ``ID`` without its owner is redirected to the full one; ``Range`` is understood;
- errors carry ``X-Error-Code``.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

LARGE = (".parquet", ".safetensors")
PAGE = 7
"""Files on a page of a listing, so few that there are several pages."""

Kind = Literal["models", "datasets"]


@dataclass
class Repository:
    """A repository that has the same files at each of its commits.

    Attributes:
        kind: models or data sets.
        name: its id with the owner.
        files: content by path.
        commits: those that there are.
    """

    kind: Kind
    name: str
    files: dict[str, bytes]
    commits: set[str] = field(default_factory=set)


@dataclass
class Fault:
    """What goes wrong with the requests whose ``METHOD PATH`` has a match of ``where``.

    Attributes:
        where: a regular expression.
        what: ``delay`` waits ``amount`` seconds first; ``hang`` never answers; ``stall`` stops after ``amount``
            bytes; ``cut`` closes the connection there; ``spoil`` turns one byte of the content; ``status`` answers
            ``code``.
        times: how often; for ever by default.
        ranges: whether ``Range`` is still understood.
    """

    where: str
    what: Literal["delay", "hang", "stall", "cut", "spoil", "status"]
    amount: float = 0
    code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    times: float = float("inf")
    ranges: bool = True


class Hub:
    """The hub and its store of large files, two servers on 127.0.0.1 whose ports stay the same over a restart.

    Attributes:
        repositories: what it has.
        faults: what goes wrong; the first that matches counts.
        requests: ``METHOD PATH`` of each request so far.
    """

    def __init__(self, repositories: list[Repository]) -> None:
        self.repositories = {(repository.kind, repository.name): repository for repository in repositories}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._ports = [0, 0]
        self._servers: list[ThreadingHTTPServer] = []
        self._stopped = threading.Event()
        self.start()

    @property
    def url(self) -> str:
        """The endpoint, for ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def store(self) -> str:
        """The second host, of large files."""
        return f"http://127.0.0.1:{self._ports[1]}"

    def start(self) -> None:
        """Listen."""
        self._stopped.clear()
        for place, port in enumerate(self._ports):
            server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"hub": self}))
            server.daemon_threads = True
            self._ports[place] = server.server_address[1]
            self._servers.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the ports and all connections: who asks now is refused."""
        self._stopped.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Nobody listens."""
        try:
            self.stop()
            yield
        finally:
            self.start()

    @contextmanager
    def broken(self, *faults: Fault) -> Iterator[None]:
        """With these faults."""
        self.faults[:] = faults
        try:
            yield
        finally:
            self.faults.clear()

    def commit(self, name: str) -> str:
        """A commit of all repositories, made of a name: so that no test meets what another has cached."""
        commit = hashlib.sha1(name.encode()).hexdigest()
        for repository in self.repositories.values():
            repository.commits.add(commit)
        return commit

    def fault(self, request: str) -> Fault | None:
        """Note a request, and what goes wrong with it."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.where, request):
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.hub._lock:
            self.hub._connections.add(self.connection)

    def finish(self) -> None:
        with self.hub._lock:
            self.hub._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.path, self.query = unquote(address.path), parse_qs(address.query)
        self.fault = self.hub.fault(f"{self.command} {self.path}")
        if self.fault and self.fault.what == "delay":
            time.sleep(self.fault.amount)
        if self.fault and self.fault.what == "hang":
            self._hang()
        elif self.fault and self.fault.what == "status":
            self._fail(self.fault.code, **self.fault.headers)
        elif self.path == "/":
            self._send(b"the front page")
        elif match := re.fullmatch(r"/api/(models|datasets)/(.+?)/(tree|revision)/([^/]+)", self.path):
            self._api(*match.groups())
        elif match := re.fullmatch(r"(/store|/small|)(?:/(datasets))?/(.+?)/resolve/([^/]+)/(.+)", self.path):
            self._file(*match.groups())
        else:
            self._fail(404)

    def _repository(self, kind: str, name: str, commit: str) -> Repository | None:
        """The repository, or else the error is sent."""
        found = self.hub.repositories.get((kind, name))  # type: ignore[call-overload]
        if found is None:
            full = [
                known
                for known_kind, known in self.hub.repositories
                if (known_kind, known.split("/")[1]) == (kind, name)
            ]
            if full:
                self._redirect(self.path.replace(f"/{name}/", f"/{full[0]}/"))
            else:
                self._fail(401, **{"X-Error-Code": "RepoNotFound"})
        elif commit not in found.commits:
            self._fail(404, **{"X-Error-Code": "RevisionNotFound"})
            return None
        return found

    def _api(self, kind: str, name: str, what: str, commit: str) -> None:
        repository = self._repository(kind, name, commit)
        if repository is None:
            return
        if what == "revision":
            self._send(json.dumps({"id": name, "sha": commit, "siblings": []}).encode())
            return
        first = int(self.query.get("cursor", ["0"])[0])
        listing = [_entry(path, content) for path, content in sorted(repository.files.items())]
        more = {}
        if first + PAGE < len(listing):
            more["Link"] = f'<{self.hub.url}{quote(self.path)}?recursive=true&cursor={first + PAGE}>; rel="next"'
        self._send(json.dumps(listing[first : first + PAGE]).encode(), **more)

    def _file(self, place: str, datasets: str | None, name: str, commit: str, path: str) -> None:
        repository = self._repository(datasets or "models", name, commit)
        if repository is None:
            return
        content = repository.files.get(path)
        known = {"X-Repo-Commit": commit}
        if content is None:
            self._fail(404, **known, **{"X-Error-Code": "EntryNotFound"})
        elif place:
            self._send(content, ETag=f'"{_blob_id(content)}"', **known)
        elif path.endswith(LARGE):
            digest = f'"{hashlib.sha256(content).hexdigest()}"'
            linked = {"X-Linked-Etag": digest, "X-Linked-Size": str(len(content))}
            self._redirect(f"{self.hub.store}/store{quote(self.path)}", **known, **linked)
        else:
            self._redirect(f"/small{quote(self.path)}", **known, ETag=f'"{_blob_id(content)}"')

    def _redirect(self, target: str, **headers: str) -> None:
        self.send_response(307 if target.startswith("/") else 302)
        for name, value in {**headers, "Location": target, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _fail(self, code: int, **headers: str) -> None:
        body = b'{"error": "as the test wants it"}'
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _send(self, content: bytes, **headers: str) -> None:
        fault = self.fault
        total, start = len(content), 0
        if fault and fault.what == "spoil":
            content = bytes([content[0] ^ 1]) + content[1:]
        if (wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) and (
            not fault or fault.ranges
        ):
            start = int(wanted[1])
        self.send_response(206 if start else 200)
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        for name, value in {**headers, "Content-Length": str(total - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.what in ("stall", "cut"):
            self.wfile.write(content[start : start + int(fault.amount)])
            self.wfile.flush()
            if fault.what == "stall":
                self._hang()
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def _hang(self) -> None:
        self.hub._stopped.wait(60)
        self.close_connection = True


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """A file as the listing has it; of a large one the blob is a pointer, whose id is not that of the content."""
    if not path.endswith(LARGE):
        return {"type": "file", "oid": _blob_id(content), "size": len(content), "path": path}
    linked = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return {"type": "file", "oid": _blob_id(path.encode()), "size": len(content), "lfs": linked, "path": path}


def _blob_id(content: bytes) -> str:
    """The id that git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
