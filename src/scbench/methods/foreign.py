"""A method that is somebody's own object: a patched model, a server, a cache of their making.

Its class has `open`, `ask` and `close` (`play/foreign.py` says what each gets), or `patch(model)`,
or is a `transformers.Cache`; it derives from no stage. Nothing of its cache is seen, so it composes
with nothing, and its bytes are what it declares.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import typing
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scbench.errors import BadConfig
from scbench.methods.described import typed
from scbench.methods.spelling import quoted, value_of

VERBS = ("open", "ask", "close")
_SIGNATURES = {
    "open": "open(self, prompt)",
    "ask": "ask(self, handle, prompt, limit_tokens)",
    "close": "close(self, handle)",
}
_PLAIN = re.compile(r"[\w./:-]{1,64}")  # a text that can stand in a spelling as it is


def is_foreign_class(found: object) -> bool:
    """Whether objects of a class can be asked, or can answer with the run's model."""
    return inspect.isclass(found) and (
        all(callable(getattr(found, verb, None)) for verb in VERBS)
        or is_cache_class(found)
        or is_patch_class(found)
    )


def lacking(kind: type) -> str:
    """What a class with some of a black box's verbs lacks; "" for one with all, or none, of them.

    >>> class Half:
    ...     def open(self, prompt): ...
    ...     def ask(self, handle, prompt, limit_tokens): ...
    >>> lacking(Half)
    'Half lacks close: define close(self, handle); what answers by itself has open, ask and close'
    """
    lacks = [verb for verb in VERBS if not callable(getattr(kind, verb, None))]
    if len(lacks) in (0, len(VERBS)):
        return ""
    needed = " and ".join(_SIGNATURES[verb] for verb in lacks)
    return (
        f"{kind.__name__} lacks {' and '.join(lacks)}: define {needed}; what answers by itself has "
        "open, ask and close"
    )


def is_cache_class(found: type) -> bool:
    """Whether it derives from `transformers.Cache`; asked without importing that."""
    return any(
        (base.__module__, base.__name__) == ("transformers.cache_utils", "Cache")
        for base in found.__mro__
    )


def is_patch_class(found: type) -> bool:
    """Whether its objects change a model: `patch(model)` gives the one to run."""
    return callable(getattr(found, "patch", None))


@dataclass(frozen=True, slots=True)
class ForeignMethod:
    """Somebody's class and the keywords its objects are made with.

    >>> class Echo:
    ...     def __init__(self, size: int = 3) -> None:
    ...         self.size = size
    >>> foreign = ForeignMethod.of(Echo, {"size": "5"}, written="ext.py:Echo[size=5]")
    >>> foreign.make().size, foreign.spelled("ext.py:Echo")
    (5, 'ext.py:Echo[size=5]')
    """

    kind: type
    given: tuple[tuple[str, object], ...] = ()  # what differs from the defaults
    box: object = field(default=None, compare=False)  # an object in hand: it answers every cell
    name: str = ""  # of what was handed over; a file's class is written by its place

    @classmethod
    def of(cls, kind: type, params: Mapping[str, str], *, written: str) -> ForeignMethod:
        """From parameters as text. Raises BadConfig for a stray, malformed or missing one."""
        known = _keywords(kind)
        hints = _hints(kind)
        given: dict[str, object] = {}
        for name, text in params.items():
            if name not in known:
                takes = ", ".join(known) or "none"
                raise BadConfig(
                    f"{written!r}: {kind.__name__} has no parameter {name!r}; it takes {takes}"
                )
            default = known[name].default
            hint = hints.get(
                name, str if default in (inspect.Parameter.empty, None) else type(default)
            )
            value = value_of(hint, text, f"{written!r}: {name}")
            if value != default:
                given[name] = value
        lacking = [
            name
            for name, parameter in known.items()
            if parameter.default is inspect.Parameter.empty and name not in given
        ]
        if lacking:
            words = ",".join(f"{name}=..." for name in lacking)
            raise BadConfig(f"{written!r}: {kind.__name__} must be given [{words}]")
        return cls(kind, tuple((name, given[name]) for name in known if name in given))

    @classmethod
    def in_hand(cls, box: object) -> ForeignMethod:
        """An object as it is now: known by its class, and by those of its constructor's keywords
        that it keeps under their names."""
        kind = type(box)
        given: list[tuple[str, object]] = []
        for name, parameter in _keywords(kind).items():
            value = getattr(box, name, parameter.default)
            if value is parameter.default:
                continue
            spelled = _spelled_value(value)
            if spelled != parameter.default:
                given.append((name, spelled))
        return cls(kind, tuple(given), box, kind.__name__)

    @property
    def is_cache(self) -> bool:
        return is_cache_class(self.kind)

    @property
    def is_patch(self) -> bool:
        return is_patch_class(self.kind)

    def make(self, **more: Any) -> Any:
        """What is asked: the object in hand, else a new one; `more` are keywords that the run
        brings."""
        if self.box is not None:
            return self.box
        return self.kind(**more, **dict(self.given))

    def spelled(self, name: str) -> str:
        words = ",".join(f"{key}={quoted(typed(value))}" for key, value in self.given)
        return f"{name}[{words}]" if words else name

    def __repr__(self) -> str:
        """Without the path of the file: what the key of a cell is made of."""
        return self.spelled(self.kind.__qualname__)


def _spelled_value(value: object) -> object:
    """A value as a spelling can hold it. What cannot be told has a name in this process alone, so
    that its answers are met by nobody else."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        mark = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return value if _PLAIN.fullmatch(value) else f"str~{mark[:6]}"
    _, name = _NAMED.setdefault(id(value), (value, uuid.uuid4().hex[:6]))
    return f"{type(value).__name__}~{name}"


_NAMED: dict[int, tuple[object, str]] = {}  # by id, which holds while the value is kept
HANDED: dict[str, ForeignMethod] = {}  # of this process, as their methods are written


def _keywords(kind: type) -> dict[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # a class of native code does not say
        return {}
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # A cache is given the run's model configuration.
    brought = {"config"} if is_cache_class(kind) else set()
    return {
        name: one for name, one in parameters.items() if one.kind in by_name and name not in brought
    }


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind.__init__)  # type: ignore[misc]
    except (NameError, TypeError):  # annotations that name what is not there
        return {}
