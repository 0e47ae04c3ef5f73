"""Directories of data files as a user has them, and a file of each format."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from crosslayer.config import DataSpec
from crosslayer.data import xtreme
from crosslayer.data.examples import (
    SPLITS,
    Corpus,
    PairExample,
    Parallel,
    Reading,
    TagExample,
    corpus_of,
    pairs_of,
)
from crosslayer.data.formats import File, read_file
from crosslayer.tasks import TASKS, TaskName

NLI = TASKS["xnli"].labels


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def spec(root: Path, **changes: Any) -> DataSpec:
    return DataSpec(source="xtreme", root=str(root)).model_copy(update=changes)


def read_corpus(name: TaskName, data: DataSpec) -> Corpus:
    return corpus_of(xtreme.read_all(name, data))


def read_parallel(data: DataSpec) -> Parallel:
    return {language: pairs_of(reading) for language, reading in xtreme.read_pairs(data).items()}


def download(root: Path, languages: tuple[str, ...] = ("de", "es"), n: int = 24) -> None:
    """What XTREME's script leaves, with the labels of the tests where its evaluation looks for them."""
    for code in ("en", *languages):
        tasks = {
            "xnli": [(f"{code} p{i}\t{code} h{i}", NLI[i % 3]) for i in range(n)],
            "pawsx": [(f"{code} a{i}\t{code} b{i}", str(i % 2)) for i in range(n)],
            "panx": [row for i in range(n) for row in ((f"{code}{i}", "B-PER"), ("ruht", "O"), ("", ""))],
            "udpos": [row for i in range(n) for row in ((f"{code}{i}", "NOUN"), ("ruht", "VERB"), ("", ""))],
        }
        for (task, rows), split in product(tasks.items(), SPLITS):
            end = "\r\n" if task in TASKS else "\n"  # pairs are written by Python's csv module
            if split == "test":
                write(root / f"labels/{task}/test-{code}.tsv", "".join(f"{label}\n" for _, label in rows))
                write(root / f"{task}/test-{code}.tsv", "".join(f"{text}{end}" for text, _ in rows))
            elif split == "dev" or code == "en" or task == "panx":
                whole = "".join("\t".join(filter(None, row)) + end for row in rows)
                write(root / f"{task}/{split}-{code}.tsv", whole)
    for code in languages:
        english = sorted(f"sentence {i}" for i in range(n))
        write(root / f"tatoeba/{code}-en.{code}", "".join(f"satz {i}\n" for i in range(n)))
        write(root / f"tatoeba/{code}-en.en", "".join(f"{text}\n" for text in english))
        order = "".join(f"{english.index(f'sentence {i}')}\n" for i in range(n))
        write(root / f"labels/tatoeba/test-{code}.tsv", order)


def read_data(folder: Path, task: TaskName) -> Reading:
    """``data.tsv`` with ``labels.tsv`` beside it as the one format that it has."""
    return read_file(File(folder / "data.tsv", folder / "labels.tsv", TASKS[task], "de", ("DATE",)))


