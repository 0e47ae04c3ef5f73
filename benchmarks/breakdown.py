"""Where the time of a trial goes: what keeps it from the rate of matrix products."""

from __future__ import annotations

import re
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from benchmarks.contenders import ours
from crosslayer.config import Profile
from crosslayer.tasks import TaskName

KINDS = {
    "matrix products": re.compile(r"(mm|addmm|bmm|baddbmm)$|_scaled_dot_product"),
    "casts and copies": re.compile(r"copy_|_to_copy|empty_strided|clone|cat$"),
    "dropout": re.compile(r"random_|bernoulli_|ge$|native_dropout|masked_fill"),
    "softmax, GELU, layer norm": re.compile(r"_(log_)?softmax|gelu|native_layer_norm"),
    "AdamW and clipping": re.compile(r"_fused_adamw_|linalg_vector_norm|_foreach_"),
}
"""How the names of torch's operations begin; the first kind that fits counts."""
REST = "other element-wise operations, autograd"


def shares(settings: Profile, folder: Path, task: TaskName) -> dict[str, float]:
    """Seconds of a profiled trial by kind of operation; profiling itself adds to the rest."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        ours(settings, folder, task)
    seconds = dict.fromkeys([*KINDS, REST], 0.0)
    for event in found.key_averages():
        seconds[kind_of(event.key)] += event.self_cpu_time_total / 1e6
    return seconds


def kind_of(operation: str) -> str:
    """The kind of an operation of torch, such as ``aten::mm``."""
    name = operation.removeprefix("aten::")
    return next((kind for kind, names in KINDS.items() if names.match(name)), REST)
