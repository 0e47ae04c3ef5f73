"""Writes docs/reference/ and docs/answer.svg from code and evidence, and what README.md and docs/*.md quote.

python docs/generate.py

A ``python`` block that a ``text`` block follows is executed in the repository root, and the ``text`` block becomes
what it printed; the blocks of a page share their names. Between ``<!-- benchmarks: NAME -->`` and ``<!-- end -->``
stand the tables of ``benchmarks/recorded/NAME.json``. A test fails where a page is stale.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer
from pydantic import TypeAdapter

from claimtrack import figures as drawing
from claimtrack import project, registry, samples, statistics, tables
from claimtrack.cli import app as claims_app
from claimtrack.evidence import Check, Evidence, Measurement, Trial
from claimtrack.pins import Pins
from claimtrack.plugin import Plugin
from claimtrack.report.context import build
from claimtrack.results import load_recorded
from claimtrack.rules import Case, Judgement, Rule
from claimtrack.seal import Planned, newest_hash
from claimtrack.verdict import Verdict
from crosslayer.cli import app
from crosslayer.config import Profile
from crosslayer.predictions.records import TrialRecord
from crosslayer.predictions.records import schema as predictions_schema

DOCS = Path(__file__).resolve().parent
MADE = "<!-- Made by docs/generate.py; change the code instead. -->\n"
SNIPPET = re.compile(r"(?P<head>```python\n(?P<code>.*?)```\n\n```text\n)(?P<output>.*?)(?P<tail>```)", re.DOTALL)
FIGURES = re.compile(
    r"(?P<head><!-- benchmarks: (?P<name>\w+) -->\n)(?P<tables>.*?)(?P<tail><!-- end -->)", re.DOTALL
)
ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*)$")
Schema = Mapping[str, Any]

PREDICTIONS = {
    "split": "`dev` (English only) or `test`",
    "language": "ISO 639-1",
    "item": "name of the sentence or pair; one name in two languages is one content where data are parallel",
    "position": "word in the sentence, from 0; 0 for pairs",
    "gold": "label id, an index into the labels of the task",
    "predicted": "label id",
    "score_K": "logit of label K less the largest of the row, one column a label",
}
"""Words for the columns of a prediction table."""
LEDGER = {
    "run.json": "title, revision, hardware, versions, seconds by stage; of an extended run these of each of "
                "its `parts`, and the seconds of all",
    "profile.yaml": "the whole profile, without paths of a machine",
    "trials.json": "a list of [trial records](#trialrecord)",
    "predictions-STAGE-TASK.parquet": "`split`, `language`, `item`, `position`, `gold` and `usual`, the label id "
                                      "that most trials predict, once; for each trial a column named by its key: "
                                      "predicted label ids, -1 for the usual one",
    "scores-KEY.parquet": "`split` and `score_K` of a trial whose calibration is asked about, of pairs or after "
                          "intermediate training, in the order of the predictions; of words in steps of 1/64, and "
                          "empty outside the kept sample",
    "log-odds-STAGE-TASK.parquet": "of words, `split` and a column named by its key for each trial whose "
                                      "calibration is asked about, in the order of the predictions: the "
                                      "log-odds of the predicted label in steps of 1/64",
    "diagnostics.npz": "arrays `N/NAME`, one row a trial, whose keys `N/keys` has: weights of the "
                       "module on one common text, fused mean vectors and similarities by language",
    "probes/NAME.parquet": "the encoder before fine-tuning, layer by layer: `retrieval`, `offsets`, `tagging`, "
                           "`transfer`, `similarity`, `identity`",
    "probes/structure.json": "what the built module was found to be: by claim, checks with `name`, `passed`, "
                             "`expected` and `found`",
    "claims/ID/evidence.json": "[evidence](#evidence), computed from the files above",
    "claims/ID/NAME.svg": "figures",
    "hashes.json": "SHA-256 of every other file",
}  # fmt: skip
"""The files of a recorded run."""


def main() -> None:
    """Write every page that is stale."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Every page that this program makes or completes, as it should be."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
    }
    made = {
        path: with_figures(with_outputs(text))
        for path, text in texts.items()
        if SNIPPET.search(text) or FIGURES.search(text)
    }
    reference = {"cli.md": cli_page(), "measure.md": measure_page(), "schemas.md": schemas_page()}
    return (
        made
        | {DOCS / "reference" / name: page for name, page in reference.items()}
        | {DOCS / "answer.svg": answer()}
    )


def answer() -> str:
    """The picture that the report's first screen has, of the recorded runs."""
    claims = registry.load_registry(DOCS.parent / "claims" / "registry.yaml")
    folders = sorted(path.parent for path in (DOCS.parent / "claims" / "ledger").glob("*/profile.yaml"))
    runs = [load_recorded(folder, claims) for folder in folders]
    summary = build(claims, runs, paper=DOCS.parent / "paper").summary
    return summary.svg() if summary else ""


