"""The twelve tasks: seeded generators of sessions, and readers of the published rows. No model and no torch here.

A task is loaded when it is first asked for. Adding one: write its file, ending in `TASK = Task(...)`, and add a line to `TASKS` and `TITLES`.
"""

from __future__ import annotations

import difflib
import importlib.util
import pkgutil

from scbench.errors import Unknown
from scbench.tasks.contract import Task
from scbench.types import Form

TITLES: dict[str, str] = {
    "kv": "Retr.KV",
    "prefix_suffix": "Retr.Prefix-Suffix",
    "vt": "Retr.MultiHop",
    "repoqa": "Code.RepoQA",
    "qa_eng": "En.QA",
    "qa_chn": "Zh.QA",
    "choice_eng": "En.MultiChoice",
    "mf": "Math.Find",
    "many_shot": "ICL.ManyShot",
    "summary": "En.Sum",
    "summary_with_needles": "Mix.Sum+NIAH",
    "repoqa_and_kv": "Mix.RepoQA+KV",
}
TASKS: dict[str, str] = {name: f"scbench.tasks.{name}:TASK" for name in TITLES}
_ALIASES = {
    "retr.ps": "prefix_suffix",
    "retr.mh": "vt",
    "en.mc": "choice_eng",
}  # short titles used in the paper's tables


def names() -> tuple[str, ...]:
    """The short names, in the order of the paper's table."""
    return tuple(TASKS)


def task(name: str, form: Form | str = Form.FULL) -> Task:
    """The task called `name`: "kv", "scbench_kv" or "Retr.KV", upper or lower case, in its full or its tiny form.

    Raises Unknown with the nearest names, or for a task without a tiny form.
    """
    known = {
        **_ALIASES,
        **{title.casefold(): short for short, title in TITLES.items()},
        **{short: short for short in TASKS},
    }
    asked = name.strip().casefold().removeprefix("scbench_")
    if asked not in known:
        near = dict.fromkeys(
            known[match] for match in difflib.get_close_matches(asked, known, n=3, cutoff=0.5)
        )
        hint = (
            f"did you mean {' or '.join(map(repr, near))}?"
            if near
            else f"there are {', '.join(TASKS)}."
        )
        raise Unknown(f"no task is called {name!r}; {hint} `scbench list tasks` shows them all")
    short = known[asked]
    if Form(form) is Form.TINY and not has_tiny(short):
        raise Unknown(
            f"the task {short!r} has no tiny form; `scbench list tasks` shows which have one"
        )
    found: Task = pkgutil.resolve_name(
        _tiny_module(short) + ":TASK" if Form(form) is Form.TINY else TASKS[short]
    )
    return found


def has_tiny(name: str) -> bool:
    """Whether the task of this short name can be learned by a model of a million parameters. Loads nothing."""
    return importlib.util.find_spec(_tiny_module(name)) is not None


def _tiny_module(name: str) -> str:
    return f"scbench.tasks.tiny.{name}"
