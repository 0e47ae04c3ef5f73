"""Packed sweeps: equal results elsewhere, with few packages, and nothing false comes home."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from claimtrack.errors import ResultsError
from claimtrack.runlog import read_run
from claimtrack.seal import newest_hash
from crosslayer.config import Profile, load_profile
from crosslayer.errors import ConfigError
from crosslayer.predictions.records import read_arrays, read_record
from crosslayer.stages import packed
from crosslayer.stages.packed import merge, pack
from crosslayer.sweep import run as sweep
from crosslayer.sweep import workers
from crosslayer.sweep.plan import trial_specs
from crosslayer.windows.encoded import read_encoded, write_encoded
from made_inputs import changed, prepared
from repository import ROOT

NEEDED = (
    "torch sympy transformers numpy pandas pyarrow safetensors tokenizers tqdm filelock "
    "pydantic ruamel.yaml typer psutil scipy scikit-learn"
)
"""Distributions that the other machine has, as docs/tutorial.md says; sympy is a need of torch."""


@pytest.fixture(scope="module")
def tiny() -> Profile:
    profile = load_profile(ROOT / "profiles" / "tiny.yaml")
    return changed(profile, sweep={"layers": [1], "seeds": [0]}, intermediate={"seeds": [0]})


@pytest.fixture(scope="module")
def project(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose encoder stage has run, with a seal; no trial has been trained."""
    folder = tmp_path_factory.mktemp("project")
    prepared(tiny, folder / "results" / "tiny")
    (folder / "claims").mkdir()
    shutil.copy(ROOT / "tests" / "golden" / "seals.json", folder / "claims")
    return folder


