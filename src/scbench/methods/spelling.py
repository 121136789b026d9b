"""How a stage is spelled: `name[field=value,...]` with non-default fields only.

One spelling in Python, file and flag. A preset keeps its name: `snapkv[preset=longbench,tau=1/4]`.
A value with signs that mean something here stands in quotes, a quote in it twice:
`cacheblend[separator=" # # "]`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from itertools import accumulate
from typing import Any

from scbench.errors import BadConfig
from scbench.methods.described import PRESET, card_of, default_of, typed
from scbench.methods.origin import shown_name
from scbench.methods.quotes import QUOTE, in_quotes, unquoted

UNIONS = (types.UnionType, typing.Union)  # `Literal[...] | None` is the second
FILE = ".py"  # what a stage from somebody's file has in its name: path/to/file.py:ClassName
PART = re.compile(r'^(?P<name>(?:"[^"]*"|[^\[\]"])+?)(?:\[(?P<params>.*)\])?$', re.DOTALL)
LABEL = re.compile(r"^(?P<label>[A-Za-z0-9][\w.-]*)=(?P<rest>.+)$", re.DOTALL)


def spell(stage: Any, name: str | None = None) -> str:
    """The canonical spelling of a stage, under `name` or the one it is shown by: what differs from
    the preset that it was made from, or else from the defaults."""
    preset = preset_values(type(stage), stage.preset)
    said = [f"{PRESET}={stage.preset}"] if stage.preset else []
    said += [
        f"{f.name}={quoted(typed(getattr(stage, f.name)))}"
        for f in fields(stage)
        if f.name != PRESET and getattr(stage, f.name) != preset.get(f.name, default_of(f))
    ]
    shown = name or shown_name(type(stage))
    return f"{shown}[{','.join(said)}]" if said else shown


def split(text: str) -> list[str]:
    """'a+b[x=1]+c' at the plus signs that stand outside brackets and quotes."""
    parts = apart(text, "+")
    if not is_balanced(text) or not all(part.strip() for part in parts):
        raise BadConfig(
            f"the method {text!r} is not well formed; write stages joined by +, for instance "
            'a-shape+snapkv[tau=1/16], and a path with odd signs in quotes: "dir/a+b.py":Class'
        )
    return [part.strip() for part in parts]


def is_balanced(text: str) -> bool:
    """Whether brackets and quotes that open are closed."""
    bare = re.sub(r'"[^"]*"', "", text)
    return '"' not in bare and bare.count("[") == bare.count("]")


def apart(text: str, mark: str) -> list[str]:
    """`text` at the marks that stand outside brackets and quotes."""
    parts: list[str] = []
    depth = start = 0
    is_quoted = False
    for at, sign in enumerate(text):
        is_quoted ^= sign == '"'
        if is_quoted:
            continue
        depth += (sign == "[") - (sign == "]")
        if sign == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def read_labelled(text: str) -> tuple[str, str, dict[str, str]]:
    """'mine=a/knorm.py:Knorm[tau=1/4]' to ('mine', 'a/knorm.py:Knorm', {'tau': '1/4'})."""
    found = LABEL.match(text)
    label = found["label"] if found else ""
    name, params = read_part(found["rest"] if found else text)
    return label, name, params


def read_part(text: str) -> tuple[str, dict[str, str]]:
    """'kivi[bits=2]' to ('kivi', {'bits': '2'})."""
    found = PART.match(text)
    if not found:
        raise BadConfig(f"{text!r} is not a method; write NAME or NAME[parameter=value,...]")
    return found["name"].strip(), read_params(found["params"] or "", written=text)


def read_params(words: str, *, written: str) -> dict[str, str]:
    """'bits=2,group=64' to {'bits': '2', 'group': '64'}; `written` is where it stands."""
    params: dict[str, str] = {}
    for item in filter(None, apart(words, ",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise BadConfig(f"{written!r}: {item!r} is not parameter=value")
        name = key.strip().replace("-", "_")
        if name in params:
            raise BadConfig(f"{written!r} gives {name} twice; give it once")
        bare = value.strip()
        params[name] = unquoted(bare) if bare == value or bare[:1] == QUOTE else Stripped(bare)
    return params


class Stripped(str):
    """A value whose blanks at its ends were taken off: a text may have meant them."""


def quoted(value: str) -> str:
    """A parameter's value as it is written: in quotes where it would be read as another without."""
    is_whole = value == value.strip() and QUOTE not in value and _is_nested(value)
    if is_whole and all(apart(value, mark) == [value] for mark in ",|"):
        return value
    return in_quotes(value)


