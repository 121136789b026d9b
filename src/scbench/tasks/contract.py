"""What a task is, and what counts its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

from scbench.errors import BadConfig
from scbench.types import Session, Turn

K = TypeVar("K")


class Counter(Protocol):
    """Counts the tokens of a text. `name` goes into the session, so that its length can be understood later."""

    @property
    def name(self) -> str: ...

    def __call__(self, text: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Words:
    """Runs of non-blank characters."""

    name: str = "words"

    def __call__(self, text: str) -> int:
        return len(text.split())


@dataclass(frozen=True, slots=True)
class Bytes:
    """UTF-8 bytes."""

    name: str = "bytes"

    def __call__(self, text: str) -> int:
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A named, versioned recipe for sessions, and the published form of the same.

    `make(*, seed, target, turns, count, **knobs)` gives one Session whose context has `target` tokens under `count`, within 2 % or 4 tokens.
    It raises TooSmall(minimum) or TooLarge(maximum) where that cannot be, BadConfig for a knob that does not exist or a value that is not allowed.
    `minimum(*, turns, count, **knobs)` is the least target that holds `turns` turns in the compact shape, in tokens.
    `read_turn(row, item)` reads one item of a published row's `multi_turns`; `write_row(session, index)` is the inverse for a whole session.
    """

    name: str
    title: str  # as in the paper's tables
    ability: (
        str  # "string retrieval" | "semantic retrieval" | "global information" | "multi-tasking"
    )
    version: int  # of the generator: another version makes other sessions
    turns: int  # unless asked otherwise
    subtasks: tuple[str, ...]
    chance: float  # what the best constant answer may score under `strict`
    make: Callable[..., Session]
    minimum: Callable[..., int]
    read_turn: Callable[[Mapping[str, object], Mapping[str, object]], Turn]
    write_row: Callable[[Session, int], dict[str, object]]
    knobs: type[Any]  # frozen dataclass; its defaults are the task's

    @property
    def config(self) -> str:
        """The name of the published data set's config."""
        return f"scbench_{self.name}"


def settle(knobs: type[K], given: Mapping[str, object], *, task: str) -> K:
    """The knobs of a task with `given` over the defaults. Raises BadConfig for a name that is no knob."""
    allowed = [field.name for field in fields(knobs)]  # type: ignore[arg-type]
    if strays := sorted(set(given) - set(allowed)):
        raise BadConfig(
            f"{task} has no knob {', '.join(map(repr, strays))}; it takes {', '.join(allowed)}"
        )
    return knobs(**given)


def recipe(
    task: str,
    version: int,
    *,
    seed: str,
    target: int,
    turns: int,
    knobs: object,
    **resolved: object,
) -> dict[str, object]:
    """All that makes a session what it is. `resolved` replaces knobs left open (None) by what they became."""
    settled = {**asdict(knobs), **resolved}  # type: ignore[call-overload]
    return {
        "name": task,
        "version": version,
        "seed": seed,
        "target": target,
        "turns": turns,
        **settled,
    }


def checked(task: str, *, target: int, turns: int) -> None:
    """Raises BadConfig unless both are whole numbers of at least 1."""
    for what, value in (("target", target), ("turns", turns)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadConfig(f"{task}: {what} is {value!r}; it must be a whole number of at least 1")


def one_of(task: str, knob: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raises BadConfig unless `value` is allowed for the knob."""
    if value not in allowed:
        raise BadConfig(
            f"{task}: {knob}={value!r} is not allowed; choose {' or '.join(map(repr, allowed))}"
        )


def within(task: str, knob: str, value: object, low: float, high: float) -> None:
    """Raises BadConfig unless the number `value` lies in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadConfig(
            f"{task}: {knob}={value!r} is not allowed; it must lie between {low:,} and {high:,}"
        )


def whole(task: str, knob: str, value: object, low: int, high: int) -> None:
    """Raises BadConfig unless `value` is a whole number in [low, high]."""
    if not isinstance(value, int):
        raise BadConfig(
            f"{task}: {knob}={value!r} is not allowed; it must be a whole number between {low:,} and {high:,}"
        )
    within(task, knob, value, low, high)