@pytest.fixture
def home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of a copy of the project that is the working directory."""
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / "tiny"


def train(folder: Path, *interpreter: str) -> subprocess.CompletedProcess[str]:
    """Train a packed folder as its user does, by the packages that it brings."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *(interpreter or ("-m", "crosslayer")), "sweep", "train"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ran(tiny: Profile, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed sweep that has run where little is installed, as on a node."""
    folder, site = tmp_path_factory.mktemp("node") / "pack", tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        pack(tiny, project / "results" / "tiny", "pos", folder)
    own = {re.match(r"[\w.-]+", need)[0].lower() for need in requires("crosslayer") or []}  # type: ignore[index]
    own -= {*NEEDED.split()}
    absent = {top for top, names in packages_distributions().items() if {name.lower() for name in names} & own}
    assert {"dvc", "papermill", "datasets", "jinja2"} <= absent
    for path in Path(np.__file__).parents[1].iterdir():
        name = path.name.partition("-")[0].replace("_", "-").lower() if path.suffix == ".dist-info" else ""
        if path.name.split(".")[0] not in {*absent, "crosslayer"} and path.suffix != ".pth" and name not in own:
            (site / path.name).symlink_to(path)
    code = (
        f"import sys, runpy; sys.path.append({str(site)!r}); runpy.run_module('crosslayer', run_name='__main__')"
    )
    done = train(folder, "-S", "-c", code)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_results_from_elsewhere_equal_those_from_here(
    tiny: Profile, home: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And name the seal under which they were packed; nothing that was merged is trained again."""
    counts = {"sweep": 3, "intermediate": 3}
    assert merge(tiny, home, ran) == (sum(counts.values()), 0)
    for stage, count in counts.items():
        merged, here = home / "trials" / stage / "pos", home.parent / "here" / stage / "pos"
        records = sweep.run_sweep(tiny, stage, "pos", home / "encoder", here)  # type: ignore[arg-type]
        assert len(records) == count
        for record in records:
            assert record.seal == newest_hash() != ""
            for name in ("trial.json", "predictions.parquet"):
                assert (merged / record.key / name).read_bytes() == (here / record.key / name).read_bytes()
            one, two = (read_arrays(path / record.key / "diagnostics.npz") for path in (merged, here))
            assert {name: one[name].tolist() for name in one} == {name: two[name].tolist() for name in two}
    monkeypatch.setattr(workers, "run_and_keep", lambda *_: pytest.fail("a finished trial was trained again"))
    sweep.run_sweep(tiny, "sweep", "pos", home / "encoder", home / "trials" / "sweep" / "pos")


def test_a_pack_that_has_run_has_nothing_left(ran: Path) -> None:
    """Where everything is installed it is still its own package that runs."""
    main = ran / "crosslayer" / "__main__.py"
    main.write_text("print(__file__)\n" + main.read_text(encoding="utf-8"), encoding="utf-8")
    done = train(ran)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{main}\n0 trials trained\n"


def test_the_time_spent_elsewhere_is_noted_once(tiny: Profile, home: Path, ran: Path) -> None:
    log = ran / "results" / "tiny" / "run.json"
    info = read_run(log)
    for entry in info["stages"].values():
        assert entry["machine"] == info["machine"]
        entry["machine"]["accelerator"] = "a GPU"
    log.write_text(json.dumps(info), encoding="utf-8")
    merge(tiny, home, ran)
    there, here = (read_run(path / "run.json")["stages"] for path in (ran / "results" / "tiny", home))
    assert read_run(home / "run.json")["machine"]["accelerator"] == "none"
    for stage in ("sweep-pos", "intermediate-pos"):
        assert here[stage]["machine"]["accelerator"] == "a GPU"
        for name in ("trained", "trained_seconds"):
            assert here[stage][name] == pytest.approx(there[stage][name], abs=0.02)
    assert merge(tiny, home, ran) == (0, 6)
    assert read_run(home / "run.json")["stages"] == here


def test_the_baseline_that_both_stages_have_costs_its_time_once(tiny: Profile, home: Path, tmp_path: Path) -> None:
    pos = tiny.tasks["pos"].model_copy(update={"mode": "finetuned"})
    tuned = changed(tiny, tasks={"pos": pos}, sweep={"layers": [], "controls": []})
    pack(tuned, home, "pos", tmp_path / "node")
    assert train(tmp_path / "node").returncode == 0
    assert merge(tuned, home, tmp_path / "node") == (3, 1)
    assert read_run(home / "run.json")["stages"]["intermediate-pos"]["trained"] == 2


def test_only_what_is_left_is_packed(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    merge(tiny, home, ran)
    with pytest.raises(ConfigError, match="every trial of pos is finished"):
        pack(tiny, home, "pos", tmp_path / "new")
    left = next((home / "trials" / "sweep" / "pos").glob("*/trial.json")).parent
    shutil.rmtree(left)
    assert pack(tiny, home, "pos", tmp_path / "new") == 1
    assert train(tmp_path / "new").stdout == "1 trials trained\n"
    assert [path.parent.name for path in (tmp_path / "new").rglob("trial.json")] == [left.name]


def test_trials_for_a_gpu_are_planned_where_there_is_none(tiny: Profile, home: Path) -> None:
    compute = {"device": "cuda"}
    with pytest.raises(ConfigError, match="state bfloat16 or float32"):
        trial_specs(changed(tiny, compute=compute), "sweep", "pos", home / "encoder")
    stated = changed(tiny, compute=compute | {"precision": "bfloat16"})
    specs = trial_specs(stated, "sweep", "pos", home / "encoder")
    assert {(spec.device_kind, spec.precision) for spec in specs} == {("cuda", "bfloat16")}


def test_a_pack_holds_no_other_embedding_rows_than_its_task_reads(
    tiny: Profile, home: Path, tmp_path: Path
) -> None:
    frozen = changed(tiny, tasks={"pos": {**tiny.tasks["pos"].model_dump(), "train_embeddings": False}})
    size = {}
    for name, profile in (("all", tiny), ("used", frozen)):
        pack(profile, home, "pos", tmp_path / name)
        size[name] = next((tmp_path / name).rglob("model.safetensors")).stat().st_size
    assert size["used"] < size["all"] == (home / "encoder" / "model.safetensors").stat().st_size


# --- bad input ------------------------------------------------------------------------------------------


def test_a_pack_is_written_whole_or_not_at_all(
    tiny: Profile, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name for path in tmp_path.iterdir()} | {"there"}
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="there exists; name a new folder"):
        pack(tiny, home, "pos", tmp_path / "there")
    with pytest.raises(ConfigError, match="run `dvc repro encoder@tiny` first"):
        pack(tiny, tmp_path / "none", "pos", tmp_path / "new")
    monkeypatch.setattr(packed, "write_encoded", Mock(side_effect=OSError("No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        pack(tiny, home, "pos", tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["trial.json", "predictions.parquet", "diagnostics.npz"])
def test_a_damaged_result_is_left_out_and_named(
    name: str, tiny: Profile, home: Path, ran: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    path = next(folder.rglob(name))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert merge(tiny, home, folder) == (5, 0)
    assert not (home / path.parent.relative_to(folder / "results" / "tiny")).exists()
    assert f"{path} is" in caplog.text


def test_what_does_not_belong_here_is_refused(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no finished trial"):
        merge(tiny, home, tmp_path / "nothing")
    with pytest.raises(ResultsError, match="is none of the profile tiny"):
        merge(changed(tiny, sweep={"seeds": [5]}), home, ran)
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    one, two = sorted((folder / "results" / "tiny" / "trials" / "sweep" / "pos").glob("*/trial.json"))[:2]
    shutil.copy(one, two)
    with pytest.raises(ResultsError, match=r"trial\.json is of another trial than its key"):
        merge(tiny, home, folder)
    assert read_record(one).key == one.parent.name


def test_values_that_no_trial_has_are_refused_or_a_failure(
    tiny: Profile, home: Path, ran: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    path = min((folder / "results" / "tiny" / "trials" / "sweep").rglob("predictions.parquet"))
    whole = pq.read_table(path)

    def spoil(column: str, value: float) -> None:
        place, values = whole.column_names.index(column), whole[column].to_numpy().copy()
        values[3] = value
        pq.write_table(whole.set_column(place, whole.schema.field(column), pa.array(values)), path)

    spoil("predicted", 99)
    with pytest.raises(ResultsError, match="predicted must be 0 to "):
        merge(tiny, home, folder)
    spoil("score_0", np.nan)
    merge(tiny, home, folder)
    record = read_record(home / path.parent.relative_to(folder / "results" / "tiny") / "trial.json")
    assert (record.outcome, record.detail) == ("nan_loss", "scores are not finite")


def test_a_pack_trains_the_same_trials_on_any_machine(tiny: Profile, home: Path, tmp_path: Path) -> None:
    """Whatever device and precision ``auto`` would stand for there."""
    automatic = changed(tiny, compute={"device": "auto", "precision": "auto"}, data={"root": "/texts"})
    pack(automatic, home, "pos", tmp_path / "pack")
    packed_profile = load_profile(tmp_path / "pack" / "params.yaml")
    assert "auto" not in (packed_profile.compute.device, packed_profile.compute.precision)
    assert packed_profile.data.root == "DIR"
    for stage in ("sweep", "intermediate"):
        ours, theirs = (trial_specs(each, stage, "pos", home / "encoder") for each in (automatic, packed_profile))  # type: ignore[arg-type]
        assert [spec.key for spec in ours] == [spec.key for spec in theirs]


def test_predictions_on_other_items_are_refused(tiny: Profile, home: Path, ran: Path) -> None:
    """The windows change here after packing, their digest does not: as if a file had been replaced by hand."""
    path = home / "encoder" / "pos.parquet"
    encoded = read_encoded(path)
    row = int(encoded.rows("test")[0])
    encoded.labels[row] = encoded.labels[row] ^ 1
    write_encoded(encoded, path)
    with pytest.raises(ResultsError, match="gold differs from the windows here"):
        merge(tiny, home, ran)
