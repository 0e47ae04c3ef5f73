"""What this machine can do, and whether the active profile can be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

from claimtrack.errors import UserError
from claimtrack.settings import ACTIVE
from crosslayer.config import ComputeSpec, load_profile

Finding = tuple[str, bool, str]
"""An ability: its name, whether it is there, and how to get it."""


def findings() -> Iterator[Finding]:
    """What the machine has, and the active profile if there is one."""
    import torch

    from claimtrack.report.write import PACKAGES
    from crosslayer.encoders.packaged import read_weights
    from crosslayer.sweep.plan import has_bfloat16, planned_device

    yield _checked("packaged encoder", read_weights)
    yield "GPU", torch.cuda.is_available(), "profile paper wants one; offline, tiny and xtreme-small do not"
    native = has_bfloat16(planned_device(ComputeSpec()))
    yield "native bfloat16", native, "set compute.precision=float32, on a CPU about four times slower"
    install = f"on Debian: apt-get install {PACKAGES} librsvg2-bin"
    yield "latexmk (PDF)", shutil.which("latexmk") is not None, install
    if ACTIVE.exists():
        yield _checked("active profile", load_profile)


def _checked(title: str, check: Callable[[], object]) -> Finding:
    """What a check raises is the fix."""
    try:
        check()
    except UserError as error:
        return title, False, str(error)
    return title, True, ""