def _is_nested(text: str) -> bool:
    """Whether every bracket that closes was opened, and the other way round."""
    depths = list(accumulate((sign == "[") - (sign == "]") for sign in text))
    return not depths or (min(depths) >= 0 and depths[-1] == 0)


def build(cls: type[Any], params: Mapping[str, str], *, written: str) -> Any:
    """A stage from its parameters as text; a stray or malformed one is an error that names what is
    allowed.
    """
    chosen = dict(params)
    given: dict[str, object] = {}
    preset = chosen.pop(PRESET, "")
    if preset:
        presets = card_of(cls).presets
        if preset not in presets:
            has = ", ".join(sorted(presets)) or "none"
            raise BadConfig(f"{written!r}: {cls.name} has no preset {preset!r}; it has {has}")
        given |= preset_values(cls, preset) | {PRESET: preset}
    hints = typing.get_type_hints(cls)
    known = [f.name for f in fields(cls) if f.init and f.name != PRESET]
    for key, value in chosen.items():
        if key not in known:
            takes = ", ".join(known) or "none"
            raise BadConfig(f"{written!r}: {cls.name} has no parameter {key!r}; it takes {takes}")
        given[key] = value_of(hints[key], value, f"{written!r}: {key}")
    return cls(**given)


def preset_values(cls: type[Any], preset: str) -> dict[str, object]:
    """The parameters that a preset sets; none for "", which is none."""
    if not preset:
        return {}
    where = f"{cls.name}[{PRESET}={preset}]"
    hints = typing.get_type_hints(cls)
    words = read_params(card_of(cls).presets[preset], written=where)
    return {key: value_of(hints[key], text, f"{where}: {key}") for key, text in words.items()}


def preset_sizes(stage: Any) -> dict[str, int]:
    """The whole numbers that a stage's preset sets, where they are still its own."""
    values = preset_values(type(stage), stage.preset)
    return {
        name: value
        for name, value in values.items()
        if type(value) is int and getattr(stage, name) == value
    }


def value_of(hint: Any, text: str, where: str) -> object:
    """A parameter's value from its text. Raises BadConfig, which says what is taken."""
    kinds = [
        kind
        for kind in (typing.get_args(hint) if typing.get_origin(hint) in UNIONS else (hint,))
        if kind is not type(None)
    ]
    if kinds[0] is str and isinstance(text, Stripped):
        raise BadConfig(
            f"{where} is {str(text)!r} with a blank at an end; put it in quotes where the blank is "
            f"meant ({in_quotes(text + ' ')}), and leave the blank out where it is not"
        )
    if text == "none" and type(None) in typing.get_args(hint):
        return None
    kind = kinds[0]
    try:
        if kind is bool:
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[
                text.lower()
            ]
        if typing.get_origin(kind) is typing.Literal:
            allowed = typing.get_args(kind)
            return next(word for word in allowed if str(word) == text)
        return kind(text)
    except (ValueError, KeyError, StopIteration, ZeroDivisionError):
        wanted = {
            int: "a whole number",
            float: "a number",
            Fraction: "a share such as 1/16 or 0.25",
            bool: "yes or no",
        }
        takes = wanted.get(kind) or "one of " + ", ".join(map(str, typing.get_args(kind)))
        raise BadConfig(f"{where} is {text!r}; it takes {takes}") from None
