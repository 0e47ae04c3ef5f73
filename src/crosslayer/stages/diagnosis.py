"""What this machine can do, and what the active profile finds on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from claimtrack.errors import ConfigError, DataError, EncoderError
from crosslayer.config import ACTIVE, DataSpec, EncoderSpec, Profile, load_profile
from crosslayer.data import hubfiles as hub
from crosslayer.tasks import INTERMEDIATE

Finding = tuple[str, bool, str]
"""An ability: its name, whether it is there, and how to get it."""


def findings() -> Iterator[Finding]:
    """Each ability of the machine, then what the active profile reads. The hub is asked, for seconds at most."""
    import torch

    from crosslayer.config import ComputeSpec
    from crosslayer.sweep.material import choose_precision, planned_device

    yield "packaged encoder", _packaged_encoder(), "pip install -r requirements.lock"
    yield "GPU", torch.cuda.is_available(), "not needed for the offline profile; profile paper wants one"
    native = choose_precision(ComputeSpec(), planned_device(ComputeSpec())) == "bfloat16"
    yield "native bfloat16", native, "float32 is used, about four times slower on a CPU"
    yield (
        "latexmk (PDF)",
        shutil.which("latexmk") is not None,
        "on Debian: apt-get install latexmk texlive-latex-extra texlive-fonts-recommended lmodern librsvg2-bin",
    )
    yield from _of_profile()


def _packaged_encoder() -> bool:
    from crosslayer.encoders.packaged import find_weights, read_weights

    try:
        read_weights(find_weights())
    except EncoderError:
        return False
    return True


def _of_profile() -> Iterator[Finding]:
    """The hub, and the encoder and the data of the active profile."""
    silence = _silence()
    if not ACTIVE.exists():
        yield _hub(silence, "crosslayer profile use NAME tells whether it is needed")
        return
    try:
        profile = load_profile()
    except ConfigError as error:
        yield _hub(silence, "only profiles with source hub need it")
        yield "active profile", False, str(error)
        return
    needed = "hub" in (profile.encoder.source, profile.data.source)
    advice = "check the network, proxies and HF_ENDPOINT" if needed else f"profile {profile.profile} does without"
    yield _hub(silence, advice)
    if profile.encoder.source == "hub":
        yield _encoder(profile.encoder, silence)
    if profile.data.source == "hub":
        yield from _hub_data(profile, silence)
    elif profile.data.source == "xtreme":
        yield _directory(profile)


def _silence() -> str | None:
    """Why the hub does not answer, if it does not."""
    try:
        hub.ask()
    except hub.HubError as error:
        return str(error)
    return None


def _hub(silence: str | None, advice: str) -> Finding:
    return f"hub at {hub.endpoint()}", silence is None, f"{silence}; {advice}"


def _encoder(spec: EncoderSpec, silence: str | None) -> Finding:
    from crosslayer.encoders.hub import FILES, check_folder, pinned

    title = f"encoder {spec.name}"
    try:
        if not spec.name:
            return "encoder", False, "set encoder.name to a Hugging Face id or a directory"
        if (revision := pinned(spec.name, spec.revision)) is None:
            check_folder(Path(spec.name).expanduser())
            return title, True, ""
        folder = hub.find("model", spec.name, revision, FILES)
        if folder is not None:
            check_folder(folder)
    except EncoderError as error:
        return title, False, str(error)
    advice = "set encoder.name to a directory with its files"
    return _repository("model", spec.name, revision, (int(folder is not None), 1), silence, advice)


def _hub_data(profile: Profile, silence: str | None) -> Iterator[Finding]:
    from crosslayer.data.hub import is_cached, pinned, splits_read

    spec: DataSpec = profile.data
    tasks = {*profile.tasks, *(INTERMEDIATE[target] for target in profile.intermediate.targets)}
    try:
        read = splits_read(tasks, spec)
    except DataError as error:
        yield "data", False, str(error)
        return
    for name, splits in read.items():
        try:
            revision = pinned(spec, name)
        except DataError as error:
            yield f"data {name}", False, str(error)
            continue
        there = sum(is_cached(name, config, split, revision) for config, split in splits)
        advice = "read files with data.source xtreme and data.root"
        yield _repository("dataset", name, revision, (there, len(splits)), silence, advice)


def _repository(
    kind: hub.Kind, name: str, revision: str, cached: tuple[int, int], silence: str | None, advice: str
) -> Finding:
    """A repository at a commit; ``cached`` counts the parts that are in the cache, and all of them."""
    title = f"{'encoder' if kind == 'model' else 'data'} {name}@{revision[:8]}"
    there, parts = cached
    if there == parts:
        return f"{title}: cached", True, ""
    if silence is None:
        try:
            hub.ask(kind, name, revision)
        except hub.HubError as error:
            return title, False, f"{error}; correct its name or its revision in {ACTIVE}"
        return f"{title}: on the hub, {there} of {parts} cached", True, ""
    lacking = f"{there} of {parts} cached and the hub does not answer"
    return title, False, f"{lacking}; fill the cache (HF_HOME) where there is a network, or {advice}"


def _directory(profile: Profile) -> Finding:
    from crosslayer.data.xtreme import task_folder

    title = f"data in {profile.data.root}"
    try:
        for name in profile.tasks:
            task_folder(name, profile.data)
    except DataError as error:
        return title, False, str(error)
    return title, True, ""
