"""The door to the released rules: from a turn to the label they expect, and from their crashes to
gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scbench.scoring import published
from scbench.scoring.choice import gold_letter
from scbench.scoring.extract import spoken
from scbench.scoring.rouge import TooManyWords, rouge_lsum
from scbench.scoring.rules import OFFICIAL
from scbench.task_cards import Subtask
from scbench.types import Mode, Score, Wanted

NO_RULE = "the task has no published rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineWanted(Wanted):
    """What a line of a file wants; `label` is its gold as the released scorer would be handed it,
    type and all.

    `label_gap` says why there is no such label (the released runner stops before it scores).
    """

    label: Any = None
    label_gap: str = ""


def choice_label(golds: Sequence[str], options: Sequence[str]) -> list[str]:
    """[option text, letter] of the first option that is the gold. Raises ValueError where there is
    none, or it is past D.
    """
    letter = gold_letter(golds, options)
    if not options or letter is None:
        raise ValueError(
            "the option texts are missing"
            if not options
            else f"{golds[0][:80]!r} is not in the list of options"
        )
    if letter not in "ABCD":
        raise ValueError(f"option {letter} is past D")
    return [options["ABCD".index(letter)], letter]


def label_of(part: Subtask, wanted: Wanted) -> Any:
    """The label the released runner makes of a turn's published row: its one answer, or the list
    of its answers.
    """
    if isinstance(wanted, LineWanted):
        if wanted.label_gap:
            raise ValueError(wanted.label_gap)
        return wanted.label
    if part.wants_all or len(wanted.golds) > 1:
        return _listed(part, wanted)
    gold = wanted.golds[0]
    if part.label == "number":
        return int(gold) if "." not in gold else float(gold)
    if part.label == "option":
        return choice_label(wanted.golds, wanted.options)
    return [gold] if part.label == "list" else gold


def _listed(part: Subtask, wanted: Wanted) -> list[Any]:
    """A row's list of answers as it stands in the row: numbers are numbers there, options texts."""
    if part.label == "number":
        return [int(gold) if "." not in gold else float(gold) for gold in wanted.golds]
    if part.label == "option" and wanted.options:
        letters = [letter for letter in wanted.golds if letter in "ABCD"[: len(wanted.options)]]
        if len(letters) == len(wanted.golds):
            return [wanted.options["ABCD".index(letter)] for letter in letters]
    return list(wanted.golds)


def aloud(prediction: str) -> str:
    """The text behind a closed thought, else the answer as it is.

    The released runner knows no thoughts; a model's template takes them off before it goes on.
    """
    said = spoken(prediction)
    return said.text.lstrip() if said.has_thought and not said.is_unclosed else prediction


def graded(rule: Callable[[], float], read: str = "") -> Score:
    """The rule's value; a gap that names the exception where the released scorer would have
    stopped.
    """
    try:
        return Score(value=rule(), rule=OFFICIAL, read=read)
    except TooManyWords as err:
        return Score(value=None, rule=OFFICIAL, why=str(err))
    except published.RAISES as err:
        return Score(
            value=None,
            rule=OFFICIAL,
            why=f"the published scorer stops here: {type(err).__name__}: {err}",
        )


def official(
    part: Subtask,
    prediction: str,
    wanted: Wanted,
    needles: Sequence[tuple[str, str]],
    *,
    mode: Mode | None = None,
) -> Score:
    """Official score of one turn; `needles` matter to RepoQA only and default to the turn's own
    gold.

    The released rules, byte for byte, over the text behind a closed thought; an answer without one
    is given to them as it is.
    """
    prediction = aloud(prediction)
    name = part.official
    if mode is Mode.MULTI_REQUEST and part.official_alone is not None:
        rule = published.RULES[part.official_alone]
        return graded(lambda: rule(prediction, label_of(part, wanted)), "the record's field names")
    if name is None:
        return Score(value=None, rule=OFFICIAL, why=NO_RULE)
    if not isinstance(name, str):
        return _by_own_rule(name, prediction, wanted)
    if part.is_function:
        return _function(prediction, wanted, needles)
    if name == "rouge":
        return graded(lambda: _summary(prediction, label_of(part, wanted)), prediction[:200])
    return graded(
        lambda: published.RULES[name](prediction, label_of(part, wanted)), prediction.strip()[:200]
    )


def _by_own_rule(rule: Callable[[str, Wanted], float], prediction: str, wanted: Wanted) -> Score:
    """By a released rule that somebody's task brings; what it raises is a gap."""
    try:
        return Score(value=float(rule(prediction, wanted)), rule=OFFICIAL, read=prediction[:200])
    except Exception as err:
        why = f"the task's own official rule stops here: {type(err).__name__}: {err}"
        return Score(value=None, rule=OFFICIAL, why=why)


def _function(prediction: str, wanted: Wanted, needles: Sequence[tuple[str, str]]) -> Score:
    from scbench.scoring import repoqa

    if not wanted.name or not wanted.lang:
        why = "the name of the wanted function or the language is missing"
        return Score(value=None, rule=OFFICIAL, why=why)
    near = needles or [(wanted.golds[0], wanted.name)]
    return repoqa.official(prediction, wanted.name, wanted.lang, near)


def _summary(prediction: str, label: Any) -> float:
    """ROUGE-Lsum; of several references the best, and a number is read as its digits, as the
    metric's loader does.
    """
    golds = label if isinstance(label, list) else [label]
    return max(
        rouge_lsum(prediction, gold if isinstance(gold, str) else str(gold)) for gold in golds
    )
