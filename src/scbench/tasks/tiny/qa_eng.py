"""En.QA, tiny: `Ada in garden. lamp from Ben to Cleo.`, asked `Ada in`, `lamp from`, `lamp from Ben
to`.
"""

from __future__ import annotations

from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.lexicon import NAMES, PLACES
from scbench.tasks.tiny.world import Question, TinyLanguage, story
from scbench.types import Wanted

NAME, MOST_TURNS = "qa_eng", 32
ENGLISH = TinyLanguage(
    people=NAMES,
    places=PLACES,
    things=tuple(word for word in WORDS if word not in PLACES),
    being="{person} in {place}.",
    giving="{thing} from {giver} to {taker}.",
    where="{person} in",
    gave="{thing} from",
    got="{thing} from {giver} to",
)


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    return story(draw, turns, ENGLISH, lambda question, _: _question(question))


def _question(question: Question) -> TinyAsked:
    wanted = Wanted(
        golds=(question.answer,), generated=True, question=question.ask, vocabulary=question.rivals
    )
    return TinyAsked(task=NAME, ask=question.ask, gold=question.answer, wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(3, 2)),
)
