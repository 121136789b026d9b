"""The tokenizer that the lab models share: a token for every word of the tiny forms, digits and
letters one by one, bytes for all else.

A number below 100 that stands alone is one token (Math.Find compares numbers, it does not read
them); longer ones are spelled digit by digit.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from scbench.prompts import HfTokenizer
from scbench.prompts.templates import Plain
from scbench.reading import read_json_file
from scbench.tasks.tiny import lexicon
from scbench.types import Form

NAME = "lab/1"
PAD, BOS, ASK, ANS, END = "<pad>", "<bos>", "<ask>", "<ans>", "<end>"
SPECIAL = (PAD, BOS, ASK, ANS, END)
PLAIN = (f" {ASK} ", f" {ANS} ", f" {END}")
SPACE = "▁"  # stands for a blank, and belongs to the word behind it
RUNS = ("():", "();", "()", "\n", "def")  # besides the single characters
_ASCII = "".join(chr(code) for code in range(33, 127))
_PIECES = r"▁[0-9]{1,2}(?![0-9A-Za-z])|▁?[A-Za-z]+|[0-9]|[\u4e00-\u9fff]|\n|▁|[^\sA-Za-z0-9▁\u4e00-\u9fff]+"
_ROUND_UP = 64  # a vocabulary of whole blocks suits matrix kernels


def vocabulary() -> dict[str, int]:
    """Token -> id. Special ones first, then bytes, characters, numbers and words; unused ids at the
    end make a round size.
    """
    tokens = [
        *SPECIAL,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        SPACE,
        *_ASCII,
        *RUNS,
        *lexicon.characters(),
    ]
    tokens += [f"{SPACE}{number}" for number in range(100)]
    tokens += [SPACE + letter for letter in lexicon.CAPITALS]
    tokens += [SPACE + word for word in lexicon.words()]
    ids = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    for spare in range(-len(ids) % _ROUND_UP):
        ids[f"<spare{spare}>"] = len(ids)
    return ids


def fast() -> Any:
    """A fast tokenizer of `transformers`, as `save_pretrained` writes it into the folder of every
    lab model.
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast

    ids = vocabulary()
    raw = Tokenizer(models.BPE(vocab=ids, merges=[], byte_fallback=True, ignore_merges=True))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True),
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
        ]
    )
    raw.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(replacement=SPACE, prepend_scheme="always")]
    )
    raw.add_special_tokens(
        [
            AddedToken(token, lstrip=token != BOS, normalized=False, special=True)
            for token in SPECIAL
        ]
    )
    raw.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ids[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[ASK, ANS],
        clean_up_tokenization_spaces=False,
        scbench={"form": "tiny", "plain": list(PLAIN)},
    )


@lru_cache(maxsize=1)
def tokenizer() -> HfTokenizer:
    """The tokenizer with the rendering that goes with it."""
    made = HfTokenizer(fast(), name=NAME)
    made.plain = Plain(*PLAIN, bare=True)  # type: ignore[attr-defined]
    made.form = Form.TINY  # type: ignore[attr-defined]
    return made


class Count:
    """Counts tokens for the generators."""

    name = NAME

    def __call__(self, text: str) -> int:
        return len(tokenizer().raw.backend_tokenizer.encode(text, add_special_tokens=False).ids)


def save(folder: Path) -> None:
    """Write the tokenizer's files beside a model's, with its rendering in tokenizer_config.json."""
    fast().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = read_json_file(path, lenient=True)
    settings["scbench"] = {"form": "tiny", "plain": list(PLAIN)}
    path.write_text(
        json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
