"""The package llmlingua as the judge of words: its chunks, its thresholds, its forced tokens. What
it keeps is found again in the text as it stood.

It is given a CPU, no code from the hub, and its change of every random seed of the process is
undone.
"""

from __future__ import annotations

import importlib
import os
import random
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from scbench.errors import Mismatch, MissingExtra
from scbench.tensors import torch

PACKAGE = "llmlingua"
INSTALL = "pip install 'scbench[llmlingua]'"
PUBLISHED = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
KNOWN = (
    "xlm-roberta-large",
    "bert-base-multilingual-cased",
)  # it looks for these words in a model's name, and knows no other tokenizers
BATCH_CHUNKS = 8
WORD_MARK, LABEL_MARK = "\x1e", "\x1f"
Range = tuple[int, int]


def is_asked(classifier: str) -> bool:
    return classifier.partition(":")[0] == PACKAGE


def kept_ranges(
    text: str, *, classifier: str, rate: float, forced: Sequence[str], digits: bool
) -> list[Range]:
    """Half-open ranges of `text` that the package keeps at this rate; a word takes the blanks
    before it along.

    `classifier` is `llmlingua`, or `llmlingua:MODEL` for other weights than the published. Raises
    MissingExtra, Mismatch.
    """
    found = compressor(classifier.partition(":")[2] or PUBLISHED).compress_prompt(
        [text],
        rate=rate,
        force_tokens=list(forced),
        force_reserve_digit=digits,
        return_word_label=True,
        word_sep=WORD_MARK,
        label_sep=LABEL_MARK,
    )
    said = [
        tuple(item.rsplit(LABEL_MARK, 1))
        for item in found["fn_labeled_original_prompt"].split(WORD_MARK)
    ]
    return located(text, [(word, label == "1") for word, label in said])


def located(text: str, labelled: Sequence[tuple[str, bool]]) -> list[Range]:
    """Where the kept words stand. The package's words are normalised, and characters its tokenizer
    does not know are in none of them: they go.

    Raises Mismatch for a word that the text does not have after the one before.
    """
    plain, origin = _decomposed(text)
    ranges: list[Range] = []
    at, before = 0, 0  # in `plain`; in `text`, after the last word found
    for word, stays in labelled:
        wanted = unicodedata.normalize("NFKD", word)
        if not wanted:
            continue
        found = plain.find(wanted, at)
        if found < 0:
            raise Mismatch(
                f"the package {PACKAGE} kept or dropped the word {word!r}, which is not in the "
                f"text after character {before:,}; "
                "its tokenizer rewrites this text: use classifier=trained"
            )
        at = found + len(wanted)
        start, stop = origin[found], origin[at - 1] + 1
        while start > before and text[start - 1].isspace():
            start -= 1
        if stays and stop > before:
            ranges.append((max(start, before), stop))
        before = max(before, stop)
    return ranges


def _decomposed(text: str) -> tuple[str, list[int]]:
    """The text in NFKD, and for each of its characters the one of `text` it comes from."""
    parts = [unicodedata.normalize("NFKD", sign) for sign in text]
    return "".join(parts), [at for at, part in enumerate(parts) for _ in part]


def digest(classifier: str) -> str:
    """What of the package a result depends on besides the name of the weights."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}" if is_asked(classifier) else ""
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=1)
def compressor(model: str) -> Any:
    """The package's PromptCompressor for LLMLingua-2 with these weights. Raises MissingExtra with
    what to install or to fetch.
    """
    if not any(known in model for known in KNOWN):
        raise Mismatch(
            f"the package {PACKAGE} knows models by {' or '.join(map(repr, KNOWN))} in their name; "
            f"{model!r} has neither"
        )
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError as err:
        raise MissingExtra(
            f"classifier={PACKAGE} needs the package {PACKAGE} ({err}); run: {INSTALL}\n"
            "Without it: classifier=trained, which comes with scbench"
        ) from err
    try:
        with seeds_kept():
            return package.PromptCompressor(
                model_name=model,
                device_map="cpu",
                model_config={"trust_remote_code": False},
                use_llmlingua2=True,
                llmlingua2_config={"max_batch_size": BATCH_CHUNKS},
            )
    except (OSError, ValueError) as err:
        raise MissingExtra(
            f"classifier={PACKAGE} could not load what it needs: {str(err).splitlines()[0]}\n"
            f"It needs the weights ({model}; run: hf download {model}) and tiktoken's file "
            f"cl100k_base, which it fetches when first used or "
            "finds in the folder TIKTOKEN_CACHE_DIR. Without them: classifier=trained, which comes "
            "with scbench"
        ) from err


@contextmanager
def seeds_kept() -> Iterator[None]:
    """Random states as before, whatever happens inside: the package seeds Python, numpy and torch
    of the whole process.
    """
    states = (
        random.getstate(),
        np.random.get_state(),
        os.environ.get("PYTHONHASHSEED"),
        torch.backends.cudnn.deterministic,
    )
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        python, numbers, hashes, torch.backends.cudnn.deterministic = states
        random.setstate(python)
        np.random.set_state(numbers)
        if hashes is None:
            os.environ.pop("PYTHONHASHSEED", None)
        else:
            os.environ["PYTHONHASHSEED"] = hashes
