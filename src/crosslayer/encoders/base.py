"""What every encoder offers: a BERT trunk, a tokeniser and a digest that names both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from crosslayer.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BertConfig, BertModel


SIZES = (
    "vocab_size", "max_position_embeddings", "type_vocab_size", "num_hidden_layers", "hidden_size",
    "intermediate_size", "num_attention_heads",
)  # fmt: skip
"""What the number of a BERT's weights follows from; it does not depend on the heads."""


class Tokenizer(Protocol):
    """Text to sub-word ids.

    Attributes:
        pad_id: id of the padding sub-word.
        n_special_single, n_special_pair: how many special sub-words ``wrap`` adds to one text, to two.
        prefix_length: how many special sub-words precede the first sub-word of a wrapped text.
        vocabulary_size: every id is below it.
    """

    @property
    def pad_id(self) -> int: ...
    @property
    def n_special_single(self) -> int: ...
    @property
    def n_special_pair(self) -> int: ...
    @property
    def prefix_length(self) -> int: ...
    @property
    def vocabulary_size(self) -> int: ...

    def encode_text(self, text: str) -> list[int]:
        """Sub-words of running text, without special ones."""
        ...

    def encode_word(self, word: str) -> list[int]:
        """Sub-words of one word of a pre-split sentence; never empty."""
        ...

    def wrap(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """Add the special sub-words; returns (ids, token type ids) of equal length."""
        ...


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

    @property
    def width(self) -> int:
        """Size E of a hidden state."""
        return int(self.model.config.hidden_size)


def assemble(config: BertConfig, state: Mapping[str, Tensor]) -> BertModel:
    """A BERT in evaluation mode over the tensors of ``state`` (shared, not copied).

    Raises:
        EncoderError: a tensor is missing or has another shape than ``config`` says.
    """
    check_size(config, sum(tensor.nbytes for tensor in state.values()), "the encoder")
    return load_weights(None, config=config, state_dict=dict(state))


def check_size(config: Any, n_bytes: int, where: str) -> None:
    """Check that a configuration asks for no more weights than there are bytes, before any room is made for them.

    Args:
        config: a `BertConfig`, or what its file holds.
        n_bytes: of all weights.
        where: what both are of, for the error.

    Raises:
        EncoderError: it does, or a size is no positive integer.
    """
    sizes: list[Any] = [getattr(config, name, None) for name in SIZES]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise EncoderError(f"config.json of {where}: {', '.join(SIZES)} must be positive; got {sizes!s:.200}")
    rows, places, types, layers, width, inner, _ = sizes
    weights = width * (rows + places + types) + layers * (4 * width * (width + 1) + inner * (2 * width + 1))
    if weights > n_bytes:
        raise EncoderError(
            f"the weights of {where} do not fit its config.json, which asks for {weights} of them; there are "
            f"{n_bytes} bytes"
        )


def load_weights(source: str | None, **options: Any) -> BertModel:
    """``BertModel.from_pretrained`` without pooler, float32, silent, strict about missing tensors and shapes."""
    import torch
    from transformers import BertModel

    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}  # reported below, by name
    where = source or "the encoder"
    try:
        with quiet():
            loaded: Any = BertModel.from_pretrained(
                source, add_pooling_layer=False, dtype=torch.float32, **options
            )
    except Exception as error:  # a configuration can be wrong in many ways
        raise EncoderError(f"cannot load the weights of {where}: {one_line(error)}") from error
    model: BertModel = loaded[0]
    misfits = sorted({*loaded[1]["missing_keys"], *(entry[0] for entry in loaded[1]["mismatched_keys"])})
    if misfits:
        raise EncoderError(
            f"the weights of {where} do not fit its config.json: {len(misfits)} tensors are missing or of another "
            f"shape, the first is {misfits[0]}"
        )
    return model


def one_line(error: Exception) -> str:
    """The first line of an exception's text that says anything, or the name of its type."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings and progress bars of transformers and the hub client, and restore them after."""
    import transformers

    logging: Any = transformers.utils.logging  # untyped
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
