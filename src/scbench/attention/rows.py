"""What was seen of a session as rows of plain numbers, one table a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, TypeAlias

from scbench.attention.life import LifeSight, TurnSight
from scbench.attention.masses import overlap
from scbench.attention.turn_look import ANSWER, ASKED, TURN, TopSet

Row: TypeAlias = dict[str, Any]
OVERLAP, ALONG, HEADS, KEPT = "overlap", "along", "heads", "kept"
TABLES = (OVERLAP, ALONG, HEADS, KEPT)
DIGITS = 5
# Whose keys are compared: those of the first word in turn i with those of the second in turn j.
PAIRS: Mapping[str, tuple[str, str]] = {
    "answers": (ANSWER, ANSWER),
    "turns": (TURN, TURN),
    "question-answer": (ASKED, ANSWER),
}


def rows_of(
    sight: LifeSight, shares: Sequence[Fraction], *, task: str, session: str
) -> dict[str, list[Row]]:
    """The rows of one session in each table; turns, layers and heads count from 0."""
    about = {"task": task, "session": session}
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    tables[OVERLAP] = [about | row for row in _overlaps(sight, shares)]
    for turn, seen in enumerate(sight.turns):
        here = about | {"turn": turn}
        tables[ALONG] += [here | row for row in _along(seen)]
        tables[HEADS] += [here | row for row in _heads(seen, sight.context_tokens)]
        tables[KEPT] += [here | row for row in _kept(seen)]
    return tables


def _overlaps(sight: LifeSight, shares: Sequence[Fraction]) -> Iterator[Row]:
    """Of every two turns; a pair of alike rows is told once."""
    turns = range(len(sight.turns))
    for pair, (one, other) in PAIRS.items():
        for turn, later, span, share in product(turns, turns, sight.spans, shares):
            if one == other and later < turn:
                continue
            for layer, seen in sight.turns[turn].layers.items():
                mine = seen.tops[TopSet(one, span.name, share)]
                theirs = sight.turns[later].layers[layer].tops[TopSet(other, span.name, share)]
                yield {
                    "pair": pair,
                    "keys": span.name,
                    "share": str(share),
                    "turn": turn,
                    "other": later,
                    "layer": layer,
                    "overlap": round(float(overlap(mine, theirs, span.keys).mean()), DIGITS),
                    "chance": round(span.count(share) / span.keys, DIGITS),
                }


def _along(seen: TurnSight) -> Iterator[Row]:
    for step, told in enumerate(seen.along, start=1):
        for against, (alike, kept) in told.items():
            yield {
                "step": step,
                "against": against,
                "overlap": round(alike, DIGITS),
                "kept": round(kept, DIGITS),
            }


def _heads(seen: TurnSight, context_tokens: int) -> Iterator[Row]:
    evidence = seen.evidence_tokens / context_tokens
    for layer, sight in seen.layers.items():
        columns = {name: x.tolist() for name, x in sight.heads.items()}
        for head in range(len(columns["all_mass"])):
            numbers = {name: round(values[head], DIGITS) for name, values in columns.items()}
            if not seen.evidence_tokens:
                numbers["evidence_mass"] = None
            yield {
                "layer": layer,
                "head": head,
                **numbers,
                "evidence_share": round(evidence, DIGITS),
            }


def _kept(seen: TurnSight) -> Iterator[Row]:
    for layer, sight in seen.layers.items():
        for method, by_keys in sight.kept.items():
            for keys, told in by_keys.items():
                if not told.whole and keys != "all":
                    continue  # no evidence is named, or none of it is attended to
                yield {
                    "method": method,
                    "layer": layer,
                    "keys": keys,
                    "held": round(sight.held[method], DIGITS),
                    "mass": told.mass,
                    "best": told.best,
                    "whole": told.whole,
                }
