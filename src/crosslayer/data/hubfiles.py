"""Files of the Hugging Face hub at a pinned commit: downloaded once, checked whenever they are used.

*Checked*: the hub names a file by a hash of its content, SHA-256 for large files and the git blob id for small
ones, and its client keeps it under that name. Each file is hashed against its name before it is read, from the
cache too; a damaged one is deleted and fetched once more. *Not checked*: that these names are those of the commit,
for which the hub's word is taken; directories that stand in for a hub id; and caches without symbolic links. A
mirror that names files otherwise is of no use.

*Bounded*: the hub's client waits for a listing without any limit, begins a cut download again and again, and waits
as long as it is told to. Here the next bytes must come within ``HF_HUB_DOWNLOAD_TIMEOUT`` seconds (10 by default),
a request is sent `TRIES` times at most, and a busy hub is waited for `PATIENCE` seconds in all.

Nothing but the files is asked for: no telemetry, no counters of downloads.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

for _name, _value in {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # else `datasets` tells another host what is loaded
    "HF_HUB_DISABLE_XET": "1",  # that protocol has time limits and retries of its own
}.items():
    os.environ.setdefault(_name, _value)  # read when the client is first imported

Kind = Literal["model", "dataset"]
TRIES = 3
PATIENCE = 300
"""Seconds; the hub counts requests in windows of five minutes."""

SHORT = 5
"""Seconds that `ask` waits."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(Exception):
    """Why files of the hub cannot be had, in one line; callers add what to do about it."""


def is_commit(revision: str | None) -> bool:
    """Whether a revision is pinned: 40 hexadecimal digits, not the name of a branch or a tag."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def fetch(kind: Kind, name: str, revision: str, patterns: Sequence[str]) -> Path:
    """The directory of a repository at a commit, with the files that match ``patterns``, complete and intact.

    Files that are there already are not asked for again, so that nothing is sent when all are.

    Raises:
        HubError: the hub cannot be reached, is too slow or busy, has no such files, or sends damaged ones.
    """
    damaged: list[str] = []
    for _ in range(2):
        folder = _snapshot(kind, name, revision, patterns)
        if not (damaged := _delete_damaged(folder, patterns)):
            return folder
    raise HubError(f"{damaged[0]} does not match its checksum and was deleted")


def find(kind: Kind, name: str, revision: str, patterns: Sequence[str]) -> Path | None:
    """As `fetch`, but only from the cache; none where a file is lacking or damaged. Nothing is sent."""
    from huggingface_hub import snapshot_download

    wanted: dict[str, Any] = {"repo_type": kind, "revision": revision, "allow_patterns": list(patterns)}
    try:
        with _quiet():
            folder = Path(snapshot_download(name, local_files_only=True, **wanted))
        there = any(any(folder.glob(pattern)) for pattern in patterns)
        return folder if there and not _delete_damaged(folder, patterns) else None
    except (OSError, ValueError, HubError):
        return None


def endpoint() -> str:
    """The address of the hub, ``HF_ENDPOINT`` or its own."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def ask(kind: Kind | None = None, name: str = "", revision: str = "") -> None:
    """One request to the hub: for its front page, or whether it has a commit of a repository.

    Raises:
        HubError: it does not answer within `SHORT` seconds, or has no such commit.
    """
    from huggingface_hub import get_session

    raise_for_status = _utils().hf_raise_for_status
    try:
        with _bounded(SHORT):
            if kind is None:
                raise_for_status(get_session().head(endpoint()))
            else:
                raise_for_status(get_session().get(f"{endpoint()}/api/{kind}s/{name}/revision/{revision}"))
    except Exception as error:
        raise HubError(_reason(error)) from None


