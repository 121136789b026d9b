"""Who says which words of a text can go: a score of staying per word. A statistic that needs
nothing (`selective-context`), a small network of our own, or a published token classifier run
through `transformers`. (The package llmlingua, which cuts by itself, is in `llmlingua_package.py`.)
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Any, Protocol, Self

from scbench.errors import DataError, Mismatch, MissingExtra, ScbenchError, Unknown
from scbench.methods.generation import llmlingua_package, small_classifier
from scbench.methods.generation.small_classifier import pieces_of
from scbench.tensors import torch

UNIGRAM = "unigram"
TRAINED = "trained"
PUBLISHER = "microsoft/llmlingua-2-"
SEALED = (".json", ".safetensors", ".model", ".txt")  # files that make a classifier


class WordClassifier(Protocol):
    """`pieces` are what a chunk's limit and a word's weight count; at least 1 for a word that says
    anything.
    """

    chunk_pieces: int

    def pieces(self, words: Sequence[str]) -> list[int]: ...

    def having_read(self, words: Sequence[str]) -> WordClassifier:
        """This classifier, knowing the whole text whose chunks it will be asked about."""
        ...

    def keep(self, words: Sequence[str]) -> list[float]:
        """How much each word of one chunk should stay."""
        ...


class Unigram:
    """Self-information of a word among those read so far: what is rare or new stays. No weights,
    deterministic, any language.
    """

    chunk_pieces = 510

    def pieces(self, words: Sequence[str]) -> list[int]:
        return pieces_of(words)

    def having_read(self, words: Sequence[str]) -> Self:
        return self  # it counts within a chunk

    def keep(self, words: Sequence[str]) -> list[float]:
        seen: Counter[str] = Counter()
        found = []
        for at, word in enumerate(words):
            form = word.strip(".,;:!?\"'()[]").casefold()
            found.append(-log2((seen[form] + 1) / (at + len(words))) + min(len(form), 12) / 12)
            seen[form] += 1
        return found


class TrainedClassifier:
    """A `transformers` token classification model whose label 1 means "stays"; a word's probability
    is the mean over its pieces.

    The published one is microsoft/llmlingua-2-xlm-roberta-large-meetingbank. Runs on the CPU, a
    chunk at a time.
    """

    chunk_pieces = 510
    tokenizer: Any
    model: Any

    def __init__(self, name: str) -> None:
        from huggingface_hub import constants

        try:
            try:
                self.tokenizer, self.model = _read(name, local_files_only=True)
            except OSError:
                if constants.HF_HUB_OFFLINE or Path(name).expanduser().is_dir():
                    raise
                print(f"scbench: asking the hub for the word classifier {name}", file=sys.stderr)
                self.tokenizer, self.model = _read(name, local_files_only=False)
        except (ScbenchError, KeyboardInterrupt):
            raise
        except BaseException as err:  # panics of compiled packages are no Exception
            why = next(iter(str(err).splitlines()), "") or type(err).__name__
            raise not_loaded(name, why) from err
        if self.model.config.num_labels != 2:
            raise Mismatch(
                f"the word classifier {name!r} has {self.model.config.num_labels} labels; two are "
                f"needed: goes, stays"
            )

    def pieces(self, words: Sequence[str]) -> list[int]:
        return (
            [len(ids) for ids in self.tokenizer(list(words), add_special_tokens=False)["input_ids"]]
            if words
            else []
        )

    def having_read(self, words: Sequence[str]) -> Self:
        return self  # its attention ends with the chunk

    def keep(self, words: Sequence[str]) -> list[float]:
        encoded = self.tokenizer(
            [list(words)],
            is_split_into_words=True,
            truncation=True,
            max_length=self.chunk_pieces + 2,
            return_tensors="pt",
        )
        with torch.inference_mode():
            stays_T = torch.softmax(self.model(**encoded).logits[0].float(), dim=-1)[:, 1]
        sums, counts = [0.0] * len(words), [0] * len(words)
        for word, stays in zip(encoded.word_ids(0), stays_T.tolist(), strict=True):
            if word is not None:
                sums[word] += stays
                counts[word] += 1
        return [total / count if count else 0.0 for total, count in zip(sums, counts, strict=True)]


def _read(name: str, *, local_files_only: bool) -> tuple[Any, Any]:
    """Tokenizer and model, whole, as safetensors; code that comes with them is never run.

    Raises DataError for weights with tensors missing: they would be random numbers.
    """
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    words: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local_files_only}
    tokenizer = AutoTokenizer.from_pretrained(name, **words)
    model, told = AutoModelForTokenClassification.from_pretrained(
        name, use_safetensors=True, output_loading_info=True, **words
    )
    if missing := sorted(map(str, told["missing_keys"])):
        raise DataError(
            f"the word classifier {name!r} is not whole: its weights lack {len(missing)} tensors "
            f"({', '.join(missing[:4])}); give a checkpoint trained for token classification"
        )
    return tokenizer, model.eval()


def not_loaded(name: str, why: str) -> Unknown | MissingExtra:
    """MissingExtra for published weights that are not on this machine, Unknown for a name that may
    be anything.
    """
    if name.startswith(PUBLISHER):
        return MissingExtra(
            f"the published word classifier {name!r} could not be loaded: {why}\nRun: hf download "
            f"{name}\nWithout it: {TRAINED!r} or {UNIGRAM!r}, which come with scbench"
        )
    return Unknown(
        f"the word classifier {name!r} could not be loaded: {why}\nGive a folder with a token "
        f"classification checkpoint, a hub name this machine can reach or has cached, "
        f"{llmlingua_package.PACKAGE!r} for the package of that name, or the one that comes with "
        f"scbench: {TRAINED!r}"
    )


@lru_cache(maxsize=2)
def classifier(name: str) -> WordClassifier:
    """The classifier of that name; loaded once. Raises Unknown, MissingExtra or DataError."""
    return small_classifier.load() if name == TRAINED else TrainedClassifier(name)


def digest(name: str) -> str:
    """Of every byte of weights, configuration and tokenizer, or of the package.

    "" for a hub name that is not in the hub's cache: what it will be is not known yet.
    """
    if name == TRAINED:
        return small_classifier.digest()
    if llmlingua_package.is_asked(name):
        return llmlingua_package.digest(name) + digest(name.partition(":")[2] or "")
    folder = _folder(name) if name else None
    if folder is None:
        return ""
    seal = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.suffix in SEALED):
        seal.update(file.name.encode() + bytes.fromhex(_bytes_digest(file)))
    return seal.hexdigest()


def _folder(name: str) -> Path | None:
    """A folder of that name, or the hub's snapshot of it."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub allows
        return None
    return Path(config).parent if isinstance(config, str) else None


def _bytes_digest(file: Path) -> str:
    """SHA-256 of a file; a large file of the hub's cache is named by it."""
    blob = file.resolve()
    is_named = file.is_symlink() and blob.parent.name == "blobs"
    if is_named and re.fullmatch("[0-9a-f]{64}", blob.name):
        return blob.name
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
