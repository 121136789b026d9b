"""The package's own small models: where their files lie, how long the texts were that they learned
from, and what they solve.

They are ordinary checkpoints with a `card.json` beside config.json; nothing here knows how they
were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from scbench.errors import BadRecord, DataError, Unknown
from scbench.reading import read_json_file
from scbench.types import PAPER_MODES

CARD, TRAINED = "card.json", "trained_window_tokens"
LAB_MODELS: Mapping[str, str] = {
    "lab-transformer": "1.25M parameters, trained on the tiny forms of all tasks: grouped-query "
    "attention",
    "lab-mamba2": "the same, trained on the same tokens: a gated linear RNN (Mamba-2)",
    "lab-hybrid": "the same, trained on the same tokens: Mamba-2 and attention layers in turn",
}


def lab_folder(name: str) -> Path:
    """The folder of a lab model. Raises Unknown if this installation has no weights of it."""
    folder = Path(str(files("scbench").joinpath("lab", "weights", name)))
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        arch = name.removeprefix("lab-")
        raise Unknown(
            f"this installation has no weights of {name!r}; make them with `scbench lab train "
            f"--arch {arch} --out FOLDER` and give "
            "--model FOLDER/model"
        )
    return folder


def trained_window(place: Path | str) -> int | None:
    """The longest text, in tokens, that the model in this folder was trained on, as its card says;
    None without such a card.
    """
    path = place / CARD if isinstance(place, Path) else None
    if path is None or not path.is_file():
        return None
    try:
        card = read_json_file(path)
        tokens = card.get(TRAINED)
    except (OSError, AttributeError, BadRecord) as err:
        raise DataError(
            f"{str(path)!r} is not the card of a model ({err}); it is a JSON object"
        ) from err
    if tokens is None:
        return None
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        raise DataError(f"{str(path)!r} has {TRAINED}: {tokens!r}; it is a whole number from 1")
    return tokens


def solves(model: str, task: str, length_tokens: int, mode: str) -> bool | None:
    """Whether full attention of `model` passes the gate of its card here: at this length or, where
    that was not measured, at the next longer one.

    None for a model without a card that says so (any model but the lab's), and for a mode that
    cards do not speak of: what dense scores in the run then decides.
    """
    found = _cells(model)
    if found is None or mode not in PAPER_MODES:
        return None
    longer = sorted(
        length
        for name, length, way in found
        if (name, way) == (task, mode) and length >= length_tokens
    )
    return found[task, longer[0], mode] if longer else False


@lru_cache
def _cells(model: str) -> dict[tuple[str, int, str], bool] | None:
    """(task, context tokens, mode) -> passes, from the card of a lab model or of the model in a
    folder.
    """
    try:
        path = (lab_folder(model) if model in LAB_MODELS else Path(model)) / CARD
        return {
            (one["task"], one["length_tokens"], one["mode"]): one["passes"]
            for one in read_json_file(path)["cells"]
        }
    except (OSError, KeyError, TypeError, BadRecord, Unknown):
        return None


def beyond(name: str, trained_tokens: int) -> str:
    """What to tell whoever meets the end of a trained window."""
    return (
        f"{name} was trained on texts of up to {trained_tokens:,} tokens; take a shorter context "
        "or fewer turns. A larger window (--window M) is possible as far as its positions reach, "
        "and then every record carries the note beyond_trained_window"
    )
