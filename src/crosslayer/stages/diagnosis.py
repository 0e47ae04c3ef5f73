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
    from crosslayer.sweep.plan import choose_precision, planned_device

    yield _checked("packaged encoder", read_weights)
    yield "GPU", torch.cuda.is_available(), "profile paper wants one; offline, tiny and xtreme-small do not"
    native = choose_precision(ComputeSpec(), planned_device(ComputeSpec())) == "bfloat16"
    yield "native bfloat16", native, "float32 is used, about four times slower on a CPU"
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
