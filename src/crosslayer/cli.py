"""The command line: ``crosslayer --help``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from claimtrack.errors import UserError, in_one_line
from claimtrack.files import write_text
from claimtrack.settings import ACTIVE, read_text, read_yaml
from crosslayer.config import PROFILES, Profile, load_profile, parse_profile
from crosslayer.errors import ConfigError

if TYPE_CHECKING:
    from crosslayer.predictions.records import Stage
    from crosslayer.tasks import TaskName

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Replicate a paper claim by claim.")
profile_app = typer.Typer(no_args_is_help=True, help="The settings of a run.")
sweep_app = typer.Typer(no_args_is_help=True, help="Train a grid, on this machine or on one without the project.")
data_app = typer.Typer(no_args_is_help=True, help="Data files.")
app.add_typer(profile_app, name="profile")
app.add_typer(data_app, name="data")
app.add_typer(sweep_app, name="sweep")


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    with in_one_line():
        app()


def _in_project(path: Path = Path()) -> Path:
    """Enter the folder of the project around the working directory; ``path`` stays the place that it was."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PROFILES).is_dir() or (folder / ACTIVE).is_file():
            os.chdir(folder)
            return path if folder == here else here / path
    raise ConfigError(f"neither this folder nor one above it has {PROFILES}/ or {ACTIVE}")


def _active() -> tuple[Profile, Path]:
    """The active profile of the project, and the folder of its results."""
    from claimtrack.runs import RESULTS

    _in_project()
    profile = load_profile()
    return profile, RESULTS / profile.profile


@sweep_app.command("train")
def train() -> None:
    """Train all trials that are neither finished nor recorded, seed by seed over all tasks."""
    from crosslayer.stages.grid import train_grid
    from crosslayer.sweep.processes import end_on_signals

    end_on_signals()
    typer.echo(f"{train_grid(*_active())} trials trained")


@sweep_app.command("status")
def show_status() -> None:
    """Show how many trials are done and how many hours are left; no scores."""
    from crosslayer.stages.grid import status

    for line in status(*_active()):
        typer.echo(line)


