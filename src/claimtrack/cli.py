"""The command line: ``claimtrack --help``. It works in any folder of a project with ``claims/registry.yaml``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from claimtrack import scaffold, seal
from claimtrack.checks import Suite
from claimtrack.compare import differences
from claimtrack.errors import ClaimError, in_one_line
from claimtrack.export import FORMATS
from claimtrack.files import write_text
from claimtrack.importer import read_report, skeleton
from claimtrack.judging import unclaimed, unknown_names
from claimtrack.notebook import run_notebook
from claimtrack.pins import pin
from claimtrack.registry import REGISTRY, Registry, json_schema, load_registry
from claimtrack.report.text import visible
from claimtrack.results import load_all, load_fresh, load_recorded, table
from claimtrack.runlog import day_of_revision, revision
from claimtrack.runs import FRESH, LEDGER, RESULTS, RunResults
from claimtrack.settings import ACTIVE, load_settings, validated
from claimtrack.why import ways
from claimtrack.wording import SEALED, counted, decision_words, literature_line, measure_title

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Check the claims of a paper against measured evidence."
)


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    with in_one_line():
        app()


@app.command("list")
def list_claims() -> None:
    """List the verdict of every claim in the present run and in all recorded ones."""
    registry, runs = _loaded()
    for results in runs:
        typer.echo(f"{results.name}: {results.title}")
        _say(table(results, registry.project.titles), "  ")


@app.command("show")
def show_claim(claim: str) -> None:
    """Show a claim: what the source says, how it is measured, its verdicts, and what others report."""
    registry, runs = _loaded()
    entry, titles = registry.entry(claim), registry.project.titles
    lines = [f"{entry.id}  {entry.title}\n\n{entry.source_text}\n"]
    lines += [f"Measured as: {entry.measured_as}\nReproduced when: {entry.reproduced_when}\n"]
    for results in runs:
        verdict = results.verdicts[claim]
        lines += [f"{results.name}: {verdict.verdict}. {verdict.because}"]
        lines += [f"  {measure_title(n, titles)}: {decision_words(one)}" for n, one in verdict.decisions.items()]
        lines += [f"  {said}" for said in (verdict.relevance_sentences, SEALED[verdict.sealed]) if said]
    if entry.literature:
        lines += ["\nWhat others report, which no verdict reads:"]
    _say([*lines, *(f"  {literature_line(item)}" for item in entry.literature)])


@app.command("why")
def why(
    claim: str,
    subject: Annotated[str | None, typer.Option(help="Only numbers and trials of this task.")] = None,
    run: Annotated[str | None, typer.Option(help="A recorded run; the present one by default.")] = None,
) -> None:
    """Show the numbers behind a verdict, and the trials that they are computed from."""
    registry = _project()
    registry.entry(claim)
    _say(ways(_run(registry, run), claim, registry.project, subject))


@app.command("diff")
def diff(
    one: Annotated[str, typer.Argument(help="A recorded run, or fresh.")],
    two: Annotated[str, typer.Argument(help="Another.")],
) -> None:
    """Compare two runs: which verdicts and judged values differ, and by how much against their intervals."""
    registry = _project()
    _say(differences(_run(registry, one), _run(registry, two), registry.project.titles))


@app.command("pin")
def pin_claims(
    reason: Annotated[str, typer.Option("--reason", help="Why the numbers are what they should be.")],
    run: Annotated[str | None, typer.Option("--run", help="A recorded run; the present one by default.")] = None,
) -> None:
    """Pin what a run gives now as what `pytest claims/` expects.

    A recorded run is pinned to its values, the present one to ranges: what a new run would give, and never less
    than 0.5 points (of another unit: 5 % of the estimate) to either side.
    """
    registry = _project()
    results = _run(registry, run)
    if results.run is None and not registry.project.shipped(results.profile, Path()):
        shipped = f"profiles/{results.profile.profile}.yaml"
        raise ClaimError(f"params.yaml differs from {shipped}, or that file is absent; pin a run of such a file")
    _say(pin(results, reason))


@app.command("check")
def check_claims() -> None:
    """Check that evidence is sound, and that values, verdicts and seals are as pinned; exit code 1 if not.

    `pytest claims/` checks the same but for the names, one test each.
    """
    registry, names = _project(), []
    for claim, evidence in _run(registry, None).evidence.items():
        entry = registry.entry(claim)
        told = list(unknown_names(entry, evidence)) if evidence.status == "measured" else []
        if not told and registry.project.all_rules[entry.rule].claimed:
            told = list(unclaimed(entry, evidence))
        names += [f"{claim}: {line}" for line in told]
    _complain([*names, *Suite.of(Path()).problems()])


@app.command("seal")
def seal_claims(
    reason: Annotated[str | None, typer.Option("--reason", help="Why the rules are sealed now.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only list broken seals; exit code 1 if there is one.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Also seal the active profile as a plan.")] = False,
    judged_at_seeds: Annotated[
        int | None, typer.Option(min=1, help="With --plan: judge at that many seeds everywhere.")
    ] = None,
    or_date: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="With --plan: or from that later day on (UTC).")
    ] = None,
    at_least_seeds: Annotated[
        int | None, typer.Option(min=1, help="With --or-date: fewest seeds everywhere.")
    ] = None,
) -> None:
    """Seal what decides each claim before trials are trained, so that later changes show."""
    if check == (reason is not None):
        raise ClaimError("give either --reason TEXT, to seal, or --check")
    options = {"seeds": judged_at_seeds, "day": or_date, "at_least": at_least_seeds}
    when = {name: value for name, value in options.items() if value is not None}
    if plan != bool(when) or (check and plan) or (at_least_seeds and not or_date):
        raise ClaimError(
            "--plan needs --judged-at-seeds or --or-date, which need --plan; --at-least-seeds needs --or-date; "
            "--check takes none"
        )
    registry = _project()
    claims = seal.sealed_claims(registry.entries, registry.project.all_rules)
    planned = registry.project.planned(_active(registry)) if plan or check else None
    if reason is None:
        _complain(_broken_seals(claims, planned))
    if plan and planned is None:
        raise ClaimError(f"the plugin {registry.plugin} plans no trials; seal without --plan")
    made = (
        seal.Plan.made(**dict(planned), judged_at=validated(when, seal.JudgedAt, "--or-date")) if planned else None
    )
    most = max(map(len, made.seeds.values()), default=0) if made else 0
    if made and most < max(judged_at_seeds or 0, at_least_seeds or 0):
        raise ClaimError(f"the plan has {most} seeds at most; ask for fewer")
    _say(seal.add_seal(claims, reason, revision() or "unknown", plan=made))


@app.command("import")
def import_claims(
    report: Annotated[Path, typer.Argument(help="A literature report as text, with a table of claims.")],
    output: Annotated[Path | None, typer.Option(help="A new file; the terminal by default.")] = None,
) -> None:
    """Import the claims of a literature report as the skeleton of a registry."""
    found = read_report(report)
    text = skeleton(found, report.name)
    _say(found.gaps, "note: ", err=True)
    if output is None:
        typer.echo(counted(len(found.rows), "claim"), err=True)
        typer.echo(text, nl=False)
        return
    if output.exists() or output.is_symlink():
        raise ClaimError(f"{output} already exists; choose another name")
    try:
        write_text(output, text)
    except OSError as error:
        raise ClaimError(f"{output} cannot be written: {error.strerror}; choose another place") from None
    typer.echo(f"{counted(len(found.rows), 'claim')} in {output}; fill the empty fields")


@app.command("export")
def export(
    form: Annotated[str, typer.Option("--format", help="json, csv or jsonld (schema.org).")] = "json",
) -> None:
    """Export every verdict with its headline number and a link to its evidence, for other programs."""
    if form not in FORMATS:
        raise ClaimError(f"unknown format {form!r:.40}; use one of {', '.join(FORMATS)}")
    typer.echo(FORMATS[form](*_loaded()), nl=False)


@app.command("init")
def init_project(
    name: Annotated[str, typer.Argument(help="Name of the project and its new folder.")],
    report: Annotated[Path, typer.Option(help="A literature report as text, with a table of claims.")],
) -> None:
    """Make a small repository from a literature report. It runs at once; blanks are marked TODO."""
    home, found = scaffold.init(name, report, Path())
    _say(found.gaps, "note: ", err=True)
    claims = counted(len(found.rows), "claim") + (" and a question" if found.question else "")
    typer.echo(f"{claims} in {home}; next: cd {home}, make repro, claimtrack todo")


@app.command("todo")
def list_blanks() -> None:
    """List what is still blank, in the order in which one would fill it."""
    _project()
    blanks = list(scaffold.todo(Path()))
    _say(blanks)
    typer.echo(
        counted(len(blanks), "blank") if blanks else "nothing is blank; pin the verdicts with claimtrack pin"
    )


@app.command("run")
def run_claim(claim: str) -> None:
    """Execute the notebook of a claim and write its evidence."""
    registry = _project()
    entry = registry.entry(claim)
    folder = RESULTS / _active(registry).profile / "claims" / entry.id
    run_notebook(Path("notebooks") / f"{entry.notebook}.py", {"claim": entry.id, "output": str(folder)}, folder)
    typer.echo(f"evidence in {folder}")


@app.command("decide")
def decide() -> None:
    """Decide every claim of the present run and write verdicts.json."""
    registry = _project()
    results = _run(registry, None)
    results.folder.mkdir(parents=True, exist_ok=True)
    path = results.folder / "verdicts.json"
    decided = [verdict.model_dump(mode="json") for verdict in results.verdicts.values()]
    write_text(path, json.dumps(decided, indent=1) + "\n")
    typer.echo(f"verdicts in {path}")


@app.command("report")
def report() -> None:
    """Write the report of the present run and of all recorded ones."""
    from claimtrack.report.context import build  # jinja2 is slow to load
    from claimtrack.report.write import write_report

    paper = Path("paper")
    context = build(*_loaded(), paper=paper, date=day_of_revision(), revision=revision()[:8])
    _say(write_report(context, paper / "build"))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of claims/registry.yaml, for editors."""
    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _say(lines: Iterable[str], indent: str = "", *, err: bool = False) -> None:
    """Print lines, with what cannot be seen in them spelt out."""
    for line in lines:
        typer.echo(visible(f"{indent}{line}"), err=err)


