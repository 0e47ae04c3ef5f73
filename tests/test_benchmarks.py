"""What `make bench` prints and keeps; its figures are no tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import sheets
from benchmarks.breakdown import REST, kind_of
from benchmarks.sheets import Sheet


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mm", "matrix products"), ("aten::addmm", "matrix products"), ("aten::bmm", "matrix products"),
        ("aten::copy_", "casts and copies"), ("aten::random_", "dropout"), ("aten::ge", "dropout"),
        ("aten::_softmax_backward_data", "softmax, GELU, layer norm"),
        ("aten::gelu_backward", "softmax, GELU, layer norm"),
        ("aten::native_layer_norm", "softmax, GELU, layer norm"), ("aten::_fused_adamw_", "AdamW and clipping"),
        ("aten::mul", REST), ("aten::mm_like", REST), ("autograd::engine", REST),
    ],
)  # fmt: skip
def test_operations_have_a_kind(operation: str, kind: str) -> None:
    assert kind_of(operation) == kind


def test_a_sheet_is_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "RECORDED", tmp_path / "recorded")
    sheet = Sheet("speed of x", ("what", "seconds"), [("ours", "1.5"), ("theirs", "3.0")], "A note.")
    console = Console(record=True, width=60)
    sheet.show(console)
    shown = console.export_text()
    assert all(word in shown for word in ("speed of x", "seconds", "theirs", "3.0", "A note."))
    sheets.save("x", [sheet])
    kept = json.loads((tmp_path / "recorded" / "x.json").read_text(encoding="utf-8"))
    assert kept["sheets"][0]["rows"] == [["ours", "1.5"], ["theirs", "3.0"]]
    assert set(kept["machine"]) == {"processor", "cores", "memory_gib", "system", "python"}, "no name of a host"
    assert "torch" in kept["packages"]
