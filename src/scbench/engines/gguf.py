"""Models in one GGUF file: converted once into a folder of the user's cache.

`transformers` reads the file and unpacks its blocks; what it read is saved as safetensors with the
tokenizer, so that from then on the model is a folder like any other.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench.engines.cache import cache_root
from scbench.engines.digests import file_digest
from scbench.errors import DataError

if TYPE_CHECKING:
    import torch

SUFFIX = ".gguf"
MAGIC = b"GGUF"
# Words that end a turn in one vocabulary or another; a GGUF file names one end token alone.
ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
    "<|end_of_text|>",
)
DIGITS = 16  # of the digest, in the name of a converted folder


def is_gguf(path: Path) -> bool:
    """Whether a name is that of a GGUF file that is there."""
    try:
        return path.suffix.casefold() == SUFFIX and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def gguf_folder(path: Path) -> Path:
    """The folder that a GGUF file is converted to, made at the first call.

    Raises DataError for a file that is none, or that transformers cannot read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DataError(f"{str(path)!r} is no GGUF file: it does not begin with GGUF")
    return converted(path, f"{path.stem}-{file_digest(path)[:DIGITS]}")


def converted(gguf: Path, name: str) -> Path:
    """The folder `name` of the cache with the model in `gguf`, in float16; made if it is not there.

    The blocks of a quantised file are unpacked to float16, which holds their steps to 1 in 2,000.
    """
    import torch

    target = cache_root() / name
    if not (target / "config.json").exists():
        size = gguf.stat().st_size / (1 << 20)
        print(
            f"scbench: converting {gguf.name} once ({size:,.0f} MiB, about a minute a gigabyte)",
            file=sys.stderr,
            flush=True,
        )
        convert(gguf, target, torch.float16, ends=ENDS)
    return target


def convert(gguf: Path, target: Path, dtype: torch.dtype, *, ends: Sequence[str] = ()) -> None:
    """Put the model of a GGUF file into the folder `target`, whole or not at all.

    Of `ends`, those that are special tokens of its vocabulary end answers too.
    """
    from scbench.engines.foreign import loading, without_bars

    target.parent.mkdir(parents=True, exist_ok=True)
    what = f"the GGUF file {str(gguf)!r}"
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        half = Path(scratch) / "model"
        unheard = contextlib.redirect_stderr(io.StringIO())  # a bar that cannot be switched off
        with unheard, without_bars(), loading(what, "give a folder with safetensors"):
            _save(gguf, half, dtype, ends)
        try:
            half.rename(target)
        except OSError:
            # another process may have been quicker; anything else is an error
            if not (target / "config.json").exists():
                raise


def _save(gguf: Path, half: Path, dtype: torch.dtype, ends: Sequence[str]) -> None:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.save_pretrained(half)
    blocks = getattr(transformers, "GgufConfig", None)  # older versions always unpack
    more = {} if blocks is None else {"quantization_config": blocks(dequantize=True)}
    read, told = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=dtype, output_loading_info=True, **more
    )
    _refuse_unwhole(told, gguf)
    words = read.config.to_dict()
    words.pop("quantization_config", None)
    # transformers will not save what came from GGUF; a copy it will
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(type(read.config)(**words), dtype=dtype)
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    if found := _end_ids(tokenizer, ends):
        own = plain.generation_config.eos_token_id
        plain.generation_config.eos_token_id = sorted({*found, *([] if own is None else [own])})
    plain.save_pretrained(half)


def _refuse_unwhole(told: Mapping[str, Any], gguf: Path) -> None:
    """Raise DataError for tensors that the file lacks, or has in another shape: transformers fills
    them with random numbers."""
    lost = sorted(
        {
            str(entry[0]) if isinstance(entry, tuple | list) else str(entry)
            for kind in ("missing_keys", "mismatched_keys")
            for entry in told.get(kind) or ()
        }
    )
    if lost:
        raise DataError(
            f"the GGUF file {str(gguf)!r} is not whole: {len(lost):,} tensors are missing or of "
            f"another shape ({', '.join(lost[:3])}...). They would be random numbers; take a "
            "complete copy (some files hold a vocabulary alone)"
        )


def _end_ids(tokenizer: Any, ends: Sequence[str]) -> set[int]:
    """The ids of those of `ends` that are special tokens."""
    added = tokenizer.added_tokens_decoder
    return {number for number, token in added.items() if token.special and token.content in ends}
