"""One turn, one rule, one score."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Literal

from scbench.errors import BadConfig, Unknown
from scbench.scoring import official as official_rules
from scbench.scoring.library import scorer
from scbench.task_cards import PARTS, Subtask, card_of
from scbench.types import Mode, Score, Wanted

Rule = Literal["strict", "official"]
STRICT = "strict/1"
SUBTASKS = tuple(PARTS)


def short(task: str) -> str:
    """`kv` for `kv` and `scbench_kv`."""
    return task.removeprefix("scbench_")


def subtask_of(task: str, within: str | None = None) -> Subtask:
    """The sub-task `task` of the task `within`; without that, as the paper's own task has it.

    Raises Unknown for a name that has no scorer.
    """
    name = short(task)
    if within is not None:
        return card_of(short(within)).subtask(name)
    if name not in PARTS:
        near = difflib.get_close_matches(name, SUBTASKS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise Unknown(f"no scorer is called {task!r}{hint} There are {', '.join(SUBTASKS)}")
    return PARTS[name]


def grade(
    task: str,
    prediction: str,
    wanted: Wanted,
    *,
    rule: Rule,
    needles: Sequence[tuple[str, str]] = (),
    within: str | None = None,
    mode: Mode | None = None,
) -> Score:
    """Score the answer to one turn; pure, and never raises on odd text (crashes of the released
    rules are gaps with the reason).

    `task` is the sub-task's short name, `within` the session's task (default: the paper's task of
    that name). `needles` are (gold source, function name) of the repository, in file order, for
    official RepoQA; when empty, the turn's own gold is the only one. `mode` matters to one
    published defect: kv turns of Mix.RepoQA+KV in multi-request mode are officially always 0.
    Raises Unknown for a task, BadConfig for a rule, that does not exist.
    """
    part = subtask_of(task, within)
    if rule not in ("strict", "official"):
        raise BadConfig(f"rule {rule!r} does not exist; allowed are 'strict' and 'official'")
    if not wanted.golds:
        return Score(value=None, rule=f"{rule}/1", why="the turn has no gold")
    if rule == "official":
        return official_rules.official(part, prediction, wanted, needles, mode=mode)
    if isinstance(part.strict, str):
        return scorer(part.strict)(prediction, wanted)
    return _by_own_rule(part.strict, prediction, wanted)


def _by_own_rule(
    rule: Callable[[str, Wanted], Score | float], prediction: str, wanted: Wanted
) -> Score:
    """By a function of somebody's task: what it raises, or says out of range, is a gap."""
    try:
        said = rule(prediction, wanted)
    except Exception as err:
        why = f"the task's own scorer stops here: {type(err).__name__}: {err}"
        return Score(value=None, rule=STRICT, why=why)
    score = said if isinstance(said, Score) else Score(value=float(said), rule=STRICT)
    if score.value is not None and not (math.isfinite(score.value) and 0 <= score.value <= 1):
        why = f"the task's own scorer says {score.value!r}; a score is from 0 to 1"
        return Score(value=None, rule=STRICT, why=why)
    return score
