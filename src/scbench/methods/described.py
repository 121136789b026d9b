"""What a stage's class is called and said to be: by its card if it is ours, by itself if not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import FunctionType, MappingProxyType
from typing import Any

from scbench.errors import BadConfig
from scbench.methods.card import OBSERVED, SAID, Card
from scbench.methods.cards import BY_PLACE
from scbench.methods.traits import Traits

BLACK_BOX = "black box"  # the category of somebody's own object
PRESET = "preset"  # a stage's parameter that names the values of several others
USUAL = {  # of a stage that names none
    "generation": "sparse attention",
    "compression": "KV dropping",
    "retrieval": "KV retrieval",
    "loading": "KV loading",
}
CODING = "quantization"  # of a compression that writes down, and drops nothing


def place_of(cls: type) -> str:
    """Where a class stands, as cards write it: module:Class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def house_card(cls: type) -> Card | None:
    """The card of one of our own methods."""
    return BY_PLACE.get(place_of(cls))


def card_of(cls: type) -> Card:
    """The card of any stage, or of a black box: a stranger's is made of what its class says of
    itself in class attributes."""
    house = house_card(cls)
    if house is not None:
        return house
    said = {name: value for name in SAID if (value := _said(cls, name)) is not None}
    stage = getattr(cls, "stage", "")
    is_stage = isinstance(stage, str) and bool(stage)
    return Card(
        name=getattr(cls, "name", "") if is_stage else cls.__name__,
        place=place_of(cls),
        stage=stage if is_stage else "none",
        category=_said(cls, "category") or (_usual(cls) if is_stage else BLACK_BOX),
        needs=_needs(cls) if is_stage else (),
        parameters=defaults_of(cls) if is_stage else {},
        **{**said, "presets": _presets(cls, said.get("presets", {}))},
    )


def _usual(cls: Any) -> str:
    return CODING if hasattr(cls, "encode") else USUAL[cls.stage]


def _said(cls: type, name: str) -> Any:
    """A class attribute, or what the card of the nearest base of ours says under this name."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
        house = house_card(base)
        if house is not None:
            return getattr(house, name)
    return None


def _presets(cls: Any, presets: object) -> Mapping[str, str]:
    is_text = isinstance(presets, Mapping) and all(
        isinstance(words, str) for pair in presets.items() for words in pair
    )
    if not is_text:
        raise BadConfig(
            f"{cls.__name__}.presets is {presets!r:.80}; a preset is a name and its parameters as "
            "they are typed: {'paper': 'sink_tokens=4,rolling=yes'}"
        )
    return MappingProxyType(dict(presets))  # type: ignore[call-overload]


def _needs(cls: Any) -> tuple[str, ...]:
    observed = cls.needs if isinstance(cls.needs, frozenset) else frozenset()  # a property: unknown
    passes = cls.traits.extra_passes if isinstance(cls.traits, Traits) else 0
    return (
        *(OBSERVED.get(need, need) for need in sorted(observed)),
        *([f"{passes} more pass{'es' if passes > 1 else ''}"] if passes else []),
    )


def defaults_of(cls: Any) -> dict[str, str]:
    """Parameters with their defaults, as they are typed; a parameter that must be given: ''."""
    if not is_dataclass(cls):
        return {}
    return {
        field.name: "" if field.default is MISSING else typed(default_of(field))
        for field in fields(cls)
        if field.init and field.name != PRESET
    }


def default_of(field: Field[Any]) -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def typed(value: object) -> str:
    """A parameter's value as it is typed: yes, none, 1/16."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def mend_super(cls: type) -> None:
    """Let zero-argument `super()` work in a dataclass with `slots=True`.

    Such a class is made twice, and before Python 3.14 its methods go on meaning the first one:
    `super()` then raises TypeError in every method of the class that is used.
    """
    for function in _functions(cls):
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name == "__class__" and _is_first_of(cell.cell_contents, cls):
                cell.cell_contents = cls


def _is_first_of(first: object, cls: type) -> bool:
    return isinstance(first, type) and first is not cls and place_of(first) == place_of(cls)


def _functions(cls: type) -> Iterator[FunctionType]:
    for value in vars(cls).values():
        accessors = (
            (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        )
        for accessor in accessors:
            inner: Any = getattr(accessor, "__func__", accessor)
            function = inspect.unwrap(inner) if callable(inner) else None
            if isinstance(function, FunctionType):
                yield function