def _complain(problems: list[str]) -> NoReturn:
    """Print what is wrong, and end with exit code 1 if anything is."""
    _say(problems)
    raise typer.Exit(1 if problems else 0)


def _project() -> Registry:
    """The registry of the project around the working directory, which becomes its folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / REGISTRY).is_file():
            os.chdir(folder)
            return load_registry()
    raise ClaimError(f"neither this folder nor one above it has {REGISTRY}; make a project with `claimtrack init`")


def _active(registry: Registry) -> Any:
    """The settings of the present run."""
    return load_settings(ACTIVE, registry.project.settings)


def _loaded() -> tuple[Registry, list[RunResults]]:
    registry = _project()
    return registry, load_all(_active(registry), registry)


def _run(registry: Registry, name: str | None) -> RunResults:
    """The present run, or a recorded one by name."""
    if name in (None, FRESH):
        return load_fresh(_active(registry), registry)
    known = [FRESH, *sorted(path.parent.name for path in LEDGER.glob("[!.]*/profile.yaml"))]
    if name not in known:
        raise ClaimError(f"there is no run {name!r:.60}; there are {', '.join(known)}")
    return load_recorded(LEDGER / name, registry)


def _broken_seals(claims: Mapping[str, seal.SealedClaim], planned: seal.Planned | None) -> list[str]:
    """One line for each claim that is not as sealed, and for the present settings if they are not as planned."""
    seals = seal.read_seals()
    if not seals:
        raise ClaimError(f"{seal.SEALS} does not exist or is empty; {seal.SEAL_AGAIN}")
    changed = seal.plan_problems(planned, seals) if planned else []
    return [*seal.seal_problems(claims, seals[-1]).values(), *changed]