def with_outputs(text: str) -> str:
    """A page with the output of each snippet as it is now."""
    names: dict[str, Any] = {}

    def completed(match: re.Match[str]) -> str:
        out = io.StringIO()
        with contextlib.chdir(DOCS.parent), contextlib.redirect_stdout(out):
            exec(compile(match["code"], "snippet", "exec"), names)
        return match["head"] + out.getvalue() + match["tail"]

    return SNIPPET.sub(completed, text)


def with_figures(text: str) -> str:
    """A page with the tables of each benchmark that it quotes, as they were recorded."""
    return FIGURES.sub(lambda match: match["head"] + figures(match["name"]) + match["tail"], text)


def figures(name: str) -> str:
    """The tables of one benchmark, and what they were measured on."""
    content = json.loads((DOCS.parent / "benchmarks" / "recorded" / f"{name}.json").read_text(encoding="utf-8"))
    machine, versions = content["machine"], content["packages"]
    parts = []
    for sheet in content["sheets"]:
        parts.append(f"\n**{_capitalised(sheet['title'])}**\n")
        parts.append(rows_as_table(sheet["head"], sheet["rows"]))
        parts.append(f"\n{sheet['note']}\n" if sheet["note"] else "")
    parts.append(
        f"\n`python -m benchmarks --only {name}`: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}, torch {versions['torch']}, "
        f"transformers {versions['transformers']}.\n\n"
    )
    return "".join(parts)


def _capitalised(title: str) -> str:
    """With a capital, but for names such as mBERT."""
    return title if title[1:2].isupper() else title[:1].upper() + title[1:]


# The command line


def cli_page() -> str:
    """The reference of the command line."""
    programs = {"claimtrack": claims_app, "crosslayer": app}
    found = [part for name, group in programs.items() for part in commands(typer.main.get_command(group), name)]
    head = "# The command line\n\nAn error of the user's is one line on standard error and exit code 2.\n"
    return "\n".join([MADE, head, *(command_section(*each) for each in sorted(found))])


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Full names of all commands below one, and the commands."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    else:
        for word, each in inner.items():
            yield from commands(each, f"{name} {word}")


def command_section(name: str, command: Any) -> str:
    """One command: its line, what it does, its parameters."""
    usage, rows = [name], []
    for parameter in command.params:
        kind, word = parameter.type_descriptor.annotation, parameter.metavar or parameter.name.upper()
        is_option, is_switch = parameter.param_type_name == "option", kind is bool
        shown = parameter.opts[0] if is_option else word
        told = "switch" if is_switch else type_text(TypeAdapter(kind).json_schema())
        default = "required" if parameter.required else f"`{parameter.default}`" if parameter.default else ""
        rows.append((f"`{shown}`", told, default, parameter.help or ""))
        shown += f" {word}" if is_option and not is_switch else ""
        usage.append(shown if parameter.required else f"[{shown}]{'...' if parameter.multiple else ''}")
    table = rows_as_table(("argument", "type", "default", "meaning"), rows) if rows else ""
    return f"## {name}\n\n`{' '.join(usage)}`\n\n{command.help}\n{table}"


# Schemas


def schemas_page() -> str:
    """The reference of every schema."""
    columns = [column_row(field) for field in predictions_schema(1)]
    files = [(f"`{name}`", words) for name, words in LEDGER.items()]
    return "\n".join(
        [
            MADE,
            "# Schemas\n\nUnknown keys are errors. An error names the file, the key and its neighbours.\n",
            "## The profile\n\n`params.yaml` is the active one, `profiles/NAME.yaml` are the others.\n",
            *models(Profile.model_json_schema()),
            "## The registry\n\n`claims/registry.yaml`. `claimtrack schema` prints this as JSON Schema.\n",
            *models(registry.json_schema()),
            "## The pins\n\n`claims/pins.yaml`, written by `claimtrack pin`.\n",
            *models(Pins.model_json_schema()),
            "## The evidence\n\n`results/PROFILE/claims/ID/evidence.json`.\n",
            *models(Evidence.model_json_schema()),
            "## The verdicts\n\n`results/PROFILE/verdicts.json` is a list of these.\n",
            *models(Verdict.model_json_schema()),
            "## The trial record\n\n`results/PROFILE/trials/STAGE/TASK/KEY/trial.json`.\n",
            *models(TrialRecord.model_json_schema()),
            "## The predictions\n\n`predictions.parquet` beside the trial record: one row a word or a pair, "
            "`split`, `language`, `item` and `position` together unique.\n",
            rows_as_table(("column", "type", "nulls", "meaning"), columns),
            "## A recorded run\n\n`claims/ledger/ENTRY/`, written by `crosslayer record`. It holds no text.\n",
            rows_as_table(("file", "content"), files),
        ]
    )


