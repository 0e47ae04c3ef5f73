"""Files of the Hugging Face hub at a pinned commit: downloaded once, checked against their hashes at every use.

The hub names a file by a hash of its content, SHA-256 for large files and the git blob id for small ones, and its
client stores it in the cache under that name. A damaged file is deleted and downloaded once more. Retries and time
limits are the client's own (``HF_HUB_DOWNLOAD_TIMEOUT``, ``HF_HUB_ETAG_TIMEOUT``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

for _name, _value in {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # else `datasets` tells another host what is loaded
    "HF_HUB_DISABLE_XET": "1",  # that protocol asks further hosts
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "critical",  # the error says what there is to say
}.items():
    os.environ.setdefault(_name, _value)  # read when the client is first imported
logging.getLogger("httpx2").setLevel(logging.WARNING)  # the client's HTTP library names each request


class HubError(Exception):
    """Why files of the hub cannot be had, in one line; callers add what to do about it."""


def is_commit(revision: str | None) -> bool:
    """Whether a revision is a whole commit, not the name of a branch or a tag, which may move."""
    return revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def fetch(kind: Literal["model", "dataset"], name: str, revision: str, patterns: Sequence[str]) -> Path:
    """The folder of a repository at a commit, with the files that match ``patterns`` complete and intact.

    Nothing is sent where all of them are in the cache. A HubError says why there are none.
    """
    from huggingface_hub import constants, errors, get_session, snapshot_download

    wanted: dict[str, Any] = {"repo_type": kind, "revision": revision, "allow_patterns": list(patterns)}
    for _ in range(2):
        try:
            get_session().timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT  # listings have no limit otherwise
            folder = Path(snapshot_download(name, **wanted))
            links = {path for pattern in patterns for path in folder.glob(pattern) if path.is_symlink()}
            damaged = [link for link in links if not _is_intact(link.resolve())]
            for path in [path for link in damaged for path in (link.resolve(), link)]:
                path.unlink()
        except Exception as error:  # errors of the client, of its HTTP library and of the disk have no common base
            cause = (isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__) or error
            last = [line.strip() for line in str(cause).splitlines() if line.strip()][-1:]
            raise HubError(": ".join([type(cause).__name__, *last])[:300]) from None
        if not damaged:
            return folder
    raise HubError(f"{damaged[0].name} does not match its hash and was deleted")


def _is_intact(path: Path) -> bool:
    with path.open("rb") as file:
        if len(path.name) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest() == path.name
        blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: blob).hexdigest() == path.name