def _snapshot(kind: Kind, name: str, revision: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        with _bounded():
            return Path(snapshot_download(name, repo_type=kind, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # errors of the client, of its HTTP library and of the disk have no common base
        raise HubError(_reason(error)) from None


def _delete_damaged(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Delete the files whose content is not what their name in the cache says; returns their paths.

    Raises:
        HubError: a file cannot be read or deleted.
    """
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    try:
        damaged = [path for path in found if path.is_symlink() and not _is_intact(path)]
        for path in damaged:
            (path.parent / os.readlink(path)).unlink(missing_ok=True)
            path.unlink()
    except OSError as error:
        raise HubError(f"{error.filename} in the cache: {error.strerror}") from None
    return [path.relative_to(folder).as_posix() for path in damaged]


def _is_intact(link: Path) -> bool:
    """Whether the content has the hash that the link's target is called by."""
    expected = Path(os.readlink(link)).name
    if not link.exists():
        return False
    with link.open("rb") as file:
        if len(expected) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest() == expected
        blob = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: blob).hexdigest() == expected


class _Limits:
    """Ends what the hub's client would go on with; one for each `fetch`, shared by all its threads."""

    def __init__(self, seconds: int | None = None) -> None:
        from huggingface_hub import constants

        self._seconds = seconds or constants.HF_HUB_DOWNLOAD_TIMEOUT
        self._lock = threading.Lock()
        self._sent: Counter[tuple[str, ...]] = Counter()
        self._waited = 0
        self._ended = ""

    def client(self) -> Any:
        """The HTTP client whose requests are timed and counted."""
        from huggingface_hub import is_offline_mode
        from huggingface_hub.errors import OfflineModeIsEnabled

        http, limits = _utils().httpx, self
        base: Any = http.Client

        class Client(base):  # type: ignore[misc]
            def send(self, request: Any, **options: Any) -> Any:
                if is_offline_mode():
                    raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
                limits.count(request)
                try:
                    response = super().send(request, **options)
                except http.TransportError as error:
                    limits.fail(request, _reason(error))
                    raise
                if response.status_code >= 400:
                    limits.wait(response)
                    limits.fail(request, _refusal(response))
                return response

            def build_request(self, *arguments: Any, **options: Any) -> Any:
                return super().build_request(*arguments, **{**options, "timeout": limits._seconds})

        return Client(follow_redirects=True)

    def count(self, request: Any) -> None:
        """Refuse a request that was sent too often, and any once one was refused."""
        with self._lock:
            self._sent[_key(request)] += 1
            if self._sent[_key(request)] > TRIES:
                self._ended = self._ended or f"{request.url.path} breaks off again and again"
            if self._ended:
                raise HubError(self._ended)

    def fail(self, request: Any, reason: str) -> None:
        """Give up where a request failed for the last time."""
        with self._lock:
            if self._sent[_key(request)] >= TRIES:
                self._ended = self._ended or reason
                raise HubError(self._ended)

    def wait(self, response: Any) -> None:
        """Refuse to wait longer than `PATIENCE` for a busy hub, which says how long in one of two headers."""
        told = re.search(r"r=0;\s*t=(\d+)", response.headers.get("RateLimit", ""))
        wait = told[1] if told else response.headers.get("Retry-After", "")
        with self._lock:
            self._waited += int(wait) if wait.isdigit() else 0
            if self._waited > PATIENCE:
                self._ended = self._ended or f"{_refusal(response)}; it asks to wait {wait} s"
                raise HubError(self._ended)


def _key(request: Any) -> tuple[str, ...]:
    """What makes two requests the same: going on after the bytes that came is another one."""
    return request.method, str(request.url), request.headers.get("Range", "")


@contextmanager
def _bounded(seconds: int | None = None) -> Iterator[None]:
    """The hub's client within limits, and silent."""
    from huggingface_hub import set_client_factory

    set_client_factory(_Limits(seconds).client)
    with _quiet():
        yield


def _utils() -> Any:
    """``huggingface_hub.utils``, whose names are not typed; ``httpx`` in it is the HTTP library of the day."""
    import huggingface_hub.utils

    return huggingface_hub.utils


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, and no warnings about retries: the error says what there is to say."""
    utils = _utils()
    http = logging.getLogger(utils.httpx.__name__)
    verbosity, level, bars = utils.logging.get_verbosity(), http.level, not utils.are_progress_bars_disabled()
    utils.logging.set_verbosity(logging.CRITICAL)
    http.setLevel(logging.WARNING)
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(verbosity)
        http.setLevel(level)
        if bars:
            utils.enable_progress_bars()


def _reason(error: BaseException) -> str:
    """One line for an error of the hub's client, of what lies at its bottom."""
    from huggingface_hub import errors

    http = _utils().httpx
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        return _reason(error.__cause__)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, and the cache has not all files"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such commit"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the hub has no such repository, or shows it to its members only"
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error.response)
    if isinstance(error, http.TimeoutException):
        return f"{endpoint()} does not answer in time"
    if isinstance(error, http.RemoteProtocolError):
        return f"{endpoint()} closes the connection too early"
    if isinstance(error, http.NetworkError):
        return f"{endpoint()} cannot be reached"
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:200]


def _refusal(response: Any) -> str:
    meaning = {404: "not found", 429: "too many requests"}.get(response.status_code, "refused")
    return f"{response.url.path}: {meaning} (HTTP {response.status_code})"
