"""The tasks: seeded generators of sessions, and readers of the published rows. No model and no
torch here.

A task is loaded when it is first asked for; what it is called and how it is scored stands in its
card, which needs no generator. Adding one of ours: write its file, ending in `TASK = Task(...)`,
and add a line to `MORE`. Anyone's own comes from a file or a package (`run.task_places`).
"""

from __future__ import annotations

import difflib
import importlib.util
import pkgutil
from functools import cache

from scbench import task_cards
from scbench.errors import Unknown
from scbench.task_cards import PAPER, TaskCard
from scbench.tasks.contract import Task
from scbench.types import Form

MORE: dict[str, str] = {}  # tasks of ours beside the paper's: name -> "module:TASK"
TASKS: dict[str, str] = {**{name: f"scbench.tasks.{name}:TASK" for name in PAPER}, **MORE}


class NoTinyForm(Unknown):
    """A task is asked for in a form that it does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the task {name!r} has no tiny form, and a model made for closed vocabularies takes "
            "no other unless it is told to: leave the task out, or give --form full"
        )


def names(form: Form | str = Form.FULL) -> tuple[str, ...]:
    """The short names, in the order of the paper's table; of those with a tiny form, if asked."""
    return tuple(name for name in TASKS if Form(form) is Form.FULL or has_tiny(name))


def card(name: str) -> TaskCard:
    """The card of one of our tasks, by its short name."""
    return PAPER[name] if name in PAPER else task(name).card


def task(name: str, form: Form | str = Form.FULL) -> Task:
    """The task called `name`: "kv", "scbench_kv" or "Retr.KV", upper or lower case, in its full or
    its tiny form.

    Raises Unknown with the nearest names, or for a task without a tiny form.
    """
    asked = name.strip().casefold().removeprefix("scbench_")
    known = _known()
    if asked not in known:  # only now are the cards of further tasks looked into
        known |= {card(more).title.casefold(): more for more in MORE}
    if asked not in known:
        near = dict.fromkeys(
            known[match] for match in difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
        )
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"there are {', '.join(TASKS)}."
        )
        raise Unknown(
            f"no task is called {name!r}; {hint} `scbench list tasks` shows them all, and one of "
            "your own is path/to/file.py:TASK or path/to/data.jsonl"
        )
    short = known[asked]
    if Form(form) is Form.TINY:
        if not has_tiny(short):
            raise NoTinyForm(short)
        tiny: Task = pkgutil.resolve_name(_tiny_module(short) + ":TASK")
        return tiny
    return _loaded(short)


def has_tiny(name: str) -> bool:
    """Whether the task of this short name can be learned by a model of a million parameters. Loads
    nothing.
    """
    return importlib.util.find_spec(_tiny_module(name)) is not None


@cache
def _loaded(short: str) -> Task:
    found: Task = pkgutil.resolve_name(TASKS[short])
    if short not in PAPER:
        task_cards.bring(found.card)
    return found


def _known() -> dict[str, str]:
    """Every way to write a name -> the short name, but for the titles of further tasks."""
    known = {alias: name for name, one in PAPER.items() for alias in one.aliases}
    known |= {one.title.casefold(): name for name, one in PAPER.items()}
    return known | {name: name for name in TASKS}


def _tiny_module(name: str) -> str:
    return f"scbench.tasks.tiny.{name}"
