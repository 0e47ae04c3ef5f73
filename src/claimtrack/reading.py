"""JSON, YAML and archives that anybody may have written: read within bounds, or refused with one kind of error."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from ruamel.yaml import Node

MOST_NODES, MOST_DIGITS = 100_000, 400
"""Of YAML with every alias written out, and of an integer in it; the registry has some 3,000 nodes."""
FREE, TIMES = 2**22, 20
"""How much a compressed file may hold: ours unpack to 1.7 times their size, and have 8 values a byte."""


class Malformed(ValueError):
    """What cannot be read; ``line`` counts from 1 and is ``None`` where it is not known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(" ".join(message.split())[:200])
        self.line = line


def parse_json(data: bytes | str) -> Any:
    """JSON in UTF-8.

    Raises:
        Malformed: no JSON, or nested too deeply.
    """
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno) from None
    except ValueError as error:
        raise Malformed(str(error)) from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def parse_yaml(text: str) -> Any:
    """YAML 1.2, without any object but those of JSON, dates and bytes.

    Raises:
        Malformed: no YAML, nested too deeply, with an integer that cannot be shown, or of more values than
            `MOST_NODES`: aliases grow exponentially where mappings are merged, and wherever a value is shown.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    try:
        node = yaml.compose(text)
        if node is not None and _nodes(node, {}) > MOST_NODES:
            raise Malformed(f"it has more than {MOST_NODES} values, aliases written out")
        return None if node is None else yaml.constructor.construct_document(node)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("it is nested too deeply, or in itself") from None
    except Exception as error:  # the constructors of numbers, dates and bytes raise many kinds
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or f"{type(error).__name__} {error}"
        raise Malformed(str(problem), None if mark is None else mark.line + 1) from None


def _nodes(node: Node, known: dict[int, int]) -> int:
    """How many nodes there are with aliases written out; a RecursionError if one is part of itself."""
    if id(node) not in known:
        if str(node.tag).endswith(":int") and len(node.value) > MOST_DIGITS:
            raise Malformed(f"an integer has more than {MOST_DIGITS} digits", node.start_mark.line + 1)
        values = node.value if isinstance(node.value, list) else []
        children = [child for value in values for child in (value if isinstance(value, tuple) else (value,))]
        known[id(node)] = 1 + sum(_nodes(child, known) for child in children)
    return known[id(node)]


def room(size: int) -> int:
    """Bytes, or values, that a compressed file of so many bytes may hold."""
    return max(FREE, TIMES * size)


def unzip(source: Path | BinaryIO) -> dict[str, bytes]:
    """The members of a zip archive by name; of two with one name the last.

    Raises:
        Malformed: no archive, damaged, compressed in another way than by deflation, or of more than `room`, by its
            own account or in truth.
        FileNotFoundError: there is none.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            assert archive.fp is not None
            members, size = archive.infolist(), archive.fp.seek(0, io.SEEK_END)
            if sum(member.file_size for member in members) > room(size):
                raise Malformed(f"it unpacks to more than {TIMES} times its size")
            return {member.filename: _content(archive, member) for member in members}
    except (FileNotFoundError, Malformed):
        raise
    except Exception as error:  # zipfile and zlib raise many kinds
        raise Malformed(f"{type(error).__name__}: {error}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """What a member holds, unpacked no further than it says: its checksum then tells of more."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Malformed("it is compressed in a way that cannot be unpacked in steps")
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise Malformed("a member is shorter than it says")
    return content


def read_arrays(source: Path | BinaryIO) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an ``.npz`` file by name, without pickled ones.

    Raises:
        Malformed, FileNotFoundError: as `unzip`, or a member is no array.
    """
    members = unzip(source)
    try:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            for name, content in members.items()
        }
    except Exception as error:  # a header is Python text, which can be wrong in many ways
        raise Malformed(f"{type(error).__name__}: {error}") from None
