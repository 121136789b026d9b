"""Answers as models give them, written by hand: right ones in many forms, and near misses.

A line of `data/answers.jsonl` is a line of `scbench score` with `right`, `form` and `lang`; wrong
answers to questions that are graded in shares may say `at_most`. A third, by hash of the
prediction, is held out: no rule is made by looking at it.

PYTHONPATH=src python -m tests.scoring.answers          # the part that rules are made by
... python -m tests.scoring.answers held-out            # scored once, when the rules are done
... python -m tests.scoring.answers all
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scbench.scoring import grade, wanted_from_line
from scbench.types import Score, Wanted

FILE = Path(__file__).parent / "data" / "answers.jsonl"
# Written when the rules were done and the held-out third was scored: what else models say.
LATER = FILE.with_name("answers-later.jsonl")
# In forms of neither; and again, written when what these showed was mended.
THIRD = FILE.with_name("answers-third.jsonl")
FOURTH = FILE.with_name("answers-fourth.jsonl")
# By somebody who had seen neither the rules nor these.
NEWCOMER = FILE.with_name("answers-newcomer.jsonl")
# Full marks but for rounding: shares of names, of words and of characters are graded.
SCORES = 0.9


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, whether it is right, and what its turn wanted."""

    id: str
    task: str
    form: str
    lang: str
    right: bool
    at_most: float | None
    prediction: str
    wanted: Wanted

    @property
    def is_held_out(self) -> bool:
        digest = hashlib.sha256(self.prediction.encode()).hexdigest()
        return int(digest, 16) % 3 == 0

    def score(self) -> Score:
        return grade(self.task, self.prediction, self.wanted, rule="strict")


def cases(file: Path = FILE) -> list[Case]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [case_of(json.loads(line)) for line in lines]


def case_of(line: dict[str, Any]) -> Case:
    return Case(
        id=line["id"],
        task=line.get("subtask", line["task"]),
        form=line["form"],
        lang=line["lang"],
        right=line["right"],
        at_most=line.get("at_most"),
        prediction=line["prediction"],
        wanted=wanted_from_line({"mode": "multi-turn", **line}),
    )


def development() -> list[Case]:
    return [case for case in cases() if not case.is_held_out]


def held_out() -> list[Case]:
    return [case for case in cases() if case.is_held_out]


def scored_right(case: Case) -> bool:
    """Whether the rule says of the answer what the hand that wrote it says."""
    value = case.score().value
    if value is None:
        return False
    if case.right:
        return value >= SCORES
    return value < SCORES and (case.at_most is None or value <= case.at_most + 1e-9)


def figures(some: Iterable[Case]) -> tuple[int, int, int, int]:
    """Right answers that score, right answers, wrong answers that score, wrong answers."""
    some = list(some)
    values = [(case.right, case.score().value or 0.0) for case in some]
    right = [value for is_right, value in values if is_right]
    wrong = [value for is_right, value in values if not is_right]
    return (
        sum(value >= SCORES for value in right),
        len(right),
        sum(value >= SCORES for value in wrong),
        len(wrong),
    )


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else "development"
    chosen = {"development": development, "held-out": held_out, "all": cases}[part]()
    scoring, right, passing, wrong = figures(chosen)
    print(
        f"{part}: {scoring} of {right} right answers score ({scoring / right:.1%}), "
        f"{passing} of {wrong} wrong ones do"
    )
    if part == "development":
        for case in chosen:
            if not scored_right(case):
                score = case.score()
                print(f"{case.id:10} {case.right!s:5} {case.form:32} {score.value}  {score.why}")
                print(f"{'':10} {case.prediction[:150]!r} -> {score.read[:90]!r}")


if __name__ == "__main__":
    main()
