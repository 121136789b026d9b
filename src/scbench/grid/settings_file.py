"""`run.toml`: the settings of a run, written beside its results and read back by `--config`.

It has no checksum, since people edit it; what a run really did stands in its manifest.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from scbench.errors import BadConfig
from scbench.files import write_atomically
from scbench.grid.method_files import read_in, seen_from
from scbench.grid.settings import OF_A_COMMAND, Settings
from scbench.grid.words import several

NAME = "run.toml"
HEAD = (
    "# What this folder holds. To play it again, or on: scbench run --config THIS_FILE\n"
    "# Paths of methods in files are relative to this folder.\n"
)
LEFT_OUT = ("out", *OF_A_COMMAND)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write `run.toml` into a run's folder. Raises CannotWrite."""
    lines = [
        f"{name} = {_toml(value)}\n"
        for name, value in portable(settings, folder).items()
        if name not in LEFT_OUT and value is not None
    ]
    write_atomically(folder / NAME, (HEAD + "".join(lines)).encode())


def read_words(path: Path) -> dict[str, Any]:
    """The settings of a file, as words that `api.settle` takes. Raises BadConfig."""
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise BadConfig(
            f"--config {str(path)!r} cannot be read ({err.strerror}); give the run.toml of a run"
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as err:
        raise BadConfig(f"--config {str(path)!r} is not TOML: {err}") from err
    known = {field.name for field in fields(Settings)}
    if stray := sorted(words.keys() - known):
        raise BadConfig(
            f"--config {str(path)!r} has {', '.join(stray)}, and a run takes "
            f"{', '.join(sorted(known))}"
        )
    if "methods" in words:
        told = f"--config {str(path)!r}"
        methods = [str(method) for method in several(words["methods"])]
        words["methods"] = read_in(path.parent, methods, must_be_there=told)
    return words


def portable(settings: Settings, folder: Path) -> dict[str, Any]:
    """`plain`, with methods in files as a file in `folder` writes them."""
    words = plain(settings)
    return {**words, "methods": seen_from(folder, words["methods"])}


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as text, numbers and lists, in the order they are declared."""
    return {field.name: plain_value(getattr(settings, field.name)) for field in fields(settings)}


def plain_value(value: object) -> Any:
    """A setting as text, number or list."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return [plain_value(item) for item in value] if isinstance(value, tuple | list) else value


def _toml(value: object) -> str:
    # TOML's basic strings, numbers and booleans are written as JSON's; so are lists of them.
    assert isinstance(value, str | int | float | bool | list), f"{value!r} has no place in TOML"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
