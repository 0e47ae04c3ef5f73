"""``crosslayer claims``: the registry of claims and what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosslayer.config import load_profile
from crosslayer.errors import ClaimError
from crosslayer.files import write_text
from crosslayer.report.text import visible

if TYPE_CHECKING:
    from crosslayer.claims.registry import Registry
    from crosslayer.claims.results import RunResults

app = typer.Typer(no_args_is_help=True, help="The registry of claims and what became of them.")
CHANGELOG = Path("CHANGELOG.md")


@app.command("list")
def list_claims(
    as_json: Annotated[bool, typer.Option("--json", help="One record a claim and run.")] = False,
) -> None:
    """The verdict of every claim in the present run and in all recorded ones."""
    from crosslayer.claims.exporter import to_json
    from crosslayer.claims.results import table

    registry, runs = _loaded()
    if as_json:
        typer.echo(to_json(registry, runs), nl=False)
        return
    for results in runs:
        typer.echo(f"{results.name}: {results.title}")
        for line in table(results):
            typer.echo(f"  {line}")


@app.command("show")
def show_claim(claim: str) -> None:
    """One claim: what the source says, how it is measured, and its verdicts."""
    registry, runs = _loaded()
    entry = registry.entry(claim)
    typer.echo(visible(f"{entry.id}  {entry.title}\n\n{entry.source_text}\n"))
    typer.echo(visible(f"Measured as: {entry.measured_as}\nReproduced when: {entry.reproduced_when}\n"))
    for results in runs:
        verdict = results.verdicts[claim]
        typer.echo(visible(f"{results.name}: {verdict.verdict}. {verdict.because}"))
        typer.echo(visible(f"  bears on the paper: {verdict.bears_on_paper}. {verdict.bears_reason}"))


@app.command("diff")
def diff(
    one: Annotated[str, typer.Argument(help="A recorded run, or fresh.")],
    two: Annotated[str, typer.Argument(help="Another.")],
) -> None:
    """Which verdicts and judged values differ, in half-widths of an interval of the difference."""
    from crosslayer.claims.comparison import compare
    from crosslayer.claims.wording import number

    _, runs = _loaded()
    by_name = {results.name: results for results in runs}
    for name in (one, two):
        if name not in by_name:
            raise ClaimError(f"there is no run {name!r:.60}; there are {', '.join(by_name)}")
    found = list(compare(by_name[one], by_name[two]))
    for claim in found:
        before, after = claim.verdicts
        typer.echo(f"{claim.claim}  {before}" + ("" if before == after else f" -> {after}"))
        for moved in claim.values:
            values = ["-" if v is None else number(v, moved.unit) for v in (moved.one, moved.two)]
            ratio = "" if moved.ratio is None else f", {moved.ratio:.1f} half-widths apart"
            typer.echo(f"  {moved.about}: {values[0]} -> {values[1]} {moved.unit}{ratio}")
    same = len(by_name[one].verdicts) - len(found)
    typer.echo(f"{len(found)} claims differ, {same} are the same")


@app.command("pin")
def pin_claims(
    reason: Annotated[str, typer.Option("--reason", help="Why the numbers are what they should be.")],
    run: Annotated[str | None, typer.Option("--run", help="A recorded run; the present one by default.")] = None,
) -> None:
    """Write down what a run gives now as what `pytest claims/` expects."""
    from crosslayer.claims.pins import pin
    from crosslayer.claims.registry import REGISTRY, load_registry
    from crosslayer.claims.results import LEDGER, load_fresh, load_recorded

    registry = load_registry()
    results = load_fresh(load_profile(), registry) if run is None else load_recorded(LEDGER / run, registry)
    for line in pin(REGISTRY, results, reason, CHANGELOG):
        typer.echo(line)


@app.command("import")
def import_claims(
    report: Annotated[Path, typer.Argument(help="A literature report as text, with a table of claims.")],
    output: Annotated[Path | None, typer.Option(help="A new file; the terminal by default.")] = None,
) -> None:
    """Read the claims of a literature report into the skeleton of a registry."""
    from crosslayer.claims.importer import read_report, skeleton

    found = read_report(report)
    text = skeleton(found, report.name)
    if output is None:
        typer.echo(text, nl=False)
        return
    if output.exists() or output.is_symlink():
        raise ClaimError(f"{output} is there already; choose another name")
    try:
        write_text(output, text)
    except OSError as error:
        raise ClaimError(f"{output} cannot be written: {error.strerror}; choose another place") from None
    typer.echo(f"{len(found.rows)} claims in {output}; fill the empty fields")


@app.command("export")
def export(
    form: Annotated[str, typer.Option("--format", help="json, csv or jsonld (schema.org).")] = "json",
) -> None:
    """Every verdict with its headline number and a link to its evidence, for other programs."""
    from crosslayer.claims.exporter import FORMATS

    if form not in FORMATS:
        raise ClaimError(f"unknown format {form!r:.40}; use one of {', '.join(FORMATS)}")
    typer.echo(FORMATS[form](*_loaded()), nl=False)


@app.command("schema")
def schema() -> None:
    """The JSON Schema of claims/registry.yaml, for editors."""
    from crosslayer.claims.registry import json_schema

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _loaded() -> tuple[Registry, list[RunResults]]:
    from crosslayer.claims.registry import load_registry
    from crosslayer.claims.results import load_all

    registry = load_registry()
    return registry, load_all(load_profile(), registry)
