"""One turn, one rule, one score."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from scbench.errors import BadConfig, Unknown
from scbench.scoring import official as official_rules
from scbench.scoring.extract import (
    MOST_LONG_CHARS,
    MOST_SHORT_CHARS,
    TOO_LONG,
    UNCLOSED,
    Sought,
    extract,
)
from scbench.scoring.format import is_format_failure
from scbench.scoring.library import kind_of, scorer
from scbench.scoring.rules import OFFICIAL, STRICT
from scbench.task_cards import PARTS, Subtask, card_of
from scbench.types import Mode, Score, Wanted

Rule = Literal["strict", "official"]
SUBTASKS = tuple(PARTS)
RULE_OF: Mapping[str, str] = MappingProxyType({"strict": STRICT, "official": OFFICIAL})
MOST_CHARS = 1 << 20  # of an answer: no limit of tokens that a task has lets one come near it


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
        return Score(value=None, rule=RULE_OF[rule], why="the turn has no gold")
    if len(prediction) > MOST_CHARS:
        why = f"the answer has {len(prediction):,} characters; at most {MOST_CHARS:,} are scored"
        return Score(value=None, rule=RULE_OF[rule], why=why)
    if rule == "official":
        return official_rules.official(part, prediction, wanted, needles, mode=mode)
    if isinstance(part.strict, str):
        return _extracted(part.strict, prediction, wanted)
    return _by_own_rule(part.strict, official_rules.aloud(prediction), wanted)


def _extracted(name: str, prediction: str, wanted: Wanted) -> Score:
    """By a scorer of the library: what the answer says is judged; what was taken off is named."""
    sought = Sought(kind_of(name, wanted), wanted)
    said = extract(prediction, sought)
    if TOO_LONG in said.removed:
        most = MOST_SHORT_CHARS if sought.is_short else MOST_LONG_CHARS
        why = f"the answer says more than {most:,} characters, the most that are read of its kind"
        return Score(value=None, rule=STRICT, why=why, removed=said.removed)
    score = scorer(name)(said.text, wanted)
    why = score.why
    if UNCLOSED in said.removed and not said.text.strip():
        why = "the thought never ended"
    return replace(
        score,
        why=why,
        removed=said.removed,
        format_failure=score.value == 0 and is_format_failure(prediction, sought),
    )


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
