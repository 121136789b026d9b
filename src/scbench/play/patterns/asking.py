"""A turn of a session as a step."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.play.contract import Keep, Step
from scbench.prompts import Rendering


def graded(
    talk: Rendering,
    turn: int,
    *,
    answers: Sequence[str] = (),
    parent: str | None = None,
    ends_parent: bool = False,
    keep: Keep = Keep.NOTHING,
) -> Step:
    """The step that asks `turn`, `answers` standing for the turns before it."""
    return Step(
        id=f"turn {turn + 1}",
        prompt=talk.prompt(turn, answers),
        parent=parent,
        ends_parent=ends_parent,
        turn=turn,
        keep=keep,
        limit_tokens=talk.session.turns[turn].max_new_tokens,
        stops=talk.stops(turn),
        thinking=talk.thinking(turn),
        gold_ids=talk.gold_ids(turn),
    )
