"""Mix.RepoQA+KV, tiny: functions and pairs; turns ask for a function and for a value, in turn."""

from __future__ import annotations

from scbench.tasks.build import Piece, strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny import kv, repoqa
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, evidence, most_turns, tiny

NAME, MOST_TURNS = "repoqa_and_kv", 24


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    functions, rest = repoqa.functions(draw, (turns + 1) // 2)
    keys = draw.sample(rest, turns // 2)
    others = [word for word in rest if word not in set(keys)]
    pieces: list[Piece] = []
    asked: list[TinyAsked] = []
    for turn, depth in enumerate(strata(draw.child("place"), turns)):
        if turn % 2 == 0:
            pieces.append(repoqa.piece(functions[turn // 2], depth, turn))
            asked.append(repoqa.question(functions[turn // 2], functions))
        else:
            key, found = keys[turn // 2], kv.value(draw)
            pieces.append(evidence(f"{key}: ", found, "", depth, turn))
            asked.append(kv.question(key, found))
    return TinyPlan(
        pieces=tuple(pieces), asked=tuple(asked), filler=lambda stream: _filler(stream, others)
    )


def _filler(draw: Draw, others: list[str]) -> str:
    """As many functions as pairs, so that most tokens are code."""
    return (
        repoqa.filler_of(others, draw)
        if draw.below(2)
        else f"{draw.choice(others)}: {kv.value(draw)}"
    )


TASK = tiny(
    NAME,
    plan=plan,
    turns=6,
    practice=Practice(weights=(2, 2), most_turns=(16, 16)),
)
