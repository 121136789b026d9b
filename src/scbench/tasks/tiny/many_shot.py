"""ICL.ManyShot, tiny (`relabel`): things with the name a session gives to their kind; asked for a
thing that was not shown.
"""

from __future__ import annotations

from scbench.tasks.build import Mark, Piece
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.lexicon import GROUPS, LABELS
from scbench.types import Role, Wanted

NAME, MOST_TURNS, MOST_KINDS, SHOWN_OF_KIND = "many_shot", 24, 6, 2


def plan(draw: Draw, turns: int) -> TinyPlan:
    """2 to 6 kinds; each is shown at least twice, and the asked things never."""
    most_turns(NAME, turns, MOST_TURNS)
    kinds = draw.sample(sorted(GROUPS), draw.between(2, MOST_KINDS + 1))
    labels = draw.sample(LABELS, len(kinds))
    pools: list[list[str]] = []
    for kind in kinds:
        pool = list(GROUPS[kind])
        draw.shuffle(pool)
        pools.append(pool)
    asked = []
    for _ in range(turns):
        chosen = draw.below(len(kinds))
        asked.append((pools[chosen].pop(), chosen))
    shots = [
        (pools[kind][shot], kind) for kind in range(len(kinds)) for shot in range(SHOWN_OF_KIND)
    ]
    draw.shuffle(shots)
    depths = sorted(draw.unit() for _ in shots)
    return TinyPlan(
        pieces=tuple(
            _shot(*shot, depth, labels, asked) for shot, depth in zip(shots, depths, strict=True)
        ),
        asked=tuple(_question(thing, labels[kind], labels) for thing, kind in asked),
        filler=lambda stream: _filler(stream, pools, labels),
    )


def _filler(draw: Draw, pools: list[list[str]], labels: list[str]) -> str:
    kind = draw.below(len(pools))
    return f"{draw.choice(pools[kind])} {labels[kind]}."


def _shot(
    thing: str, kind: int, depth: float, labels: list[str], asked: list[tuple[str, int]]
) -> Piece:
    text = f"{thing} {labels[kind]}."
    marks = tuple(
        Mark(0, len(text), Role.SUPPORT, turn)
        for turn, (_, wanted) in enumerate(asked)
        if wanted == kind
    )
    return Piece(text, depth, marks)


def _question(thing: str, label: str, labels: list[str]) -> TinyAsked:
    wanted = Wanted(golds=(label,), generated=True, question=thing, options=tuple(labels))
    return TinyAsked(task=NAME, ask=thing, gold=label, wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(3, 3), most_turns=(16, 16)),
)
