"""En.MultiChoice, tiny: a question of En.QA behind four options with their letters, answered by an
option and its letter.
"""

from __future__ import annotations

from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.qa_eng import ENGLISH
from scbench.tasks.tiny.world import Question, options, story
from scbench.types import Wanted

NAME, MOST_TURNS, LETTERS = "choice_eng", 32, "ABCD"


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    return story(
        draw,
        turns,
        ENGLISH,
        lambda question, turn: _question(question, draw.child("options", str(turn))),
    )


def _question(question: Question, draw: Draw) -> TinyAsked:
    shown = options(draw, question, len(LETTERS))
    ask = (
        f"{' '.join(f'{text} {letter}' for letter, text in zip(LETTERS, shown, strict=True))} "
        f"{question.ask}"
    )
    letter = LETTERS[list(shown).index(question.answer)]
    wanted = Wanted(golds=(letter,), generated=True, question=ask, options=tuple(shown))
    return TinyAsked(task=NAME, ask=ask, gold=f"{question.answer} {letter}", wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    # a letter of four teaches little: more of it late
    practice=Practice(weights=(5, 12), most_turns=(8, 8)),
)
