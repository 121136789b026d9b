"""The words of a task: what everyone may know of it without making a session.

Plain data and small pure functions: no generator, no model, no torch. `tasks` makes sessions,
`prompts` writes their words, `scoring` grades their answers and `stats` places their scores; each
reads its part of the same card.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from scbench.errors import BadConfig, Unknown
from scbench.types import Form, Score, Session, Turn, Wanted

# The column groups of the paper's tables. A task of another ability counts in no average of it.
STRING, SEMANTIC, GLOBAL, MULTI = "Retr.String", "Retr.Semantic", "Global", "Multi-task"
ABILITIES = (STRING, SEMANTIC, GLOBAL, MULTI)
OTHER = "Other"
TAKEN = ("Averages", "Overall", "Other tasks")  # heads of other groups in tables
MOST_TITLE_CHARS = 60
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Asking:
    """A question about to be put: all that a template may look at."""

    session: Session
    turn: int
    is_official: bool  # the published words, defects included
    is_chat: bool  # they go into a chat template
    is_alone: bool  # the turn sees only context and question
    is_follow_up: bool = False  # earlier turns stand before it

    @property
    def asked(self) -> Turn:
        return self.session.turns[self.turn]


Template: TypeAlias = str | Callable[[Asking], str]  # in a text, {ask} stands for the bare question
StrictRule: TypeAlias = Callable[[str, Wanted], Score | float]
OfficialRule: TypeAlias = Callable[[str, Wanted], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtask:
    """One kind of turn: the words around it, the form of its gold, its scorers and its limits.

    A plain task has one, of its own name; a mix has several, and may take those of other tasks.

    >>> Subtask(name="sum", strict="number", hint="Answer with the number only.").limit_tokens
    40
    """

    name: str
    strict: str | StrictRule  # a name of `scoring.library`, or a function (answer, wanted)
    official: str | OfficialRule | None = None  # a released rule; None: there is none
    label: str = "text"  # what the released scorer is handed as gold: text, list, number, option
    official_alone: str | None = None  # the released rule of multi-request turns, if another
    ask: Template = "{ask}"
    hint: str = ""  # before the question under a chat template, strict prompts only
    shown_gold: Callable[[Asking], str] | None = None  # in history; None: `Turn.gold` as it is
    is_short: bool = True  # a blank line ends an answer where no chat template does
    limit_tokens: int = 40  # most tokens an answer usually gets
    expected_tokens: tuple[int, int] = (3, 30)  # of models that answer and of those that ramble
    chance: float = 0.0  # what the best constant answer scores under the strict rule
    tiny_chance: float = 0.0  # the same in the tiny form
    gold_place: str = ""  # how a gold stands in published contexts: "VAR {gold} ="; "" nowhere
    wants_all: bool = False  # every gold is asked for, not any of them
    is_chinese: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name, "sub-task")
        for what in ("chance", "tiny_chance"):
            if not 0.0 <= getattr(self, what) < 1.0:
                raise BadConfig(
                    f"sub-task {self.name!r}: {what} is {getattr(self, what)!r}; it is a score "
                    "from 0 to below 1"
                )
        if self.limit_tokens < 1:
            raise BadConfig(
                f"sub-task {self.name!r}: limit_tokens is {self.limit_tokens}; it is at least 1"
            )

    @property
    def is_function(self) -> bool:
        """Whether an answer is compared with all functions of a repository (RepoQA)."""
        return self.official == "function"

    def chance_in(self, form: Form | str) -> float:
        return self.tiny_chance if form == Form.TINY else self.chance


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCard:
    """A task in words. `ability` is one of ABILITIES, or any other word for a group of your own.

    >>> turn = Subtask(name="sums", strict="number")
    >>> card = TaskCard(name="sums", title="Sums", subtasks=(turn,))
    >>> card.ability, card.is_mix
    ('Other', False)
    """

    name: str
    title: str  # as in tables
    ability: str = OTHER
    subtasks: tuple[Subtask, ...]
    turns: int = 5  # of a session, unless asked otherwise
    head: Template = ""  # before the context
    official_lead: str = ""  # the published prompts begin later answers with it
    unit_ends: str = ""  # a pattern: where units end that may leave a context; "" none may
    source: str = ""  # tasks of one source ask the same questions, seed by seed
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name, "task")
        names = [part.name for part in self.subtasks]
        if not names or len(set(names)) < len(names):
            raise BadConfig(
                f"task {self.name!r} has the sub-tasks {', '.join(names) or 'none'}; a card needs "
                "at least one, each of its own name"
            )
        if len(names) == 1 and names != [self.name]:
            raise BadConfig(
                f"task {self.name!r} has the one sub-task {names[0]!r}; the one sub-task of a "
                "plain task has the task's own name"
            )
        for what in ("title", "ability"):
            text = getattr(self, what)
            if not text.strip() or not text.isprintable() or len(text) > MOST_TITLE_CHARS:
                raise BadConfig(
                    f"task {self.name!r}: its {what} is {text!r:.80}; it is one line of at most "
                    f"{MOST_TITLE_CHARS} characters, for the heads of tables"
                )
        if self.ability in TAKEN:
            raise BadConfig(
                f"task {self.name!r}: the ability {self.ability!r} is the head of another group of "
                f"columns; take one of {', '.join(ABILITIES)}, or any word but {', '.join(TAKEN)}"
            )
        if self.turns < 1:
            raise BadConfig(f"task {self.name!r}: turns is {self.turns}; it is at least 1")
        try:
            re.compile(self.unit_ends)
        except re.error as err:
            raise BadConfig(f"task {self.name!r}: unit_ends is no pattern: {err}") from err

    @property
    def is_mix(self) -> bool:
        return len(self.subtasks) > 1

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the sub-tasks."""
        return tuple(part.name for part in self.subtasks)

    @property
    def chance(self) -> float:
        """What the best constant answer scores: the mean of the sub-tasks'."""
        return sum(part.chance for part in self.subtasks) / len(self.subtasks)

    def subtask(self, name: str) -> Subtask:
        """The sub-task of this name. Raises Unknown, which lists those there are."""
        for part in self.subtasks:
            if part.name == name:
                return part
        raise Unknown(
            f"the task {self.name!r} has no sub-task {name!r}; it has {', '.join(self.parts)}"
        )

    def in_tiny(self, turns: int) -> TaskCard:
        """The card of the tiny form: the same words, its own chances and number of turns."""
        parts = tuple(replace(part, chance=part.tiny_chance) for part in self.subtasks)
        return replace(self, subtasks=parts, turns=turns)


def filled(template: Template, asking: Asking) -> str:
    """The words of a template for one question."""
    if callable(template):
        return template(asking)
    return template.replace("{ask}", asking.asked.ask)


def _check_name(name: str, what: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadConfig(
            f"a {what} is called {name!r}; a name is a small letter, then up to 39 small letters, "
            "digits and _"
        )
