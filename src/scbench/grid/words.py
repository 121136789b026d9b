"""Loose words, from a command line, a notebook or a file, to settings of the right kinds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from scbench import types
from scbench.engines.places import canonical
from scbench.errors import BadConfig, BadRecord
from scbench.grid.settings import Settings
from scbench.methods.quotes import unquoted
from scbench.methods.spelling import apart
from scbench.methods.sweep import swept
from scbench.reading import read_json
from scbench.types import Mode

ALIASES: Mapping[str, str] = {  # words of the command line that are no settings' names
    "model": "models",
    "length": "lengths_tokens",
}
OURS = ("messages", "add_generation_prompt")
LISTS = ("models", "tasks", "methods", "modes", "lengths_tokens")
CHOICES = {
    "prompts": types.PromptSet,
    "history": types.History,
    "compress_after": types.CompressAfter,
    "truncate": types.Truncate,
    "accounting": types.Accounting,
    "equal_at": types.Equal,
    "form": types.Form,
    "units": types.UnitSizes,
    "think": types.Think,
}


def typed_words(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among `given`, typed: tuples for lists, tokens for "4k", enumerations for words.

    None means not given. Names that are no settings' stay, for `read_settings` to refuse. Raises
    BadConfig, Unknown for a task, BadRow for a task's file of data.
    """
    from scbench.grid.task_places import written_tasks
    from scbench.tasks import names as every_task

    words = {ALIASES.get(name, name): value for name, value in given.items() if value is not None}
    for name in LISTS:
        if name in words and not (name == "models" and _is_folder(words[name])):
            words[name] = several(words[name])
    if "models" in words:
        named = words["models"] if isinstance(words["models"], tuple) else (words["models"],)
        words["models"] = tuple(dict.fromkeys(canonical(unquoted(str(name))) for name in named))
    if "tasks" in words:
        asked = every_task() if words["tasks"] == ("all",) else words["tasks"]
        words["tasks"] = written_tasks(asked)
    if "methods" in words:
        spelled = [one for text in words["methods"] for one in swept(str(text))]
        words["methods"] = tuple(dict.fromkeys(spelled))
    if "lengths_tokens" in words:
        words["lengths_tokens"] = tuple(tokens(value) for value in words["lengths_tokens"])
    if "modes" in words:
        words["modes"] = tuple(one_of(Mode, value, "mode") for value in words["modes"])
    for name, kind in CHOICES.items():
        if isinstance(words.get(name), str):
            words[name] = one_of(kind, words[name], f"--{name.replace('_', '-')}")
    for name in ("equal_bytes", "equal_loaded", "seed"):
        if name in words:
            words[name] = str(words[name])
    if "template_args" in words:
        words["template_args"] = template_args(words["template_args"])
    if "out" in words:
        words["out"] = Path(words["out"])
    return words


def template_args(given: object) -> tuple[tuple[str, str], ...]:
    """What a chat template is told, from "name=value,other=value", a mapping, or pairs.

    Values are JSON where they can be read so, text otherwise; they are kept as JSON. Raises
    BadConfig for a word without "=", or a value that JSON has not.

    >>> template_args("enable_thinking=false,style=short")
    (('enable_thinking', 'false'), ('style', '"short"'))
    """
    told = _told(given)
    if ours := [name for name, _ in told if name in OURS]:
        raise BadConfig(
            f"--template-arg {ours[0]}: {' and '.join(OURS)} are told to a template by the run "
            "itself; leave it out"
        )
    return told


def _told(given: object) -> tuple[tuple[str, str], ...]:
    if isinstance(given, str):
        words = [word.partition("=") for word in several(given)]
        if stray := [name for name, sign, _ in words if not sign or not name.isidentifier()]:
            raise BadConfig(
                f"--template-arg {stray[0]!r} is no name=value; write enable_thinking=false, and "
                "several joined by commas"
            )
        return tuple((name, _as_json(value)) for name, _, value in words)
    if isinstance(given, Mapping):
        return tuple((str(name), json.dumps(value)) for name, value in given.items())
    return tuple((str(name), _as_json(str(value))) for name, value in several(given))


def _as_json(text: str) -> str:
    try:
        return json.dumps(read_json(text.encode(), "--template-arg"), ensure_ascii=False)
    except BadRecord:
        return json.dumps(text, ensure_ascii=False)


def known(words: Mapping[str, Any]) -> dict[str, Any]:
    """Of the settings in an older manifest, those that there still are."""
    names = {field.name for field in fields(Settings)}
    return {name: value for name, value in words.items() if name in names}


def tokens(value: object) -> int:
    """4096, "4096", "4k", "128K", "1m" to tokens (k = 1,024)."""
    text = str(value).replace(",", "").replace("_", "")
    found = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)\s*([kKmM]?)", text)
    if not found:
        raise BadConfig(
            f"length {str(value)[:40]!r} is not a number of tokens; write 4096, 4k, 128k or 1m"
        )
    return int(float(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[found[2].lower()])


def several(value: object) -> tuple[Any, ...]:
    """A tuple from a value, a sequence, or words joined by commas outside brackets and quotes."""
    if isinstance(value, str):
        return tuple(part.strip() for part in apart(value, ",") if part.strip())
    return tuple(value) if isinstance(value, Sequence) else (value,)


def _is_folder(name: object) -> bool:
    """Whether a text is the name of one folder, commas and all."""
    try:
        return isinstance(name, str) and "," in name and Path(name).expanduser().is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def one_of(kind: Any, value: object, what: str) -> Any:
    """The member of an enumeration that `value` names. Raises BadConfig, which lists them."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member) for member in kind)
        raise BadConfig(f"{what} {value!r} does not exist; it is one of {allowed}") from None
