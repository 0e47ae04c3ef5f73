"""What the hub of the tests has: a part of ``google/xtreme``, MultiNLI and mBERT with the real names and schemas.

The sentences are made up here. Commits are made by the tests.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets import ClassLabel, Dataset, DatasetInfo, Features, Sequence, Value
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCardData
from safetensors.torch import load, save

from crosslayer.tasks import TASKS, UPOS
from small_encoders import write_bert

XTREME, MULTI_NLI, MBERT = "google/xtreme", "nyu-mll/multi_nli", "google-bert/bert-base-multilingual-cased"
NER, NLI = list(TASKS["ner"].labels), list(TASKS["xnli"].labels)
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish"}
ANIMALS = {"en": ("The cat", "The dog"), "de": ("Die Katze", "Der Hund"), "es": ("El gato", "El perro")}
VERBS = {"en": ("sleeps", "rests"), "de": ("schläft", "ruht"), "es": ("duerme", "descansa")}
PLACES = {"en": ("Rome", "Oslo"), "de": ("Rom", "Oslo"), "es": ("Roma", "Oslo")}

Tables = dict[str, dict[str, list[Dataset]]]
"""Configuration -> split -> the files of its data."""


def sentence(language: str, number: int) -> str:
    """One of eight; `words` are its parts."""
    return " ".join(words(language, number)).replace(" .", ".")


def words(language: str, number: int) -> list[str]:
    """The words of a sentence: article, noun, verb, preposition, place, full stop."""
    animal, verb, place = (
        forms[language][number >> shift & 1] for forms, shift in ((ANIMALS, 0), (VERBS, 1), (PLACES, 2))
    )
    return [*animal.split(), verb, {"en": "in", "de": "in", "es": "en"}[language], place, "."]


def multi_nli(labels: list[int], first: int = 0) -> Dataset:
    """Pairs of MultiNLI; -1 is no gold label."""
    numbers = range(first, first + len(labels))
    premises, hypotheses = ([sentence("en", n + more) for n in numbers] for more in (0, 1))
    table = Dataset.from_dict({"premise": premises, "hypothesis": hypotheses, "label": labels})
    return table.cast_column("label", ClassLabel(names=NLI))


def xnli(rows: list[tuple[str, str]]) -> Dataset:
    """One table of all languages; a row is a language and a label, its number that among those of its language."""
    codes, labels = map(list, zip(*rows, strict=True))
    numbers = [codes[:place].count(code) for place, code in enumerate(codes)]
    first, second = ([sentence(code, n + more) for code, n in zip(codes, numbers, strict=True)] for more in (0, 2))
    return Dataset.from_dict({"language": codes, "sentence1": first, "sentence2": second, "gold_label": labels})


def paws(language: str, labels: str) -> Dataset:
    """Pairs whose labels are digits in a text column."""
    first, second = ([sentence(language, n + more) for n in range(len(labels))] for more in (0, 4))
    return Dataset.from_dict({"sentence1": first, "sentence2": second, "label": list(labels)})


def tagged(column: str, names: list[str], tokens: list[list[str]], tags: list[list[int]]) -> Dataset:
    """Sentences with the ids of their tags."""
    features = Features({"tokens": Sequence(Value("string")), column: Sequence(ClassLabel(names=names))})
    return Dataset.from_dict({"tokens": tokens, column: tags}, features=features)


def panx(language: str, n: int) -> Dataset:
    return tagged("ner_tags", NER, [words(language, i) for i in range(n)], [[0, 0, 0, 0, 5, 0]] * n)


def udpos(language: str, n: int) -> Dataset:
    ids = [UPOS.index(tag) for tag in ("DET", "NOUN", "VERB", "ADP", "PROPN", "PUNCT")]
    return tagged("pos_tags", list(UPOS), [words(language, i) for i in range(n)], [ids] * n)


def tatoeba(language: str, n: int) -> Dataset:
    """Translations with the line ends that they have on the hub."""
    own, english = ([f"{sentence(code, i)}\n" for i in range(n)] for code in (language, "en"))
    return Dataset.from_dict({"source_sentence": own, "target_sentence": english})


def tables() -> dict[str, Tables]:
    """The tables of each data set; MLQA is one that nothing here reads."""
    nli = [(code, NLI[n % 3]) for code in sorted(LANGUAGES) for n in range(4)]
    found: Tables = {"MLQA.ar.ar": {"test": [Dataset.from_dict({"id": ["1"]})]}}
    found["XNLI"] = {"test": [xnli(nli)], "validation": [xnli([row for i, row in enumerate(nli) if i % 4 < 3])]}
    for code, name in LANGUAGES.items():
        sizes = {"train": 6, "validation": 4, "test": 5}
        found[f"PAN-X.{code}"] = {split: [panx(code, n)] for split, n in sizes.items()}
        found[f"PAWS-X.{code}"] = {split: [paws(code, ("01" * n)[:n])] for split, n in sizes.items()}
        found[f"udpos.{name}"] = {split: [udpos(code, n)] for split, n in sizes.items()}
    for code, own in (("de", "deu"), ("es", "spa")):
        found[f"tatoeba.{own}"] = {"validation": [tatoeba(code, 4)]}
    return {XTREME: found, MULTI_NLI: {"default": {"train": [multi_nli([0, 1, 2]), multi_nli([2, 0, -1], 3)]}}}


def files_of(configurations: Tables) -> dict[str, bytes]:
    """The files of a data set, with a card that has the features of each configuration."""
    files, infos = {}, DatasetInfosDict()
    for name, splits in configurations.items():
        for split, parts in splits.items():
            infos[name] = DatasetInfo(features=parts[0].features, config_name=name)
            for number, part in enumerate(parts):
                path = f"{'data' if name == 'default' else name}/{split}-{number:05}-of-{len(parts):05}.parquet"
                part.to_parquet(out := BytesIO())
                files[path] = out.getvalue()
    card = DatasetCardData()
    infos.to_dataset_card_data(card)
    return {"README.md": f"---\n{card}\n---\n\n# Made up\n".encode(), **files}


def mbert() -> dict[str, bytes]:
    """A 2-layer BERT as that repository has it: a prefix, old names of LayerNorm, pickled weights too."""
    with TemporaryDirectory() as folder:
        write_bert(Path(folder))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state: dict[str, Any] = {f"bert.{name}": tensor for name, tensor in load(files["model.safetensors"]).items()}
    for new, former in old.items():
        state = {name.replace(new, former): tensor for name, tensor in state.items()}
    weights = save(state, metadata={"format": "pt"})
    return {**files, "model.safetensors": weights, "pytorch_model.bin": b"", "modeling.py": b"", "weights.pt": b""}
