"""The files of a model's folder: which count, that they are whole and inside, and their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from scbench.engines.digests import files_digest
from scbench.engines.places import CONFIG, INDEX, SINGLE
from scbench.errors import BadRecord, DataError
from scbench.reading import read_json_file

GENERATION = "generation_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.model",
    "tiktoken.model",
    "tekken.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
MOST_NAMED = 4


def check_files(folder: Path) -> None:
    """Raise DataError unless weights lie in the folder as safetensors, each shard inside it."""
    if not (folder / CONFIG).is_file():
        raise DataError(f"{str(folder)!r} is no model: it has no {CONFIG}; {_expected()}")
    _check_generation(folder / GENERATION)
    names = _used_names(folder)
    if not names:
        raise _no_safetensors(folder)
    for name in names:
        _check_place(folder, name)


def _check_generation(path: Path) -> None:
    """A damaged file would be passed over without a word, and its end tokens with it."""
    if not path.is_file():
        return
    try:
        is_object = isinstance(read_json_file(path, lenient=True), dict)
    except (OSError, BadRecord) as err:
        raise DataError(f"{str(path)!r} is no JSON ({err!s:.200}); take a complete copy") from err
    if not is_object:
        raise DataError(f"{str(path)!r} is no JSON object; take a complete copy of the checkpoint")


def weight_files(folder: Path) -> list[Path]:
    """All weights that transformers may read from this folder."""
    named = {folder / name for name in _used_names(folder)}
    return sorted(named | set(folder.glob("*.safetensors")))


def weights_digest(folder: Path, *more: str, code: bool = False) -> str:
    """SHA-256 over every byte of configuration and weights, and of the model's own `code` if run.

    `more` is what changes the model beyond its files, such as a RoPE rule.
    """
    paths = [folder / CONFIG, *weight_files(folder)]
    paths += sorted(folder.glob("*.py")) if code else []
    return files_digest(folder, paths, *more)


def tokenizer_digest(folder: Path) -> str:
    """SHA-256 over every byte of the tokenizer's files and of the chat templates."""
    paths = [folder / name for name in TOKENIZER_FILES]
    paths += sorted(folder.glob("additional_chat_templates/*.jinja"))
    return files_digest(folder, [path for path in paths if path.is_file()])


def generation_digest(folder: Path) -> str:
    """SHA-256 of generation_config.json; "" without one."""
    return files_digest(folder, [path for path in (folder / GENERATION,) if path.is_file()])


def state_digest(model: Any) -> str:
    """SHA-256 of a model in memory: its configuration, and all bytes of its state dict."""
    import torch

    words = model.config.to_dict()
    for stray in ("_name_or_path", "transformers_version"):
        words.pop(stray, None)
    seal = hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode())
    for name, x in model.state_dict().items():
        seal.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        seal.update(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return seal.hexdigest()


def refuse_unwhole(told: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Raise DataError for tensors that are missing or of another shape; a note on unexpected ones.

    `told` is what transformers says it loaded. Tied weights are not counted as missing there.
    """
    missing = sorted(map(str, told.get("missing_keys") or ()))
    odd = [_as_text(entry) for entry in told.get("mismatched_keys") or ()]
    if missing or odd:
        parts = []
        if missing:
            parts.append(f"{_counted(missing, 'tensor')} missing ({_first(missing)})")
        if odd:
            parts.append(f"{_counted(odd, 'tensor')} of another shape ({_first(sorted(odd))})")
        raise DataError(
            f"the weights in {str(folder)!r} are not whole: {' and '.join(parts)}. They would be "
            "random numbers; take a complete copy, or the config.json that belongs to these weights"
        )
    if errors := [str(error) for error in told.get("error_msgs") or ()]:
        raise DataError(
            f"the weights in {str(folder)!r} could not be taken over: {_first(errors)}; take a "
            "complete copy of the checkpoint"
        )
    unexpected = sorted(map(str, told.get("unexpected_keys") or ()))
    if not unexpected:
        return ()
    return (f"{_counted(unexpected, 'tensor')} of no use to this model ({_first(unexpected)})",)


def _as_text(entry: Any) -> str:
    if isinstance(entry, tuple | list) and len(entry) == 3:
        name, in_file, in_model = entry
        return f"{name}: {_shape(in_file)} for {_shape(in_model)}"
    return str(entry)


def _shape(sizes: Any) -> str:
    return "x".join(str(size) for size in sizes)


def _counted(names: list[str], noun: str) -> str:
    return f"{len(names):,} {noun}{'' if len(names) == 1 else 's'}"


def _first(names: list[str]) -> str:
    more = f", and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


# -- names and places of shards --------------------------------------------------------------


def _used_names(folder: Path) -> list[str]:
    """The files that transformers takes: the single one, else the shards that the index names."""
    if (folder / SINGLE).exists() or (folder / SINGLE).is_symlink():
        return [SINGLE]
    if not (folder / INDEX).is_file():
        return []
    try:
        shards = read_json_file(folder / INDEX, lenient=True)["weight_map"]
        names = {str(shard) for shard in shards.values()}
    except (OSError, KeyError, TypeError, AttributeError, BadRecord) as err:
        raise DataError(
            f"{str(folder / INDEX)!r} is no index of shards ({type(err).__name__}: {err!s:.100}); "
            "it "
            'is {"weight_map": {tensor: file}}; take a complete copy of the checkpoint'
        ) from err
    return sorted(names)


def _check_place(folder: Path, name: str) -> None:
    """A shard lies inside the folder, or among the blobs of the hub cache the folder belongs to."""
    pure = (PurePosixPath(name), PureWindowsPath(name))
    leaves = any(path.is_absolute() or path.drive or ".." in path.parts for path in pure)
    path = folder / name
    if not leaves and path.is_symlink():
        real, home = path.resolve(), folder.resolve()
        blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
        leaves = home not in real.parents and real.parent != blobs
    if leaves:
        raise DataError(
            f"the weights of {str(folder)!r} name {name!r}, which lies outside it; a checkpoint "
            "reads only its own files: copy the shard into the folder"
        )
    if not path.is_file():
        raise DataError(
            f"{str(folder)!r} lacks {name!r}, one of its weight files; take a complete copy"
        )


def _no_safetensors(folder: Path) -> DataError:
    pickles = sorted(
        path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)
    )
    if pickles:
        return DataError(
            f"{str(folder)!r} has its weights as {pickles[0]}, a pickle, which can run code when "
            "it "
            "is read; only safetensors are read here. If you trust it, convert it once: python -c "
            '"from transformers import AutoModelForCausalLM as M; '
            f"M.from_pretrained('{folder}').save_pretrained('{folder}-safe')\", and copy the "
            "tokenizer's files beside it"
        )
    gguf = sorted(path.name for path in folder.glob("*.gguf"))
    held = f"it has {gguf[0]}, and GGUF files must be converted first; " if gguf else ""
    return DataError(f"{str(folder)!r} has no weights: {held}{_expected()}")


def _expected() -> str:
    return (
        f"a model's folder holds {CONFIG}, tokenizer.json and {SINGLE} (or {INDEX} with its shards)"
    )
