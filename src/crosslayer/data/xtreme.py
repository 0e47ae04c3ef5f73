"""Reader of a directory of public XTREME files, ``ROOT/TASK/SPLIT-LANGUAGE.tsv`` in UTF-8.

Folders are ``xnli``, ``pawsx``, ``panx`` (NER), ``udpos`` (POS) and ``tatoeba``. Pair files have a header line;
tag files have ``token TAB tag`` lines with a blank line between sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from claimtrack.errors import DataError
from crosslayer.config import DataSpec
from crosslayer.data.examples import SPLITS, Corpus, Example, PairExample, Parallel, Split, TagExample
from crosslayer.tasks import LANGUAGES, TASKS, Task, TaskName

TATOEBA_CODES = {
    "afr": "af", "ara": "ar", "ben": "bn", "bul": "bg", "cmn": "zh", "deu": "de", "ell": "el", "est": "et",
    "eus": "eu", "fin": "fi", "fra": "fr", "heb": "he", "hin": "hi", "hun": "hu", "ind": "id", "ita": "it",
    "jav": "jv", "jpn": "ja", "kat": "ka", "kaz": "kk", "kor": "ko", "mal": "ml", "mar": "mr", "nld": "nl",
    "pes": "fa", "por": "pt", "rus": "ru", "spa": "es", "swh": "sw", "tam": "ta", "tel": "te", "tgl": "tl",
    "tha": "th", "tur": "tr", "urd": "ur", "vie": "vi",
}  # fmt: skip
"""ISO 639-3 codes of the Tatoeba files to the codes used here."""


def read_corpus(name: TaskName, spec: DataSpec) -> Corpus:
    """All examples of a task: English train and dev, test in every language there is, and further train and
    dev files where present (used in intermediate training and in probes).

    Raises:
        DataError: the directory, a language or a split is missing or empty, or a line is malformed.
    """
    task = TASKS[name]
    folder = task_folder(name, spec)
    files = _files(folder, spec)
    for split in SPLITS:
        if not files.get((split, "en")):
            raise DataError(f"{folder} has no {split}-en file; every task needs English train, dev and test")
    missing = [code for code in spec.languages or () if ("test", code) not in files]
    if missing:
        raise DataError(f"{folder} has no test-{missing[0]}.tsv; drop {missing[0]} from data.languages")
    return {key: _read_files(paths, task) for key, paths in sorted(files.items())}


def task_folder(name: str, spec: DataSpec) -> Path:
    """The folder of a task (or of ``tatoeba``) below ``data.root``.

    Raises:
        DataError: it does not exist or holds no ``.tsv`` file.
    """
    root = Path(spec.root or ".")
    if not root.is_dir():
        raise DataError(f"data.root {root} is no directory; point it to the directory of the XTREME files")
    folder = root / {"ner": "panx", "pos": "udpos"}.get(name, name)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise DataError(f"{folder} is missing or empty; it should hold SPLIT-LANGUAGE.tsv files")
    return folder


def _files(folder: Path, spec: DataSpec) -> dict[tuple[Split, str], list[Path]]:
    """The files to read; XNLI has several English training files to choose from, ``data.xnli_train``."""
    files: dict[tuple[Split, str], list[Path]] = {}
    for split in SPLITS:
        for path in folder.glob(f"{split}-*.tsv"):
            language = path.stem.removeprefix(f"{split}-")
            if language in LANGUAGES and (spec.languages is None or language in {"en", *spec.languages}):
                files[split, language] = [path]
    if folder.name == "xnli":
        for stem in spec.xnli_train:
            if Path(stem).name != stem:
                raise DataError(f"data.xnli_train names {stem!r:.60}; give names in {folder}, without .tsv")
        files["train", "en"] = [folder / f"{stem}.tsv" for stem in spec.xnli_train]
    return files


def _read_files(paths: list[Path], task: Task) -> list[Example]:
    """The examples of one or several files; with several, items carry the name of theirs."""
    if len(paths) == 1:
        return read_examples(paths[0], task)
    return [
        replace(example, item=f"{path.stem}:{example.item}")
        for path in paths
        for example in read_examples(path, task)
    ]


def read_examples(path: Path, task: Task) -> list[Example]:
    """One file's examples.

    Raises:
        DataError: naming the file and line.
    """
    readers: dict[str, Callable[[Path, Task], Iterator[Example]]] = {
        "xnli": _read_xnli, "pawsx": _read_pawsx, "ner": _read_tags, "pos": _read_tags,
    }  # fmt: skip
    examples = list(readers[task.name](path, task))
    if not examples:
        raise DataError(f"{path} holds no example; remove the file or restore it")
    return examples


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends.

    Raises:
        DataError: not UTF-8 (naming the line) or not readable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); restore it or change the profile") from None
    try:
        return content.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None


def _rows(path: Path, columns: tuple[int, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of a pair file, header left out."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line:
            continue
        cells = line.split("\t")
        if number == 1:
            if "label" not in cells:
                raise DataError(f"{path}:1: no header line with a column named label; add it")
            continue
        if len(cells) not in columns:
            wanted = " or ".join(map(str, columns))
            raise DataError(f"{path}:{number}: {len(cells)} columns where {wanted} are expected; mend the line")
        yield number, cells


def _read_xnli(path: Path, task: Task) -> Iterator[PairExample]:
    for number, cells in _rows(path, (3, 4)):
        label = _known(cells[2], task, path, number)
        yield PairExample(f"{number - 1}", cells[0], cells[1], label)


def _read_pawsx(path: Path, task: Task) -> Iterator[PairExample]:
    seen: set[str] = set()
    for number, (item, first, second, label) in _rows(path, (4,)):
        if item in seen:
            raise DataError(f"{path}:{number}: id {item:.80} is there twice; ids must be unique within a file")
        seen.add(item)
        yield PairExample(item, first, second, _known(label, task, path, number))


def _read_tags(path: Path, task: Task) -> Iterator[TagExample]:
    words: list[str] = []
    tags: list[str] = []
    count = 0
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if line.strip():
            cells = line.split("\t")
            if len(cells) != 2:
                raise DataError(f"{path}:{number}: {len(cells)} columns where 2 are expected; mend the line")
            words.append(cells[0])
            tags.append(_known(cells[1], task, path, number))
        elif words:
            yield TagExample(f"{count}", tuple(words), tuple(tags))
            count += 1
            words, tags = [], []


def _known(label: str, task: Task, path: Path, number: int) -> str:
    if label not in task.labels:
        kind = "tag" if task.kind == "tags" else "label"
        raise DataError(f"{path}:{number}: unknown {kind} {label!r:.80}; known: {', '.join(task.labels)}")
    return label


def read_parallel(spec: DataSpec) -> Parallel:
    """Sentence pairs with English from the ``tatoeba`` folder.

    Raises:
        DataError: the folder is missing, or two parallel files differ in length.
    """
    folder = task_folder("tatoeba", spec)
    pairs: dict[str, list[tuple[str, str, str]]] = {}
    for path in sorted(folder.glob("tatoeba.*-eng.eng")):
        code = path.name.split(".")[1].removesuffix("-eng")
        language = TATOEBA_CODES.get(code)
        if language is None or (spec.languages is not None and language not in spec.languages):
            continue
        foreign = path.with_suffix(f".{code}")
        if not foreign.exists():
            raise DataError(f"{foreign} is missing beside {path.name}")
        texts, english = _text_lines(foreign), _text_lines(path)
        if len(texts) != len(english):
            raise DataError(f"{foreign} has {len(texts)} lines but {path.name} has {len(english)}")
        pairs[language] = [(str(i), text, en) for i, (text, en) in enumerate(zip(texts, english, strict=True))]
    return pairs


def _text_lines(path: Path) -> list[str]:
    return [line for line in read_lines(path) if line.strip()]
