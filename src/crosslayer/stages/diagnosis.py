"""What this machine can do, and what the active profile finds on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from claimtrack.errors import UserError
from claimtrack.settings import ACTIVE
from crosslayer.config import EncoderSpec, Profile, load_profile
from crosslayer.data.hubfiles import HubError, fetch
from crosslayer.tasks import INTERMEDIATE

Finding = tuple[str, bool, str]
"""An ability: its name, whether it is there, and how to get it."""


def of_machine() -> Iterator[Finding]:
    """What the machine has."""
    import torch

    from crosslayer.config import ComputeSpec
    from crosslayer.encoders.packaged import read_weights
    from crosslayer.sweep.plan import choose_precision, planned_device

    yield _checked("packaged encoder", read_weights)
    yield "GPU", torch.cuda.is_available(), "profile paper wants one; offline, tiny and xtreme-small do not"
    native = choose_precision(ComputeSpec(), planned_device(ComputeSpec())) == "bfloat16"
    yield "native bfloat16", native, "float32 is used, about four times slower on a CPU"
    packages = "latexmk texlive-latex-extra texlive-fonts-recommended lmodern librsvg2-bin"
    yield "latexmk (PDF)", shutil.which("latexmk") is not None, f"on Debian: apt-get install {packages}"


def of_profile() -> Iterator[Finding]:
    """What the active profile reads; the hub is asked if it needs it."""
    if not ACTIVE.exists():
        return
    try:
        profile = load_profile()
    except UserError as error:
        yield "active profile", False, str(error)
        return
    if profile.encoder.source == "hub":
        yield _checked(f"encoder {profile.encoder.name}", lambda: _encoder(profile.encoder))
    if profile.data.source != "fragment":
        yield _checked(f"data of profile {profile.profile}", lambda: _data(profile))


def _checked(title: str, check: Callable[[], object]) -> Finding:
    """What a check returns is added to the title; what it raises is the fix."""
    try:
        found = check()
    except UserError as error:
        return title, False, str(error)
    return (f"{title}: {found}" if isinstance(found, str) else title), True, ""


def _encoder(spec: EncoderSpec) -> str | None:
    from crosslayer.encoders.hub import FILES, check_folder, pinned

    name, commit = pinned(spec.name, spec.revision)
    if commit is None:
        check_folder(Path(name).expanduser())
        return None
    return _repository("model", name, commit, FILES)


def _data(profile: Profile) -> str | None:
    from crosslayer.data import hub
    from crosslayer.data.xtreme import task_folder

    if profile.data.source == "xtreme":
        for name in profile.tasks:
            task_folder(name, profile.data)
        return None
    tasks = {*profile.tasks, *(INTERMEDIATE[target] for target in profile.intermediate.targets)}
    read = hub.files(tasks, profile.data)
    states = {_repository("dataset", name, hub.pinned(profile.data, name), files) for name, files in read.items()}
    return max(states)


def _repository(
    kind: Literal["model", "dataset"], name: str, revision: str, files: Sequence[str]
) -> Literal["cached", "on the hub"]:
    """Where the files of a commit are; a UserError if nowhere."""
    try:
        fetch(kind, name, revision, files, cached=True)
        return "cached"
    except HubError:
        pass
    from huggingface_hub import HfApi

    try:
        HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=5)
        return "on the hub"
    except Exception as error:  # errors of the client and of its HTTP library have no common base
        raise UserError(
            f"{name}@{revision[:8]} is neither cached nor on the hub ({type(error).__name__}); check its name, "
            "its revision and the network, or fill the cache (HF_HOME) elsewhere"
        ) from None
