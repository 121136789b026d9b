"""The state of a training run on disk: written whole or not at all, read without running anything
that is in it.

`checkpoint.pt` holds tensors and plain values only (`torch.load(weights_only=True)`). `model/`
beside it is an ordinary transformers checkpoint (safetensors, fp32) that `--model` takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from scbench.engines.foreign import without_bars
from scbench.errors import BadConfig, CannotWrite, DataError
from scbench.files import sync_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORMAT = 1
WEIGHTS = "model.safetensors"


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Replace `path` by this state: to a file beside it, to the disk, then renamed, so that a kill
    leaves the old or the new.
    """
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written ({error}); the checkpoint before it is kept"
        ) from error


def load(path: Path) -> dict[str, Any] | None:
    """The state at `path`, on the CPU; None if there is none."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        number = state["format"]
    except Exception as error:  # torch raises many kinds for a broken file
        raise DataError(
            f"{path} is not a checkpoint of `scbench lab train` ({error}); take another --out, or "
            f"remove it"
        ) from error
    if number != FORMAT:
        raise DataError(
            f"{path} has format {number}, this version reads {FORMAT}; take another --out"
        )
    return state


def check_same(settings: Mapping[str, Any], saved: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on under other settings, naming each that differs."""
    differing = [
        f"{name} is {settings.get(name)!r} and was {saved.get(name)!r}"
        for name in sorted(settings.keys() | saved.keys())
        if settings.get(name) != saved.get(name)
    ]
    if differing:
        raise BadConfig(
            f"{path} was made with other settings: {'; '.join(differing)}. Give the same, or "
            f"another --out"
        )


def export(
    model: PreTrainedModel,
    folder: Path,
    *,
    card: Mapping[str, Any],
    save_tokenizer: Callable[[Path], object] | None,
) -> None:
    """Write an ordinary transformers checkpoint to `folder`: the model, how it was made
    (`lab.json`), and its tokenizer's files.
    """
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    try:
        for left_over in (fresh, old):
            shutil.rmtree(left_over, ignore_errors=True)
        with without_bars():
            model.save_pretrained(fresh)
        (fresh / "lab.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
        if save_tokenizer is not None:
            save_tokenizer(fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be written ({error})") from error


def weights_sha256(folder: Path) -> str:
    """Of the model.safetensors in a model's folder. Raises BadConfig if there is none."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise BadConfig(
            f"{folder} holds no {WEIGHTS}; give the folder of a model, for instance OUT/model of "
            f"an earlier `scbench lab train`"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_weights(model: PreTrainedModel, folder: Path) -> None:
    """Put the weights of an exported model into `model`. Raises BadConfig where names or shapes
    differ.
    """
    saved = load_file(folder / WEIGHTS)
    tied = {
        name
        for name, value in model.state_dict().items()
        if name not in saved and "lm_head" in name
    }
    try:
        missing, stray = model.load_state_dict(saved, strict=False)
    except RuntimeError as error:
        raise BadConfig(
            f"{folder} holds another shape of model ({error}); start from the same --arch and "
            f"--size"
        ) from error
    if stray or set(missing) - tied:
        raise BadConfig(
            f"{folder} holds another model: {', '.join([*stray, *missing][:4])}; start from the "
            f"same --arch and --size"
        )