XNLI_HEAD = (
    "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
    "sentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\tmatch\n"
)
MNLI_HEAD = "gold_label\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\n"
GOLD = [
    PairExample("1", "Ein Boot.", "Ein Schiff.", "neutral"),
    PairExample("2", 'Er sagt "ja".', "Ja.", "entailment"),
]
TAGGED = [
    TagExample("0", ("Ada", "ruht"), ("B-PER", "O")),
    TagExample("1", ("in", "Ulm"), ("O", "B-LOC")),
]
UPOS = [TagExample("0", ("zum", "Haus", "!"), ("ADP", "NOUN", "PUNCT")), TagExample("1", ("ja",), ("INTJ",))]
CONLLU = """\
# sent_id = 1
# text = zum Haus!
1-2\tzum\t_\t_\t_\t_\t_\t_\t_\t_
1\tzum\tzu\tADP\t_\t_\t2\tcase\t_\t_
1.1\tleer\t_\tVERB\t_\t_\t_\t_\t_\t_
2\tHaus\tHaus\tNOUN\t_\t_\t0\troot\t_\t_
3\t!\t!\tPUNCT\t_\t_\t2\tpunct\t_\t_

# sent_id = 2
1\tja\tja\tINTJ\t_\t_\t0\troot\t_\t_

"""
FILES: dict[str, tuple[TaskName, str, str | None, list[Any]]] = {
    "columns premise, hypothesis, label": (
        "xnli", 'premise\thypothesis\tlabel\nEin Boot.\tEin Schiff.\tneutral\nEr sagt "ja".\tJa.\tentailment\n',
        None, GOLD,
    ),
    "columns in another order, one more": (
        "xnli", 'hypothesis\tlabel\tgenre\tpremise\nEin Schiff.\tneutral\tx\tEin Boot.\nJa.\tentailment\tx\t'
        'Er sagt "ja".\n', None, GOLD,
    ),
    "XNLI 1.0": (
        "xnli",
        XNLI_HEAD
        + "".join(
            f"{code}\t{label}\t\t\t\t\t{first}\t{second}\t1\t{item}\tletters\t{label}\tTrue\n"
            for code, item, first, second, label in (
                ("de", 7, "Ein Boot.", "Ein Schiff.", "neutral"), ("fr", 7, "Un bateau.", "Un navire.", "neutral"),
                ("de", 9, 'Er sagt "ja".', "Ja.", "entailment"), ("de", 11, "Nie.", "Immer.", "-"),
            )
        ),
        None,
        [PairExample("7", *(GOLD[0].first, GOLD[0].second), "neutral"),
         PairExample("9", *(GOLD[1].first, GOLD[1].second), "entailment")],
    ),
    "MultiNLI 1.0": (
        "xnli", MNLI_HEAD + "neutral\t\t\tEin Boot.\tEin Schiff.\t1\t1n\tletters\tneutral\n"
        '-\t\t\tNie.\tImmer.\t2\t2n\tletters\n"entailment\t\t\tx\ty\t3\t3e\tletters\n'.replace('"', ""), None,
        [GOLD[0], PairExample("3", "x", "y", "entailment")],
    ),
    "XNLI-MT 1.0": (
        "xnli", "premise\thypo\tlabel\na\tb\tcontradictory\nc\td\tneutral\n", None,
        [PairExample("1", "a", "b", "contradiction"), PairExample("2", "c", "d", "neutral")],
    ),
    "XTREME's download": (
        "xnli", 'Ein Boot.\tEin Schiff.\tneutral\r\n"Er sagt ""ja""."\tJa.\tentailment\r\n', None, GOLD,
    ),
    "XTREME's download without labels": (
        "xnli", 'Ein Boot.\tEin Schiff.\r\n"Er sagt ""ja""."\tJa.\r\n', "neutral\nentailment\n", GOLD,
    ),
    "PAWS-X": (
        "pawsx", "id\tsentence1\tsentence2\tlabel\n3\ta b\tb a\t0\n4\tNS\tb a\t1\n5\tc\td\t1\n", None,
        [PairExample("3", "a b", "b a", "0"), PairExample("5", "c", "d", "1")],
    ),
    "XTREME's PAWS-X": ("pawsx", "a b\tb a\t0\r\n", None, [PairExample("1", "a b", "b a", "0")]),
    "XTREME's PAWS-X without labels": ("pawsx", "a\tb\r\nc\td\r\n", "0\n1\n",
                                       [PairExample("1", "a", "b", "0"), PairExample("2", "c", "d", "1")]),
    "word TAB tag": ("ner", "Ada\tB-PER\nruht\tO\n\nin\tO\nUlm\tB-LOC", None, TAGGED),
    "WikiANN": ("ner", "de:Ada\tB-PER\nde:ruht\tO\n\nde:in\tO\nde:Ulm\tB-LOC\n\n", None, TAGGED),
    "WikiANN with another code": (
        "ner", "als:Ada\tB-PER\nals:ruht\tO\n\nals:in\tO\nals:Ulm\tB-LOC\n\n", None, TAGGED,
    ),
    "MasakhaNER with spaces": ("ner", "Ada B-PER\nruht O\n\nin O\nUlm B-LOC\n\n", None, TAGGED),
    "MasakhaNER with tabs and dates": (
        "ner", "Ada\tB-PER\nruht\tO\n\n2021\tB-DATE\n\n", None,
        [TAGGED[0], TagExample("1", ("2021",), ("O",))],
    ),
    "words": ("ner", "Ada\nruht\n\nin\nUlm\n\n", "B-PER\nO\n\nO\nB-LOC\n", TAGGED),
    "UPOS in two columns": ("pos", "zum\tADP\nHaus\tNOUN\n!\tPUNCT\n\nja\tINTJ\n\n", None, UPOS),
    "UPOS with other line ends": ("pos", "zum\tADP\r\nHaus\tNOUN\r\n!\tPUNCT\r\n\r\n\r\nja\tINTJ", None, UPOS),
    "CoNLL-U": ("pos", CONLLU, None, UPOS),
    "words without UPOS": ("pos", "zum\nHaus\n!\n\nja\n\n", "ADP\nNOUN\nPUNCT\n\nINTJ\n\n", UPOS),
}  # fmt: skip
"""By format: task, content, content of the labels' file if they lie apart, and what both hold."""
