"""What a task is, and what counts its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

from scbench.errors import BadConfig
from scbench.task_cards import TaskCard
from scbench.types import Session, Turn

K = TypeVar("K")


class Counter(Protocol):
    """Counts the tokens of a text. `name` goes into the session, so that its length can be
    understood later.
    """

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
class NoKnobs:
    """The knobs of a task that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """How much of a tiny task the lab models are trained on, in their first course and the
    second.
    """

    weights: tuple[int, int]  # sessions, beside those of other tasks: more of what is learned late
    most_turns: tuple[int, int] = (32, 32)  # of a session


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOrigin:
    """Where a task that is not the paper's comes from, and a digest of all its sessions rest on."""

    place: str  # as it was written: path/to/file.py:TASK, my.jsonl, or a package's name
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A named, versioned recipe for sessions, with its words; and the published form of the same.

    `make(*, seed, target, turns, count, **knobs)` gives one Session whose context has `target`
    tokens under `count`, within 2 % or 4 tokens. It raises TooSmall(minimum) or TooLarge(maximum)
    where that cannot be, BadConfig for a knob that does not exist or a value that is not allowed.

    All else may be left out. `minimum(*, turns, count, **knobs)` is the least target that holds
    `turns` turns in the compact shape, in tokens. `read_turn(row, item)` reads one item of a
    published row's `multi_turns`; `write_row(session, index)` is the inverse for a whole session.
    A task of `given` sessions has those in the place of what `make` would generate.

    >>> from scbench.tasks import task
    >>> kv = task("kv")
    >>> session = kv.make(seed="0:0", target=400, turns=2, count=Bytes())
    >>> again = kv.make(seed="0:0", target=400, turns=2, count=Bytes())
    >>> kv.title, len(session.turns), session.digest == again.digest
    ('Retr.KV', 2, True)
    """

    card: TaskCard
    make: Callable[..., Session]
    version: int = 1  # of the generator: another version makes other sessions
    minimum: Callable[..., int] | None = None
    read_turn: Callable[[Mapping[str, object], Mapping[str, object]], Turn] | None = None
    write_row: Callable[[Session, int], dict[str, object]] | None = None
    knobs: type[Any] = NoKnobs  # frozen dataclass; its defaults are the task's
    tiny: Task | None = None  # the same questions in a closed vocabulary
    practice: Practice | None = None  # None: the lab models are not trained on it
    given: tuple[Session, ...] = ()
    origin: TaskOrigin | None = None  # None: one of the paper's

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def title(self) -> str:
        """As in tables."""
        return self.card.title

    @property
    def ability(self) -> str:
        return self.card.ability

    @property
    def turns(self) -> int:
        """Of a session, unless asked otherwise."""
        return self.card.turns

    @property
    def subtasks(self) -> tuple[str, ...]:
        return self.card.parts

    @property
    def chance(self) -> float:
        """What the best constant answer may score under `strict`."""
        return self.card.chance

    @property
    def config(self) -> str:
        """The name of the published data set's config."""
        return f"scbench_{self.name}"

    @property
    def written(self) -> str:
        """How settings name it: a name, or the place it comes from."""
        return self.name if self.origin is None else self.origin.place


def settle(knobs: type[K], given: Mapping[str, object], *, task: str) -> K:
    """The knobs of a task with `given` over the defaults. Raises BadConfig for a name that is no
    knob.
    """
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
    """All that makes a session what it is. `resolved` replaces knobs left open (None) by what they
    became.
    """
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
            f"{task}: {knob}={value!r} is not allowed; it must be a whole number between {low:,} "
            f"and {high:,}"
        )
    within(task, knob, value, low, high)
