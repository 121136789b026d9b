"""One needle a turn among plain sentences, the same task in three spellings of the needle.

A method drops or rounds tokens, so what a needle is made of matters: `DIGITS` are tokens of one
sign in most vocabularies, `WORDS` tokens of a word, `CODES` pieces of a sign or two. Twice as many
keys as are asked for stand in the text, so that no single key is the only one.

`scbench run --tasks benchmarks/needles.py:DIGITS,benchmarks/needles.py:WORDS ...`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scbench.task_cards import STRING, Subtask, TaskCard
from scbench.tasks.build import Piece, depth_of, fit, sealed, statement, strata
from scbench.tasks.contract import Counter, Task, checked
from scbench.tasks.draw import Draw
from scbench.types import Session, Turn, Wanted

_CHESTS = """
    amber azure black brown cobalt copper coral crimson cyan golden green grey indigo ivory jade
    lilac maroon olive orange pink purple red scarlet silver tan teal violet white yellow
"""
_SPOKEN = """
    apple bridge candle dragon engine forest garden hammer island jacket kettle ladder mirror
    needle orange pencil rabbit saddle tunnel violin window yellow anchor basket camera desert
    finger guitar helmet jungle
"""
CHESTS, SPOKEN = (tuple(text.split()) for text in (_CHESTS, _SPOKEN))
WHO = ("The farmer", "A sailor", "The teacher", "My neighbour", "The baker", "An old man")
DID = ("walked to", "slept near", "painted", "looked at", "came back from", "sang about")
WHAT = ("the mill", "a quiet lake", "the market", "the north road", "a wooden boat", "the tower")
WHEN = ("at dawn", "before the rain", "in early spring", "after supper", "all afternoon")
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a needle is made of: its name, what it is called in the text, and how one is drawn."""

    name: str
    title: str
    called: str
    draw: Callable[[Draw], str]

    def needles(self, draw: Draw, count: int) -> list[str]:
        """`count` different ones."""
        found: dict[str, None] = {}
        while len(found) < count:
            found.setdefault(self.draw(draw))
        return list(found)


def digits(draw: Draw) -> str:
    return str(1_000_000 + draw.below(9_000_000))


def words(draw: Draw) -> str:
    return "-".join(draw.sample(SPOKEN, 3))


def codes(draw: Draw) -> str:
    return f"{draw.text(LETTERS, 4)}-{draw.text(LETTERS, 4)}"


def sentence(draw: Draw) -> str:
    """One of 1,080 that say nothing of keys."""
    parts = (draw.choice(some) for some in (WHO, DID, WHAT, WHEN))
    return " ".join(parts) + "."


def task(spelling: Spelling) -> Task:
    part = Subtask(
        name=spelling.name,
        strict="value",
        hint=f"Answer with the {spelling.called} only.",
        limit_tokens=24,
        expected_tokens=(4, 16),
    )
    card = TaskCard(
        name=spelling.name,
        title=spelling.title,
        ability=STRING,
        subtasks=(part,),
        head=f"Remember the {spelling.called} of each chest.",
        unit_ends=r"(?<=\.) ",
        source="needles",  # the chests of a seed are asked for in all three
    )

    def make(*, seed: str, target: int, turns: int, count: Counter) -> Session:
        checked(spelling.name, target=target, turns=turns)
        chests = Draw("needles", seed).sample(CHESTS, 2 * turns)
        draw = Draw("needles", seed, spelling.name)
        keys = spelling.needles(draw.child("keys"), len(chests))
        depths = strata(draw.child("depths"), turns)
        others = draw.child("others")
        asked = [
            statement(
                f"The {spelling.called} of the {chest} chest is ", key, ".", depth=depth, turn=turn
            )
            for turn, (chest, key, depth) in enumerate(zip(chests, keys, depths, strict=False))
        ]
        near = [
            Piece(f"The {spelling.called} of the {chest} chest is {key}.", others.unit())
            for chest, key in zip(chests[turns:], keys[turns:], strict=True)
        ]
        fitted = fit(
            pieces=[*asked, *near],
            filler=lambda n: sentence(draw.child("filler", str(n))),
            pad=lambda steps: " ".join(["so"] * steps),
            pad_depth=0.5,
            join=" ",
            target=target,
            count=count,
            what=f"{spelling.name}, seed {seed}",
        )
        return sealed(
            task=spelling.name,
            context=fitted.context,
            turns=[
                Turn(
                    task=spelling.name,
                    ask=f"What is the {spelling.called} of the {chest} chest?",
                    gold=key,
                    wanted=Wanted(golds=(key,)),
                    max_new_tokens=part.limit_tokens,
                    evidence=fitted.spans[turn],
                    depth=depth_of(fitted.spans[turn], len(fitted.context)),
                )
                for turn, (chest, key) in enumerate(zip(chests[:turns], keys, strict=False))
            ],
            counted=fitted.counted,
            counter=count.name,
            recipe={"name": spelling.name, "version": 1, "seed": seed, "target": target},
        )

    return Task(card=card, make=make)


DIGITS = task(Spelling("needle_digits", "Needles of digits", "number", digits))
WORDS = task(Spelling("needle_words", "Needles of words", "pass phrase", words))
CODES = task(Spelling("needle_codes", "Needles of signs", "code", codes))