def measure_page() -> str:
    """What `measure` of a plugin needs: classes, functions and their words."""
    groups: dict[str, Sequence[Callable[..., Any]]] = {
        "What a project offers": (Plugin, Rule, Case, Judgement, Planned, Trial, newest_hash),
        "Evidence": (Evidence, Measurement, Check, project.evidence_of),
        "From one value a seed to a measurement": (
            samples.mean_of, samples.difference_of, samples.item_variance_of, samples.overlap, samples.in_order,
            samples.equivalence_p, samples.permutation_p, statistics.holm,
        ),
        "Figures": (drawing.picture, drawing.forest, drawing.reliability, samples.reliability_bins),
        "Notebooks": (project.measure, project.keep, tables.summary, tables.judged, tables.shown, tables.checks),
    }  # fmt: skip
    sections = [
        part
        for title, members in groups.items()
        for part in (f"## {title}\n", *(part for member in members for part in member_section(member)))
    ]
    return "\n".join([MADE, "# What `measure` needs\n", *sections])


def member_section(member: Callable[..., Any]) -> Iterator[str]:
    """A class or function: where it is imported from, its arguments, its words."""
    yield f"### {member.__module__}.{member.__name__}\n"
    if not inspect.isclass(member):
        yield f"`{member.__name__}{inspect.signature(member)}`\n".replace("claimtrack.evidence.", "")
    summary, _, rest = (inspect.getdoc(member) or "").partition("\n\n")
    yield f"{summary}\n"
    if rest:
        yield f"```text\n{rest}\n```\n"


def column_row(field: pa.Field) -> tuple[str, ...]:
    """A column of the prediction table; that of label 0 stands for those of all labels."""
    name = "score_K" if field.name == "score_0" else field.name
    kind = "text, dictionary" if pa.types.is_dictionary(field.type) else str(field.type)
    return f"`{name}`", kind, "allowed" if field.nullable else "none", PREDICTIONS[name]


def models(schema: Schema) -> Iterator[str]:
    """A section for the model, then for those that it is made of, in the order in which they are named."""
    found, todo = schema.get("$defs", {}), [schema]
    seen = {schema["title"]}
    while todo:
        model = todo.pop(0)
        yield model_section(model)
        inner = re.findall(r'"#/\$defs/(\w+)"', json.dumps(model["properties"]))
        todo += [found[name] for name in dict.fromkeys(inner) if name not in seen]
        seen |= set(inner)


def model_section(schema: Schema) -> str:
    """One model: its docstring and a table of its fields."""
    text, attributes = docstring(schema.get("description", ""))
    required = schema.get("required", [])
    rows = [
        (f"`{name}`", type_text(field), default_text(field, name in required), attributes.get(name, ""))
        for name, field in schema["properties"].items()
    ]
    table = rows_as_table(("key", "type", "default", "meaning"), rows)
    return f"### {schema['title']}\n\n{text}\n{table}"


def docstring(text: str) -> tuple[str, dict[str, str]]:
    """The words before ``Attributes:``, and those of each attribute."""
    head, _, body = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in body.splitlines():
        if match := ATTRIBUTE.match(line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return plain(" ".join(head.split())), {name: plain(words) for name, words in found.items()}


def plain(text: str) -> str:
    """A docstring's markup as Markdown; YAML and JSON have no None."""
    return text.replace("``", "`").replace("`None`", "`null`")


def default_text(field: Schema, required: bool) -> str:
    """The default of a field."""
    if required:
        return "required"
    value = field.get("default")
    return (
        f"`{json.dumps(value, ensure_ascii=False)}`" if not isinstance(value, dict) or not value else "see there"
    )


def type_text(node: Schema) -> str:
    """A JSON Schema type in words."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(map(type_text, node["anyOf"])))
    if "enum" in node or "const" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    return TYPES[node.get("type", "any")](node)


def rows_as_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    escaped = ("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return "\n" + "\n".join(line.replace("|  |", "| |") for line in escaped) + "\n"


def _number(node: Schema, name: str) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join([name, *(f"{word} {node[key]:g}" for key, word in words.items() if key in node)])


def _text(node: Schema) -> str:
    if node.get("format") == "path":
        return "path"
    pattern = node.get("pattern")
    if pattern == r"^[^\r\n]*$":
        return "text, one line"
    return f"text that matches `{pattern}`" if pattern else "text"


def _list(node: Schema) -> str:
    exact = node.get("minItems")
    size = f" of {exact}" if exact and exact == node.get("maxItems") else ", not empty, of" if exact else " of"
    items = type_text(node["items"])
    return f"list{size} ({items})" if "," in items else f"list{size} {items}"


def _mapping(node: Schema) -> str:
    keys = type_text(node["propertyNames"]) if "propertyNames" in node else "name"
    inner = node.get("additionalProperties")
    return f"mapping of {keys} to {type_text(inner)}" if isinstance(inner, dict) and inner else "mapping"


TYPES: dict[str, Callable[[Schema], str]] = {
    "integer": lambda node: _number(node, "whole number"),
    "number": lambda node: _number(node, "number"),
    "boolean": lambda node: "`true` or `false`",
    "null": lambda node: "`null`",
    "string": _text,
    "array": _list,
    "object": _mapping,
    "any": lambda node: "any",
}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
