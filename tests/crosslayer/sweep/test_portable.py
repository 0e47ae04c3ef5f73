"""Packed sweeps: equal results elsewhere, with few packages, and nothing false comes home."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from claimtrack.errors import ResultsError
from claimtrack.seal import newest_hash
from crosslayer.config import Profile, load_profile
from crosslayer.encoders.packaged import BLOCK, dequantise
from crosslayer.errors import ConfigError
from crosslayer.predictions.records import read_record
from crosslayer.predictions.runs import ResultsRun
from crosslayer.sweep import run as sweep
from crosslayer.sweep import workers
from crosslayer.sweep.locking import exclusive
from crosslayer.sweep.plan import trial_specs
from crosslayer.sweep.portable import pack as packing
from crosslayer.sweep.portable.blocks import pack_state, pack_tensor, unpack_state, unpack_tensor
from crosslayer.sweep.portable.merge import merge_sweep
from crosslayer.sweep.portable.pack import pack_sweep
from crosslayer.sweep.portable.run import run_pack, write_parts
from crosslayer.windows.encoded import read_encoded, write_encoded
from made_inputs import changed, prepared
from repository import ROOT

# --- weights --------------------------------------------------------------------------------------------

BYTES = arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(16)))


@given(BYTES, st.data())
def test_weights_published_in_blocks_come_back_bit_for_bit(nibbles: np.ndarray, data: st.DataObject) -> None:
    """Independent of the packing: blocks as the packaged encoder's own file has them, read by its reader."""
    blocks = np.zeros(len(nibbles), BLOCK)
    blocks["nibbles"] = nibbles
    finite = st.floats(2**-14, 1000, width=16) | st.floats(-1000, -(2**-14), width=16)
    blocks["scale"] = data.draw(st.lists(finite, min_size=len(nibbles), max_size=len(nibbles)))
    weights = dequantise(blocks).reshape(len(nibbles), 32)
    packed = pack_tensor(weights)
    assert "nibbles" in packed
    assert (unpack_tensor(packed) == weights).all()
    assert sum(part.nbytes for name, part in packed.items() if name != "shape") == 18 * len(nibbles)


@given(arrays(np.float32, st.sampled_from([(3,), (2, 32), (64,), (0,)]), elements=st.floats(-5, 5, width=32)))
def test_other_weights_stay_as_they_are(weights: np.ndarray) -> None:
    back = unpack_state(pack_state({"a.weight": weights, "b": weights[:0]}))
    assert list(back) == ["a.weight", "b"]
    assert (back["a.weight"] == weights).all()
    assert back["a.weight"].shape == weights.shape


# --- pack, run, merge -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny() -> Profile:
    profile = load_profile(ROOT / "profiles" / "tiny.yaml")
    return changed(profile, sweep={"layers": [1], "seeds": [0]}, intermediate={"seeds": [0]})


