"""What the hub of the tests has: a part of ``google/xtreme``, MultiNLI and mBERT with the real names and schemas.

The sentences are made up here. Commits are made by the tests.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Sequence, Value
from ruamel.yaml import YAML
from safetensors.torch import load, save

from crosslayer.tasks import UPOS
from hub_server import Repository
from small_encoders import write_bert

XTREME, MULTI_NLI, MBERT = "google/xtreme", "nyu-mll/multi_nli", "google-bert/bert-base-multilingual-cased"
NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
NLI = ("entailment", "neutral", "contradiction")
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish"}
ANIMALS = {"en": ("The cat", "The dog"), "de": ("Die Katze", "Der Hund"), "es": ("El gato", "El perro")}
VERBS = {"en": ("sleeps", "rests"), "de": ("schläft", "ruht"), "es": ("duerme", "descansa")}
PLACES = {"en": ("Rome", "Oslo"), "de": ("Rom", "Oslo"), "es": ("Roma", "Oslo")}

Columns = dict[str, list[Any]]


def sentence(language: str, number: int) -> str:
    """One of eight; `words` are its parts."""
    return " ".join(words(language, number)).replace(" .", ".")


def words(language: str, number: int) -> list[str]:
    """The words of a sentence: article, noun, verb, preposition, place, full stop."""
    animal, verb, place = (
        forms[language][number >> shift & 1] for forms, shift in ((ANIMALS, 0), (VERBS, 1), (PLACES, 2))
    )
    return [*animal.split(), verb, {"en": "in", "de": "in", "es": "en"}[language], place, "."]


def multi_nli(part: int) -> Columns:
    """Rows of MultiNLI; the last has no gold label."""
    numbers, labels = [3 * part, 3 * part + 1, 3 * part + 2], [0, 1, 2] if part == 0 else [2, 0, -1]
    return {
        "promptID": numbers,
        "pairID": [f"{number}n" for number in numbers],
        "premise": [sentence("en", number) for number in numbers],
        "premise_binary_parse": ["( )"] * 3,
        "premise_parse": ["(ROOT )"] * 3,
        "hypothesis": [sentence("en", number + 1) for number in numbers],
        "hypothesis_binary_parse": ["( )"] * 3,
        "hypothesis_parse": ["(ROOT )"] * 3,
        "genre": ["fiction"] * 3,
        "label": labels,
    }


def xnli(n: int) -> Columns:
    """``n`` pairs in each language, language by language as on the hub."""
    rows = [(language, number) for language in sorted(LANGUAGES) for number in range(n)]
    return {
        "language": [language for language, _ in rows],
        "sentence1": [sentence(*row) for row in rows],
        "sentence2": [sentence(language, number + 2) for language, number in rows],
        "gold_label": [NLI[number % 3] for _, number in rows],
    }


def paws(language: str, n: int) -> Columns:
    """Pairs whose labels are digits in a text column."""
    first, second = ([sentence(language, number + more) for number in range(n)] for more in (0, 4))
    return {"sentence1": first, "sentence2": second, "label": [str(number % 2) for number in range(n)]}


def panx(language: str, n: int) -> Columns:
    """Sentences with their place tagged."""
    return {
        "tokens": [words(language, number) for number in range(n)],
        "ner_tags": [[0, 0, 0, 0, 5, 0]] * n,
        "langs": [[language] * 6] * n,
    }


def udpos(language: str, n: int) -> Columns:
    """Sentences with the ids of their parts of speech."""
    tags = [UPOS.index(tag) for tag in ("DET", "NOUN", "VERB", "ADP", "PROPN", "PUNCT")]
    return {"tokens": [words(language, number) for number in range(n)], "pos_tags": [tags] * n}


def tatoeba(language: str, n: int) -> Columns:
    """Translations with the line ends that they have on the hub."""
    own, english = ([f"{sentence(code, number)}\n" for number in range(n)] for code in (language, "en"))
    return {
        "source_sentence": own,
        "target_sentence": english,
        "source_lang": ["deu"] * n,
        "target_lang": ["eng"] * n,
    }


TEXT = {"dtype": "string"}
FEATURES: dict[str, dict[str, Any]] = {
    "XNLI": dict.fromkeys(("language", "sentence1", "sentence2", "gold_label"), TEXT),
    "PAWS-X": dict.fromkeys(("sentence1", "sentence2", "label"), TEXT),
    "PAN-X": {
        "tokens": {"sequence": "string"},
        "ner_tags": {"sequence": {"class_label": {"names": {str(i): name for i, name in enumerate(NER)}}}},
        "langs": {"sequence": "string"},
    },
    "udpos": {
        "tokens": {"sequence": "string"},
        "pos_tags": {"sequence": {"class_label": {"names": {str(i): name for i, name in enumerate(UPOS)}}}},
    },
    "tatoeba": dict.fromkeys(("source_sentence", "target_sentence", "source_lang", "target_lang"), TEXT),
    "MLQA": {"id": TEXT},
    "default": {
        "promptID": {"dtype": "int32"},
        **dict.fromkeys(("pairID", "premise", "premise_binary_parse", "premise_parse"), TEXT),
        **dict.fromkeys(("hypothesis", "hypothesis_binary_parse", "hypothesis_parse", "genre"), TEXT),
        "label": {"dtype": {"class_label": {"names": {str(i): name for i, name in enumerate(NLI)}}}},
    },
}
"""Features of the configurations as their cards write them, by the part of the name before the first dot."""


def xtreme_tables() -> dict[str, dict[str, Columns]]:
    """Configuration -> split -> columns; the first configuration is one that nothing here reads."""
    tables: dict[str, dict[str, Columns]] = {"MLQA.ar.ar": {"test": {"id": ["1"]}}}
    for language, name in LANGUAGES.items():
        sizes = {"train": 6, "validation": 4, "test": 5}
        tables[f"PAN-X.{language}"] = {split: panx(language, n) for split, n in sizes.items()}
        tables[f"PAWS-X.{language}"] = {split: paws(language, n) for split, n in sizes.items()}
        tables[f"udpos.{name}"] = {split: udpos(language, n) for split, n in sizes.items()}
    tables["XNLI"] = {"test": xnli(4), "validation": xnli(3)}
    tables["tatoeba.deu"] = {"validation": tatoeba("de", 4)}
    tables["tatoeba.spa"] = {"validation": tatoeba("es", 4)}
    return tables


def repositories() -> list[Repository]:
    """The three of them."""
    tables = xtreme_tables()
    xtreme = {
        f"{config}/{split}-00000-of-00001.parquet": parquet(columns, named=config.startswith(("PAN-X", "XNLI")))
        for config, splits in tables.items()
        for split, columns in splits.items()
    }
    paths = {config: {split: f"{config}/{split}-*" for split in splits} for config, splits in tables.items()}
    nli = {f"data/train-0000{part}-of-00002.parquet": parquet(multi_nli(part)) for part in (0, 1)}
    return [
        Repository("datasets", XTREME, {"README.md": card(paths), ".gitattributes": b"*.parquet lfs\n", **xtreme}),
        Repository("datasets", MULTI_NLI, {"README.md": card({"default": {"train": "data/train-*"}}), **nli}),
        Repository("models", MBERT, mbert()),
    ]


def card(paths: dict[str, dict[str, str]]) -> bytes:
    """A README.md with the features of each configuration and the files of its splits."""
    infos, configs = [], []
    for name, splits in paths.items():
        features = FEATURES[name.partition(".")[0]]
        infos.append({"config_name": name, "features": [{"name": key, **kind} for key, kind in features.items()]})
        configs.append(
            {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in splits.items()]}
        )
    single = list(paths) == ["default"]
    text = io.StringIO()
    YAML().dump({"license": "cc0-1.0", "dataset_info": infos[0] if single else infos, "configs": configs}, text)
    return f"---\n{text.getvalue()}---\n\n# Made up\n".encode()


def parquet(columns: Columns, named: bool = False) -> bytes:
    """A Parquet file; ``named`` ones hold their class names too, as those written by ``datasets`` do."""
    table = pa.table(columns)
    if named and "ner_tags" in columns:
        texts = Sequence(Value("string"))
        features = Features({"tokens": texts, "ner_tags": Sequence(ClassLabel(names=list(NER))), "langs": texts})
        table = Dataset.from_dict(columns, features=features).data.table
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def mbert() -> dict[str, bytes]:
    """A 2-layer BERT as that repository has it: a prefix, old names of LayerNorm, pickled weights too."""
    with TemporaryDirectory() as folder:
        write_bert(Path(folder))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = {f"bert.{name}": tensor for name, tensor in load(files["model.safetensors"]).items()}
    for new, former in old.items():
        state = {name.replace(new, former): tensor for name, tensor in state.items()}
    weights = save(state, metadata={"format": "pt"})
    return {**files, "model.safetensors": weights, "pytorch_model.bin": b"not to be fetched"}
