"""What every encoder offers: a BERT trunk, a tokeniser and a digest that names both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from crosslayer.errors import EncoderError

if TYPE_CHECKING:
    from transformers import BertModel

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
"""The tensor of a BERT with one row a sub-word."""
SIZES = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
"""The shape of a BERT, as its configuration names it."""


class Tokenizer(Protocol):
    """Text to sub-word ids.

    Attributes:
        pad_id: id of the padding sub-word.
        n_special_single, n_special_pair: how many special sub-words ``wrap`` adds to one text, to two.
        prefix_length: how many special sub-words precede the first sub-word of a wrapped text.
    """

    pad_id: int
    n_special_single: int
    n_special_pair: int
    prefix_length: int

    def encode_text(self, text: str) -> list[int]:
        """Sub-words of running text, without special ones."""

    def encode_word(self, word: str) -> list[int]:
        """Sub-words of one word of a pre-split sentence; never empty."""

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """Add the special sub-words; returns (ids, token type ids) of equal length."""


@dataclass(frozen=True)
class Encoder:
    """A pre-trained encoder.

    Attributes:
        name: for tables and reports.
        digest: SHA-256 (hex) of what determines weights and tokeniser.
        model: BERT without pooler, float32, in evaluation mode.
        tokenizer: its tokeniser, always over the full vocabulary.
    """

    name: str
    digest: str
    model: BertModel
    tokenizer: Tokenizer

    @property
    def n_layers(self) -> int:
        """Number of Transformer layers; hidden states number one more."""
        return int(self.model.config.num_hidden_layers)


def load_weights(source: Path | None = None, **options: Any) -> BertModel:
    """``BertModel.from_pretrained`` without pooler, float32, silent, strict about missing tensors and shapes.

    Args:
        source: a directory; by default ``options`` has a ``config`` and the tensors, which are not copied, as
            ``state_dict``.

    Raises:
        EncoderError: a tensor is missing, damaged or of another shape than the configuration says.
    """
    import torch
    from transformers import BertModel

    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}  # reported below, by name
    if source is not None:
        options |= {"use_safetensors": True, "local_files_only": True}
    try:
        silence()
        loaded: Any = BertModel.from_pretrained(source, add_pooling_layer=False, dtype=torch.float32, **options)
    except Exception as error:  # a configuration can be wrong in many ways
        raise EncoderError(
            f"cannot load the weights of {source}: {one_line(error)}; copy them again, or run `dvc repro` if they "
            "are results"
        ) from error
    model: BertModel = loaded[0]
    misfits = sorted({*loaded[1]["missing_keys"], *(entry[0] for entry in loaded[1]["mismatched_keys"])})
    if misfits:
        raise EncoderError(
            f"the weights of {source} do not fit its config.json: {len(misfits)} tensors are missing or of "
            f"another shape, the first is {misfits[0]}"
        )
    return model


def one_line(error: Exception) -> str:
    """The first line of an exception's text that says anything, or the name of its type."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


def silence() -> None:
    """Let transformers neither warn nor draw progress bars in this process: what is wrong is said in errors."""
    import transformers

    logging: Any = transformers.utils.logging  # untyped
    logging.set_verbosity_error()
    logging.disable_progress_bar()
