"""Strict rules of Retr.KV and Retr.Prefix-Suffix: the answer must name the wanted string and no
rival.
"""

from __future__ import annotations

import re

from scbench.scoring.number import ungrouped
from scbench.scoring.rules import STRICT
from scbench.scoring.text import UNSPACED
from scbench.types import Score, Wanted

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Words of scripts without blanks may touch a string: 值是0f3c….
_ALONE = rf"(?<!(?![{UNSPACED}])[\w-])(?:{{}})(?!(?![{UNSPACED}])[\w-])"
_SHAPES = {"uuid": re.compile(_ALONE.format(_UUID)), "digits": re.compile(_ALONE.format("[0-9]+"))}
_RUN = re.compile(r"[\w-]+")
_WRAPPING = "\"'`*()[]{}<>.,:;!?…“”„‘’‚‹›「」『』«»"
_BETWEEN = re.compile(rf"[\s{UNSPACED}\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+")
# A stripped word this long, or this long with a digit, competes with the gold.
_LONG_CHARS = 32
_MIXED_CHARS = 8


def shape_of(gold: str) -> str | None:
    """The shape a published gold shows by itself: uuid, digits, or None."""
    if re.fullmatch(_UUID, gold):
        return "uuid"
    return "digits" if re.fullmatch("[0-9]+", gold) else None


def kv(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct candidates of a gold's shape, the asked key aside, are exactly one gold.
    Case matters.
    """
    found = {
        text
        for gold in wanted.golds
        for text in _candidates(prediction, gold, wanted.shape)
        if text in wanted.golds or text != wanted.asked_key
    }
    return _only(wanted.golds, found)


def _candidates(prediction: str, gold: str, shape: str | None) -> set[str]:
    """A gold that is no single run of word characters has no shape to compete in: the whole answer,
    unwrapped, must be it.
    """
    if shape in _SHAPES:
        text = ungrouped(prediction) if shape == "digits" else prediction
        return set(_SHAPES[shape].findall(text))
    if not _RUN.fullmatch(gold):
        return {gold if prediction.strip() == gold else prediction.strip().strip(_WRAPPING)} - {""}
    return {run for run in _RUN.findall(prediction) if len(run) == len(gold)}


def prefix_suffix(prediction: str, wanted: Wanted) -> Score:
    """1 iff some word, bare or unwrapped, is a gold and no other word looks like one of the
    context's strings.
    """
    found: set[str] = set()
    for word in _words(prediction, wanted):
        bare = word.strip(_WRAPPING)
        if word in wanted.golds or bare in wanted.golds:
            found.add(word if word in wanted.golds else bare)
        elif len(bare) >= _LONG_CHARS or (
            len(bare) >= _MIXED_CHARS and any(c.isdigit() for c in bare)
        ):
            found.add(bare)
    return _only(wanted.golds, found)


def _words(prediction: str, wanted: Wanted) -> list[str]:
    """The words between blanks, and between signs of scripts that have none."""
    is_plain = not any(_BETWEEN.search(gold) for gold in wanted.golds)
    return _BETWEEN.split(prediction) if is_plain else prediction.split()


def _only(golds: tuple[str, ...], found: set[str]) -> Score:
    read = ", ".join(text[:80] for text in sorted(found)[:4])[:200]
    is_right = len(found) == 1 and found <= set(golds)
    why = (
        ""
        if is_right
        else (
            "no candidate"
            if not found
            else "gold and rivals"
            if found & set(golds)
            else "another string"
        )
    )
    return Score(value=float(is_right), rule=STRICT, read=read, why=why)
