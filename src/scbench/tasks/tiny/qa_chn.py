"""Zh.QA, tiny: the world of En.QA, one character a token; a blank stands before what may be asked,
as it stands before every answer.
"""

from __future__ import annotations

from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.lexicon import GIVEN, PLACES_ZH, SURNAMES, THINGS_ZH
from scbench.tasks.tiny.world import Question, TinyLanguage, story
from scbench.types import Wanted

NAME, MOST_TURNS = "qa_chn", 16
CHINESE = TinyLanguage(
    people=tuple(surname + given for surname in SURNAMES for given in GIVEN),
    places=PLACES_ZH,
    things=THINGS_ZH,
    being="{person}在 {place}。",
    giving="{thing}由 {giver}给 {taker}。",
    where="{person}在",
    gave="{thing}由",
    got="{thing}由 {giver}给",
)


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    return story(draw, turns, CHINESE, lambda question, _: _question(question), join="")


def _question(question: Question) -> TinyAsked:
    wanted = Wanted(
        golds=(question.answer,),
        generated=True,
        question=question.ask,
        vocabulary=question.rivals,
        is_chinese=True,
    )
    return TinyAsked(task=NAME, ask=question.ask, gold=question.answer, wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(3, 4), most_turns=(16, 16)),
)
