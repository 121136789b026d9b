"""The strict scorers by name: what a task's card, or a file of data, calls its scorer.

Each is a pure function (answer, wanted) -> Score; resolved on first use, so that importing this
room stays quick.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from scbench.errors import Unknown
from scbench.scoring.extract import AnswerKind
from scbench.types import Score, Wanted

Scorer = Callable[[str, Wanted], Score]
# Read only the accepted answers, so they serve any task, and files of data.
ANY_TASK: Mapping[str, str] = MappingProxyType(
    {
        "exact": "plain:exact",
        "contains": "plain:contains",
        "f1": "plain:f1",
        "choice": "choice:choose",
        "number": "number:math_find",
        "digits": "number:passkey",
    }
)
OF_ITS_TASK: Mapping[str, str] = MappingProxyType(  # these read more of `Wanted`
    {
        "value": "strings:kv",
        "passage": "strings:prefix_suffix",
        "names": "multihop:multihop",
        "function": "repoqa:strict",
        "answer": "qa:english",
        "chinese-answer": "qa:chinese",
        "facts": "summary:summary",
    }
)
_KINDS: Mapping[str, AnswerKind] = MappingProxyType(
    {
        "choice": AnswerKind.LETTER,
        "number": AnswerKind.NUMBER,
        "digits": AnswerKind.NUMBER,
        "value": AnswerKind.STRING,
        "passage": AnswerKind.STRING,
        "names": AnswerKind.NAMES,
        "function": AnswerKind.CODE,
        "facts": AnswerKind.PROSE,
    }
)


def kind_of(name: str, wanted: Wanted) -> AnswerKind:
    """The kind of answer that a scorer judges; short answers are words unless the turn knows more.

    >>> str(kind_of("answer", Wanted(golds=("7",), generated=True, numeric=True)))
    'number'
    """
    if name in ("answer", "chinese-answer") and wanted.generated:
        if wanted.numeric:
            return AnswerKind.NUMBER
        if wanted.vocabulary:
            return AnswerKind.PHRASE
    return _KINDS.get(name, AnswerKind.WORDS)


def names() -> tuple[str, ...]:
    return (*ANY_TASK, *OF_ITS_TASK)


def scorer(name: str) -> Scorer:
    """The strict scorer of this name. Raises Unknown, which lists them."""
    place = ANY_TASK.get(name) or OF_ITS_TASK.get(name)
    if place is None:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise Unknown(f"there is no scorer {name!r}{hint} There are {', '.join(names())}")
    module, function = place.split(":")
    found: Scorer = getattr(import_module(f"scbench.scoring.{module}"), function)
    return found