@sweep_app.command("pack")
def pack(
    task: Annotated[str, typer.Argument(help="pos, ner, pawsx or xnli.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Pack the unfinished trials of a task into a folder that can train them on another machine."""
    from crosslayer.stages.packed import pack

    folder = _in_project(folder)
    profile, results = _active()
    if task not in profile.tasks:
        raise ConfigError(f"the profile {profile.profile} has no {task}; it has {', '.join(profile.tasks)}")
    count = pack(profile, results, task, folder)
    typer.echo(f"{count} trials packed; there: cd {folder.name} && python -m crosslayer sweep train")


@sweep_app.command("merge")
def merge(folder: Annotated[Path, typer.Argument(help="A packed folder that has run.")]) -> None:
    """Merge the results of a packed sweep into this project."""
    from crosslayer.stages.packed import merge

    folder = _in_project(folder)
    merged, there = merge(*_active(), folder)
    typer.echo(f"{merged} trials merged, {there} were here already; run `dvc repro`")


@data_app.command("check")
def check_data(
    folder: Annotated[Path, typer.Argument(help="A directory with a folder for each task, as data.root.")],
) -> None:
    """Describe data files: formats, items, labels, lengths, skipped rows, overlaps, parallel languages."""
    from crosslayer.stages.checking import REFUSED
    from crosslayer.stages.checking import check_data as lines

    refused = False
    for line in lines(folder):
        typer.echo(line)
        refused |= line.startswith(REFUSED)
    if refused:
        raise typer.Exit(2)


@profile_app.command("list")
def list_profiles() -> None:
    """List the profiles; a star marks the active one."""
    _in_project()
    active = load_profile().profile if ACTIVE.exists() else None
    for path in sorted(PROFILES.glob("*.yaml")):
        purpose = read_text(path).split("\n", 1)[0].lstrip("# ")
        typer.echo(f"{'*' if path.stem == active else ' '} {path.stem:14} {purpose}")


@profile_app.command("use")
def use_profile(
    name: Annotated[str, typer.Argument(help="A profile of profiles/.")],
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")] = None,
) -> None:
    """Activate a profile: write params.yaml."""
    here = Path.cwd()
    _in_project()
    known = sorted(path.stem for path in PROFILES.glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"unknown profile {name}; known: {', '.join(known)}")
    write_text(ACTIVE, changed(PROFILES / f"{name}.yaml", [_from_here(change, here) for change in changes or []]))
    typer.echo(f"{name} is active; run `dvc repro`")


def _from_here(change: str, here: Path) -> str:
    """A change of ``data.root``, as seen from the folder of the project."""
    key, _, value = change.partition("=")
    is_relative = value not in ("", "null") and not value.startswith(("~", "'", '"'))
    return f"{key}={here / value}" if key == "data.root" and is_relative and here != Path.cwd() else change


def changed(path: Path, changes: list[str]) -> str:
    """The text of a profile with some keys set, comments kept; checked before it is given out.

    Raises:
        ConfigError: no mapping of keys, a change that is not KEY=VALUE or makes the profile invalid.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    if not isinstance(read_yaml(path), dict):
        raise ConfigError(f"{path} holds no mapping of keys; restore it")
    yaml = YAML()
    yaml.width = 115
    content: Any = yaml.load(path.read_text(encoding="utf-8"))
    if (name := content.get("profile")) != path.stem:
        raise ConfigError(f"{path} says `profile: {name}`, whose results it would replace; write {path.stem}")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {change} is not KEY=VALUE, for example data.root=DIR")
        _set(content, key, _parsed(change, value))
    out = StringIO()
    yaml.dump(content, out)
    parse_profile(YAML(typ="safe").load(out.getvalue()), str(path))
    return out.getvalue()


def _parsed(change: str, value: str) -> Any:
    """The value as YAML reads it, but texts whole: in them a number sign begins no comment."""
    from claimtrack.reading import Malformed, parse_yaml

    try:
        parsed = parse_yaml(value)
    except Malformed:
        raise ConfigError(f"--set {change}: the value is not YAML; quote it") from None
    if isinstance(parsed, str):
        return parsed if value.startswith(("'", '"')) else value
    if re.search(r"(^|\s)#", value) or (parsed is None and value not in ("", "~", "null")):
        raise ConfigError(f"--set {change}: YAML would read only a part of the value; quote it")
    return parsed


def _set(content: Any, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        if not isinstance(content.get(section), dict):
            content[section] = {}
        content = content[section]
    content[last] = value


@app.command("record")
def record_run(
    name: Annotated[str, typer.Argument(help="Name of the entry in claims/ledger/.")],
    title: Annotated[str, typer.Option("--title", help="One line for readers.")],
    extend: Annotated[
        bool, typer.Option("--extend", help="Add new finished trials to an entry, or begin one.")
    ] = False,
    join: Annotated[
        list[str] | None,
        typer.Option("--join", metavar="ENTRY", help="Join the trials of recorded entries into one."),
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE/TASK", help="With --extend: replace the recorded trials of this part."),
    ] = None,
) -> None:
    """Record the present run in the ledger, in compact form, and compute its evidence from that."""
    from claimtrack.registry import load_registry
    from crosslayer.ledger.ledger import record
    from crosslayer.paper.plugin import measures
    from crosslayer.predictions.runs import ResultsRun
    from crosslayer.sweep.store import check_current, finished_trials

    if extend and join:
        raise ConfigError("--extend adds the present run, --join other recorded ones; give one")
    replaced = _parts_of_grid(replace or [], extend=extend)
    profile, results = _active()
    about = (name, title, profile, measures(load_registry().entries), results)
    if join or extend:
        trials = finished_trials(profile, results) if extend else None
        folder = record(*about, trials, join or [name], replaced=replaced)
    else:
        check_current(profile, results)
        folder = record(*about, ResultsRun(results).trials)
    _say_recorded(folder)


@app.command("recompute")
def recompute_entry(
    name: Annotated[str, typer.Argument(help="Name of the entry in claims/ledger/.")],
) -> None:
    """Compute the evidence of a recorded run again, after a correction of the code."""
    from claimtrack.registry import load_registry
    from crosslayer.ledger.ledger import recompute
    from crosslayer.paper.plugin import measures

    _in_project()
    _say_recorded(recompute(name, measures(load_registry().entries)))


def _say_recorded(folder: Path) -> None:
    typer.echo(f"recorded in {folder}; pin it with: claimtrack pin --run {folder.name} --reason TEXT")


def _parts_of_grid(names: list[str], *, extend: bool) -> list[tuple[Stage, TaskName]]:
    """``intermediate/pawsx`` as stage and task; a ConfigError names one that is none, or without --extend."""
    from crosslayer.predictions.records import STAGES
    from crosslayer.tasks import TASK_NAMES

    parts = {f"{stage}/{task}": (stage, task) for stage in STAGES for task in TASK_NAMES}
    if wrong := [name for name in names if name not in parts or not extend]:
        raise ConfigError(f"--replace {wrong[0]!r:.40} goes with --extend and is one of {', '.join(parts)}")
    return [parts[name] for name in names]


@app.command("ingest")
def ingest_predictions(
    source: Annotated[Path, typer.Argument(help="A folder with trials.csv, or with scores without items.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the entry in claims/ledger/; needed without --aggregate.")
    ] = None,
    title: Annotated[str, typer.Option(help="One line for readers.")] = "Predictions of other code",
    aggregate: Annotated[
        bool, typer.Option("--aggregate", help="Print scores without items as literature; never a verdict.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="With --aggregate: which model was scored.")] = None,
    cited: Annotated[str | None, typer.Option(help="With --aggregate: the source, as it is cited.")] = None,
) -> None:
    """Record a run from prediction files that other code wrote."""
    if aggregate:
        from crosslayer.ingest.aggregates import as_literature, read_aggregates

        if model is None or cited is None:
            raise ConfigError("--aggregate needs --model and --cited, which stand beside the numbers")
        found = as_literature(read_aggregates(source), model, cited)
        typer.echo(found + "# paste these under `literature:` of a claim in claims/registry.yaml")
        return
    from claimtrack.registry import load_registry
    from crosslayer.ingest.run import ingest
    from crosslayer.paper.plugin import measures

    if name is None:
        raise ConfigError("give the entry a --name, in lower-case letters, digits and -")
    source = _in_project(source)
    profile, registry = load_profile(), load_registry()
    folder, n = ingest(source, name, title, profile, measures(registry.entries))
    typer.echo(f"{n} trials recorded in {folder}; see what they answer with: claimtrack list")


@app.command("crate")
def crate(
    name: Annotated[str, typer.Argument(help="A recorded run.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Copy a recorded run into a folder to publish, described as an RO-Crate."""
    from claimtrack.registry import load_registry
    from claimtrack.runs import LEDGER
    from crosslayer.ledger.crate import write_crate

    folder = _in_project(folder)
    if not (LEDGER / name / "run.json").is_file() or Path(name).name != name:
        raise ConfigError(f"there is no recorded run {name!r:.60}; record one with `crosslayer record`")
    count = write_crate(LEDGER / name, load_registry(), folder)
    typer.echo(f"{count} files and ro-crate-metadata.json in {folder}")


@app.command("clean")
def clean(
    remove: Annotated[bool, typer.Option("--remove", help="Delete them, not only list them.")] = False,
) -> None:
    """List orphaned trials of the active profile, which no manifest counts; with --remove delete them."""
    from crosslayer.stages.cleaning import leftovers
    from crosslayer.sweep.plan import planned_keys
    from crosslayer.sweep.processes import exclusive

    profile, results = _active()
    sizes = {}
    for folder in leftovers(results, planned_keys(profile, results)):
        sizes[folder] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        typer.echo(f"{sizes[folder] / 1e3:8.0f} kB  {folder}")
    total = f"{len(sizes)} trials, {sum(sizes.values()) / 1e6:.1f} MB"
    for folder in sizes if remove else ():
        with exclusive(folder.parent):
            shutil.rmtree(folder)
            (folder.parent / ".lock").unlink()
    typer.echo(f"{total} removed" if remove else f"{total}; remove them with: crosslayer clean --remove")


@app.command("doctor")
def doctor() -> None:
    """What this machine can do, and how to add what is missing."""
    import torch

    from claimtrack.report.write import PACKAGES
    from crosslayer.config import ComputeSpec
    from crosslayer.encoders.packaged import read_weights
    from crosslayer.sweep.plan import has_bfloat16, planned_device

    _in_project()
    native = has_bfloat16(planned_device(ComputeSpec()))
    fixes = {
        "packaged encoder": _complaint(read_weights),
        "GPU": ""
        if torch.cuda.is_available()
        else "profile paper wants one; offline, tiny and xtreme-small do not",
        "native bfloat16": "" if native else "set compute.precision=float32, on a CPU about four times slower",
        "latexmk (PDF)": "" if shutil.which("latexmk") else f"on Debian: apt-get install {PACKAGES} librsvg2-bin",
        **({"active profile": _complaint(load_profile)} if ACTIVE.exists() else {}),
    }
    for name, fix in fixes.items():
        typer.echo(f"no   {name}  ->  {fix}" if fix else f"yes  {name}")


def _complaint(check: Callable[[], object]) -> str:
    """What a check raises, which says how to mend it; empty where it succeeds."""
    try:
        check()
    except UserError as error:
        return str(error)
    return ""
