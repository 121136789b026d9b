"""Strict rules of Retr.KV and Retr.Prefix-Suffix: the answer must name the wanted string and no
rival.
"""

from __future__ import annotations

import re

from scbench.types import Score, Wanted

RULE = "strict/1"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ALONE = r"(?<![\w-])(?:{})(?![\w-])"
_SHAPES = {"uuid": re.compile(_ALONE.format(_UUID)), "digits": re.compile(_ALONE.format("[0-9]+"))}
_RUN = re.compile(r"[\w-]+")
_WRAPPING = "\"'`*()[]{}<>.,:;"
_LONG_CHARACTERS, _MIXED_CHARACTERS = (
    32,
    8,
)  # a stripped word this long, or this long with a digit, competes with the gold


def shape_of(gold: str) -> str | None:
    """The shape a published gold shows by itself: uuid, digits, or None."""
    if re.fullmatch(_UUID, gold):
        return "uuid"
    return "digits" if re.fullmatch("[0-9]+", gold) else None


def kv(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct candidates of the gold's shape, the asked key aside, are exactly the gold.
    Case matters.
    """
    gold = wanted.golds[0]
    found = {
        text
        for text in _candidates(prediction, gold, wanted.shape)
        if text == gold or text != wanted.asked_key
    }
    return _only(gold, found)


def _candidates(prediction: str, gold: str, shape: str | None) -> set[str]:
    """A gold that is no single run of word characters has no shape to compete in: the whole answer,
    unwrapped, must be it.
    """
    if shape in _SHAPES:
        return set(_SHAPES[shape].findall(prediction))
    if not _RUN.fullmatch(gold):
        return {gold if prediction.strip() == gold else prediction.strip().strip(_WRAPPING)} - {""}
    return {run for run in _RUN.findall(prediction) if len(run) == len(gold)}


def prefix_suffix(prediction: str, wanted: Wanted) -> Score:
    """1 iff some word, bare or unwrapped, is the gold and no other word looks like one of the
    context's strings.
    """
    gold = wanted.golds[0]
    found: set[str] = set()
    for word in prediction.split():
        bare = word.strip(_WRAPPING)
        if gold in (word, bare):
            found.add(gold)
        elif len(bare) >= _LONG_CHARACTERS or (
            len(bare) >= _MIXED_CHARACTERS and any(c.isdigit() for c in bare)
        ):
            found.add(bare)
    return _only(gold, found)


def _only(gold: str, found: set[str]) -> Score:
    read = ", ".join(sorted(found)[:4])[:200]
    why = (
        ""
        if found == {gold}
        else (
            "no candidate"
            if not found
            else "gold and rivals"
            if gold in found
            else "another string"
        )
    )
    return Score(value=float(found == {gold}), rule=RULE, read=read, why=why)
