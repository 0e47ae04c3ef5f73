"""What this machine can do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from crosslayer.errors import EncoderError


def findings() -> Iterator[tuple[str, bool, str]]:
    """Each ability: its name, whether it is there, and how to get it."""
    import torch

    from crosslayer.config import ComputeSpec
    from crosslayer.material import choose_precision, planned_device

    yield "packaged encoder", _packaged_encoder(), "pip install -r requirements.lock"
    yield "GPU", torch.cuda.is_available(), "not needed for the offline profile; profile paper wants one"
    native = choose_precision(ComputeSpec(), planned_device(ComputeSpec())) == "bfloat16"
    yield "native bfloat16", native, "float32 is used, about four times slower on a CPU"
    yield (
        "latexmk (PDF)",
        shutil.which("latexmk") is not None,
        "on Debian: apt-get install latexmk texlive-latex-extra texlive-fonts-recommended lmodern librsvg2-bin",
    )


def _packaged_encoder() -> bool:
    from crosslayer.encoders.packaged import find_weights, read_weights

    try:
        read_weights(find_weights())
    except EncoderError:
        return False
    return True
