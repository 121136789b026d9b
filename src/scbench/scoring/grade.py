"""One turn, one rule, one score."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Literal

from scbench.errors import BadConfig, Unknown
from scbench.scoring import official as official_rules
from scbench.scoring import published
from scbench.types import Mode, Score, Wanted

Rule = Literal["strict", "official"]
STRICT = "strict/1"
# Where the strict rule of each sub-task lives; resolved on first use, so that importing this room stays quick.
_STRICT = {
    "kv": "strings:kv",
    "prefix_suffix": "strings:prefix_suffix",
    "vt": "multihop:multihop",
    "repoqa": "repoqa:strict",
    "qa_eng": "qa:english",
    "qa_chn": "qa:chinese",
    "choice_eng": "choice:choose",
    "mf": "number:math_find",
    "many_shot": "choice:choose",
    "summary": "summary:summary",
    "passkey": "number:passkey",
}
SUBTASKS = tuple(_STRICT)


def short(task: str) -> str:
    """`kv` for `kv` and `scbench_kv`."""
    return task.removeprefix("scbench_")


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
    """Score the answer to one turn; pure, and never raises on odd text (crashes of the released rules are gaps with the reason).

    `task` is the sub-task's short name. `needles` are (gold source, function name) of the repository, in file order, for official RepoQA;
    when empty, the turn's own gold is the only one. `within` (the session's task) and `mode` matter to one published defect: kv turns of
    Mix.RepoQA+KV in multi-request mode are officially always 0. Raises Unknown for a task, BadConfig for a rule, that does not exist.
    """
    name = short(task)
    if name not in _STRICT:
        near = difflib.get_close_matches(name, SUBTASKS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise Unknown(f"no scorer is called {task!r}{hint} There are {', '.join(SUBTASKS)}")
    if rule not in ("strict", "official"):
        raise BadConfig(f"rule {rule!r} does not exist; allowed are 'strict' and 'official'")
    if not wanted.golds:
        return Score(value=None, rule=f"{rule}/1", why="the turn has no gold")
    if rule == "strict":
        return _strict(name)(prediction, wanted)
    if name == "kv" and mode is Mode.MULTI_REQUEST and short(within or "") == "repoqa_and_kv":
        return official_rules.graded(
            lambda: published.kv_in_record(official_rules.label_of(name, wanted)),
            "the record's field names",
        )
    return official_rules.official(name, prediction, wanted, needles)


def _strict(task: str) -> Callable[[str, Wanted], Score]:
    module, function = _STRICT[task].split(":")
    found: Callable[[str, Wanted], Score] = getattr(
        import_module(f"scbench.scoring.{module}"), function
    )
    return found
