"""A small encoder made by hand."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from crosslayer.windows.vocabulary import save_encoder


def write_bert(folder: Path) -> None:
    """A complete directory of a 2-layer BERT with a WordPiece vocabulary."""
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat un ##believ ##able on mat . , ##s a b c ##a ##b".split()
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = RustTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(4)  # as some repositories ship it; must not cut our texts
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    save_encoder(BertModel(config, add_pooling_layer=False), folder, {})
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "mask_token": "[MASK]", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