@pytest.fixture(scope="module")
def results(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder stage has run; no trial has."""
    return prepared(tiny, tmp_path_factory.mktemp("results") / "tiny")


@pytest.fixture
def home(results: Path, tmp_path: Path) -> Path:
    """A results folder of its own."""
    return Path(shutil.copytree(results, tmp_path / "home"))


@pytest.fixture(scope="module")
def ran(tiny: Profile, results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed sweep that has run."""
    folder = tmp_path_factory.mktemp("node") / "pack"
    pack_sweep(tiny, results, "sweep", "pos", folder)
    assert run_pack(folder) == 0
    return folder


@pytest.fixture
def pack(tiny: Profile, results: Path, tmp_path: Path) -> Path:
    """A packed sweep that has not run."""
    pack_sweep(tiny, results, "sweep", "pos", tmp_path / "pack")
    return tmp_path / "pack"


@pytest.mark.parametrize("stage", ["sweep", "intermediate"])
def test_results_from_elsewhere_equal_those_from_here(
    stage: str, tiny: Profile, home: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "pack"
    count = pack_sweep(tiny, home, stage, "pos", pack)  # type: ignore[arg-type]
    assert run_pack(pack, workers=1) == 0
    assert merge_sweep(tiny, home, pack) == (count, 0)
    merged = home / "trials" / stage / "pos"
    here = tmp_path / "here"
    records = sweep.run_sweep(tiny, stage, "pos", home / "encoder", here)  # type: ignore[arg-type]
    assert len(records) == count
    for record in records:
        for name in ("trial.json", "predictions.parquet"):
            assert (merged / record.key / name).read_bytes() == (here / record.key / name).read_bytes()
        with (
            np.load(merged / record.key / "diagnostics.npz") as one,
            np.load(here / record.key / "diagnostics.npz") as two,
        ):
            assert {name: one[name].tolist() for name in one} == {name: two[name].tolist() for name in two}


def test_trials_from_elsewhere_name_the_seal_of_their_pack(
    tiny: Profile, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "claims").mkdir()
    shutil.copy(ROOT / "tests" / "golden" / "seals.json", tmp_path / "claims")
    monkeypatch.chdir(tmp_path)
    sealed = newest_hash()
    pack_sweep(tiny, home, "sweep", "pos", tmp_path / "pack")
    (tmp_path / "claims" / "seals.json").unlink()
    run_pack(tmp_path / "pack")
    shutil.rmtree(tmp_path / "pack" / "trials")
    merge_sweep(tiny, home, tmp_path / "pack")
    records = [read_record(path) for path in (home / "trials").rglob("trial.json")]
    assert records
    assert {record.seal for record in records} == {sealed}


def test_the_time_spent_elsewhere_is_noted(tiny: Profile, home: Path, ran: Path) -> None:
    merge_sweep(tiny, home, ran)
    trials = [json.loads(path.read_text(encoding="utf-8")) for path in ran.glob("trials/*/result.json")]
    spent = sum(trial["seconds"] for trial in trials)
    stages = json.loads((home / "run.json").read_text(encoding="utf-8"))["stages"]
    assert spent > 0
    assert sum(entry["seconds"] for entry in stages.values()) == pytest.approx(spent, abs=0.02)
    merge_sweep(tiny, home, ran)
    assert json.loads((home / "run.json").read_text(encoding="utf-8"))["stages"] == stages


def test_the_sweep_trains_nothing_that_was_merged(
    tiny: Profile, home: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_sweep(tiny, home, ran)
    monkeypatch.setattr(workers, "run_and_keep", lambda *_: pytest.fail("a finished trial was trained again"))
    records = sweep.run_sweep(tiny, "sweep", "pos", home / "encoder", home / "trials" / "sweep" / "pos")
    table = ResultsRun(home).table(records, "test")
    assert len(table.predicted) == len(records) == 3
    assert merge_sweep(tiny, home, ran) == (0, 3)


def test_it_runs_where_little_is_installed(pack: Path, tmp_path: Path) -> None:
    """A fresh interpreter without the project's other dependencies, as on a node."""
    own = {re.match(r"[\w-]+", need)[0].lower() for need in requires("crosslayer") or []}  # type: ignore[index]
    kept = {*"torch sympy transformers numpy pandas pyarrow tokenizers safetensors tqdm filelock".split()}
    absent = {top for top, names in packages_distributions().items() if {n.lower() for n in names} & own - kept}
    absent |= {"crosslayer", "ruamel"}
    assert {"pydantic", "scipy", "pandera", "psutil", "typer"} <= absent
    site = tmp_path / "site"
    site.mkdir()
    for path in Path(np.__file__).parents[1].iterdir():
        if path.name.split(".")[0] not in absent and path.suffix != ".pth":
            (site / path.name).symlink_to(path)
    code = (
        f"import sys, runpy; sys.path.append({str(site)!r}); runpy.run_module('crosslayer', run_name='__main__')"
    )
    command = [sys.executable, "-S", "-c", code, "sweep", "run", ".", "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=pack, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "0 trials left; results in parts\n"
    assert re.search(r"sweep pos 3/3, 0 s left: self seed 0: ok, English dev \d+\.\d\d", done.stderr)


def test_it_runs_where_everything_is_installed(pack: Path) -> None:
    """In its own folder it is its own package, not the one installed."""
    command = [sys.executable, "-m", "crosslayer", "sweep", "run", ".", "--seconds", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(command, cwd=pack, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "3 trials left" in ended.stdout


def test_a_stopped_run_goes_on(pack: Path) -> None:
    assert run_pack(pack, workers=1, seconds=-1) == 3
    (pack / "trials" / ".0123456789abcdef-left").mkdir()
    with exclusive(pack / "trials"):
        with pytest.raises(ResultsError, match="another process"):
            run_pack(pack, workers=1)
        assert (pack / "trials" / ".0123456789abcdef-left").exists(), "it may be at work on that"
    assert run_pack(pack, workers=2) == 0
    trials = sorted((pack / "trials").glob("[!.]*"))
    assert sorted(path.name for path in (pack / "trials").iterdir()) == [".lock", *(path.name for path in trials)]
    assert len(trials) == 3
    result = json.loads((trials[0] / "result.json").read_text(encoding="utf-8"))
    short = {"key": result["key"], "torch": result["torch"], "outcome": "out_of_memory", "detail": "beside others"}
    (trials[0] / "result.json").write_text(json.dumps(short), encoding="utf-8")
    assert run_pack(pack, workers=1, seconds=-1) == 1, "it may have enough memory alone"
    assert run_pack(pack, workers=1) == 0
    assert json.loads((trials[0] / "result.json").read_text(encoding="utf-8"))["outcome"] != "out_of_memory"


@pytest.mark.slow
def test_an_interrupted_run_is_a_line_and_its_workers_end(tiny: Profile, results: Path, tmp_path: Path) -> None:
    """The signal goes to the whole group, as from a terminal, while the workers import and when they have."""
    pack = tmp_path / "pack"
    longer = changed(tiny, sweep={"seeds": list(range(8))})  # of which not all end before both workers are seen
    pack_sweep(longer, results, "sweep", "pos", pack)
    command = [sys.executable, "-m", "crosslayer", "sweep", "run", ".", "--workers", "2"]
    for library in ("numpy", "torch"):
        process = subprocess.Popen(command, cwd=pack, stderr=subprocess.PIPE, text=True, process_group=0)
        main, workers = psutil.Process(process.pid), []
        while len(workers) < 2 and process.poll() is None:
            below = main.children(recursive=True)
            workers = [one for one in below if any(f"/{library}/" in entry.path for entry in one.memory_maps())]
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, "interrupted; the same command goes on where it stopped\n")
        assert not psutil.wait_procs(below, timeout=5)[1]
    assert run_pack(pack, workers=1) == 0


@pytest.mark.slow
def test_workers_end_with_a_run_that_is_killed(tiny: Profile, results: Path, tmp_path: Path) -> None:
    """Nobody tells them: they would train on beside the next run."""
    pack = tmp_path / "pack"
    pack_sweep(changed(tiny, sweep={"seeds": list(range(8))}), results, "sweep", "pos", pack)
    process = subprocess.Popen(
        [sys.executable, "-m", "crosslayer", "sweep", "run", ".", "--workers", "2"], cwd=pack
    )
    main = psutil.Process(process.pid)
    while not list((pack / "trials").glob("[!.]*")) and process.poll() is None:
        time.sleep(0.05)
    below = main.children(recursive=True)
    process.kill()
    process.wait()
    assert len(below) >= 2
    assert not psutil.wait_procs(below, timeout=10)[1]
    assert run_pack(pack, workers=1) == 0


def test_parts_are_small_and_whole(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    trials = (folder / "trials").glob("[!.]*")
    largest = max(sum(f.stat().st_size + 200 for f in trial.iterdir()) for trial in trials)
    monkeypatch.setattr("crosslayer.sweep.portable.run.PART_BYTES", largest)
    parts = write_parts(folder)
    assert len(parts) == 3
    assert all(part.stat().st_size <= largest + 500 for part in parts)
    names = [name for part in parts for name in zipfile.ZipFile(part).namelist()]
    assert sorted(names) == sorted(
        str(path.relative_to(folder / "trials")) for path in (folder / "trials").glob("[!.]*/*")
    )


def test_trials_that_no_part_has_are_merged_too(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    """As after a run that was killed: its trials are there, the parts are those of an earlier run."""
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    late, *early = sorted((folder / "trials").glob("[!.]*"))
    shutil.move(late, tmp_path / late.name)
    write_parts(folder)
    shutil.move(tmp_path / late.name, late)
    assert merge_sweep(tiny, home, folder) == (1 + len(early), 0)
    assert (home / "trials" / "sweep" / "pos" / late.name / "trial.json").exists()


def test_scores_that_are_not_finite_are_a_failure(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    """Not an error that ends the merge, and with it all that comes after."""
    folder = Path(shutil.copytree(ran, tmp_path / "pack"))
    shutil.rmtree(folder / "parts")
    path = sorted(folder.glob("trials/*/predictions.parquet"))[0]
    table = pq.read_table(path)
    place, scores = table.column_names.index("score_0"), table["score_0"].to_numpy().copy()
    scores[3] = np.nan
    pq.write_table(table.set_column(place, "score_0", pa.array(scores)), path)
    merged, _ = merge_sweep(tiny, home, folder)
    record = read_record(home / "trials" / "sweep" / "pos" / path.parent.name / "trial.json")
    assert (merged, record.outcome, record.detail) == (3, "nan_loss", "scores are not finite")


def test_only_what_is_left_is_packed(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    merge_sweep(tiny, home, ran)
    with pytest.raises(ConfigError, match="every trial of sweep pos is finished"):
        pack_sweep(tiny, home, "sweep", "pos", tmp_path / "new")
    shutil.rmtree(next((home / "trials" / "sweep" / "pos").iterdir()))
    assert pack_sweep(tiny, home, "sweep", "pos", tmp_path / "new") == 1


def test_trials_for_a_gpu_are_planned_where_there_is_none(tiny: Profile, home: Path) -> None:
    compute = {"device": "cuda"}
    with pytest.raises(ConfigError, match="state bfloat16 or float32"):
        trial_specs(changed(tiny, compute=compute), "sweep", "pos", home / "encoder")
    stated = changed(tiny, compute=compute | {"precision": "bfloat16"})
    specs = trial_specs(stated, "sweep", "pos", home / "encoder")
    assert {(spec.device_kind, spec.precision) for spec in specs} == {("cuda", "bfloat16")}


# --- bad input ------------------------------------------------------------------------------------------


def test_a_pack_is_written_whole_or_not_at_all(
    tiny: Profile, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="there exists; name a new folder"):
        pack_sweep(tiny, home, "sweep", "pos", tmp_path / "there")
    monkeypatch.setattr(packing, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"the folder would hold \d+ MiB, more than 0; lower tasks.pos.sizes"):
        pack_sweep(tiny, home, "sweep", "pos", tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "there"}
    with pytest.raises(ConfigError, match="run `dvc repro encoder@tiny` first"):
        pack_sweep(tiny, tmp_path / "none", "sweep", "pos", tmp_path / "new")


def test_a_changed_pack_is_not_run(pack: Path, tmp_path: Path) -> None:
    with (pack / "crosslayer" / "models" / "fusion.py").open("a") as stream:
        stream.write("#")
    with pytest.raises(ConfigError, match=r"fusion\.py is missing or not the file that was packed"):
        run_pack(pack)
    with pytest.raises(ConfigError, match="is no packed sweep"):
        run_pack(tmp_path)


def spoil(name: str, content: bytes) -> bytes:
    if name == "result.json":
        return content.replace(b'"ok"', b'"well"')
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", ["result.json", "predictions.parquet", "diagnostics.npz"])
def test_a_damaged_result_is_named(name: str, tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    part = tmp_path / "part-1.zip"
    with zipfile.ZipFile(ran / "parts" / "part-1.zip") as old, zipfile.ZipFile(part, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, spoil(name, content) if member.endswith(name) else content)
    with pytest.raises(ResultsError, match=f"^trial [0-9a-f]{{16}}: {name} is damaged"):
        merge_sweep(tiny, home, tmp_path)
    assert not list((home / "trials" / "sweep" / "pos").glob("*/trial.json"))


@pytest.mark.parametrize(
    "member", ["../../evil", "0123456789abcdef/../../x", "0123456789abcdef/code.py", "/etc/x"]
)
def test_a_part_with_another_file_is_refused(member: str, tiny: Profile, home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "part-1.zip", "w") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(ResultsError, match="is no file of a trial; nothing was read"):
        merge_sweep(tiny, home, tmp_path)


def test_what_does_not_belong_here_is_refused(tiny: Profile, home: Path, ran: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no finished trial"):
        merge_sweep(tiny, home, tmp_path / "nothing")
    with pytest.raises(ResultsError, match="is none of the profile tiny"):
        merge_sweep(changed(tiny, sweep={"seeds": [5]}), home, ran)
    (tmp_path / "part-1.zip").write_bytes(b"PK")
    with pytest.raises(ResultsError, match=r"part-1\.zip is damaged"):
        merge_sweep(tiny, home, tmp_path)


def test_predictions_on_other_items_are_refused(tiny: Profile, home: Path, ran: Path) -> None:
    """The windows change here after packing, their digest does not: as if a file had been replaced by hand."""
    path = home / "encoder" / "pos.parquet"
    encoded = read_encoded(path)
    row = int(encoded.rows("test")[0])
    encoded.labels[row] = encoded.labels[row] ^ 1
    write_encoded(encoded, path)
    with pytest.raises(ResultsError, match="gold differs from the windows here"):
        merge_sweep(tiny, home, ran)


def test_pack_json_holds_no_path(ran: Path) -> None:
    pack = json.loads((ran / "pack.json").read_text())
    assert str(ran.parent) not in json.dumps(pack)
    assert {"crosslayer/training/finetuned.py", "encoder.npz", "windows.parquet"} <= set(pack["files"])
    assert sum(path.stat().st_size for path in ran.rglob("*.py")) < 2**20
