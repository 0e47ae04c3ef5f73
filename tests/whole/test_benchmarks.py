"""What `make bench` prints and keeps; its figures are no tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import pipeline, sheets
from benchmarks.sheets import Sheet


def test_a_sheet_is_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sheets, "RECORDED", tmp_path / "recorded")
    sheet = Sheet("speed of x", ("what", "seconds"), [("ours", "1.5"), ("theirs", "3.0")], "A note.")
    sheet.show()
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("speed of x", "seconds", "theirs", "3.0", "A note."))
    sheets.save("x", [sheet])
    kept = json.loads((tmp_path / "recorded" / "x.json").read_text(encoding="utf-8"))
    assert kept["sheets"][0]["rows"] == [["ours", "1.5"], ["theirs", "3.0"]]
    fields = {"processor", "accelerator", "cores", "memory_gib", "system", "python"}
    assert set(kept["machine"]) == fields, "no name of a host"
    assert "torch" in kept["packages"]


STAGE = f"""
import subprocess, sys
hold = "import time; held = b'x' * 120_000_000; time.sleep(2.5)"
work = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {{hold!r}}], check=True)"
subprocess.run([sys.executable, "-c", work, "-m", "{pipeline.STAGES}sweep", "offline", "pos"], check=True)
"""
"""A command that has one stage below it, with a worker of 120 MB."""


def test_a_stage_is_seen_with_its_memory(tmp_path: Path) -> None:
    usage = pipeline.run([sys.executable, "-c", STAGE], tmp_path, {})
    assert list(usage.megabytes) == ["sweep-pos"]
    assert usage.megabytes["sweep-pos"] > 114
    assert usage.seconds > 2.5
