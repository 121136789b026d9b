"""Sentences in which nothing of interest happens: no digits, no capital words, no names."""

from __future__ import annotations

from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS

CYCLE = (
    "The wind turned over the hill and nobody looked up.",
    "A kettle was put on and taken off again.",
    "Somewhere a gate moved in its hinge.",
    "The road went on as it had gone on before.",
    "It grew dark, and then it grew light.",
)

# Two nouns each; all of them work with any noun of the list.
_TEMPLATES = (
    ("The old ", " stood for years beside the ", "."),
    ("Nobody had asked about the ", ", nor about the ", " behind it."),
    ("A picture of some ", " hung above the ", " in the corner."),
    ("They talked about the ", " for a while and then about the ", "."),
    ("There was once a shop that had one ", " and one ", ", and little else."),
    ("The ", " was wet from the rain, and so was the ", "."),
    ("In the evening the ", " seemed larger than the ", "."),
    ("People said that every ", " looks a little like a ", " from far away."),
    ("The child drew a ", " first and a ", " after it."),
    ("Between the ", " and the ", " there was nothing but grass."),
    ("Some like the ", " better, others like the ", ", and most like neither."),
    ("Dust lay on the ", " as thick as on the ", "."),
    ("The sign showed a ", " whose paint had gone, next to a ", "."),
    ("It could have been a ", ", it could have been a ", ", and it made no difference."),
    ("The visitor praised the ", " and forgot the ", " at once."),
    ("Long ago the ", " had been moved to make room for the ", "."),
)

# One sentence of each length from 3 to 12 words.
_BY_WORDS = {
    3: "Time went by.",
    4: "Time went slowly by.",
    5: "Time went slowly by outside.",
    6: "Time went slowly by out there.",
    7: "The time went slowly by out there.",
    8: "All the time went slowly by out there.",
    9: "And all the time went slowly by out there.",
    10: "And all the quiet time went slowly by out there.",
    11: "And all the quiet time went very slowly by out there.",
    12: "And all of the quiet time went very slowly by out there.",
}


def varied(draw: Draw) -> str:
    """One of four million sentences."""
    bits = draw.bits(22)
    first, middle, last = _TEMPLATES[bits & 15]
    return f"{first}{WORDS[bits >> 4 & 511]}{middle}{WORDS[bits >> 13]}{last}"


def of_words(words: int) -> str:
    """Sentences of `words` words in all; below 3 there are none."""
    parts: list[str] = []
    while words > 14:
        parts.append(_BY_WORDS[12])
        words -= 12
    if words > 12:
        parts.append(_BY_WORDS[4])
        words -= 4
    if words > 2:
        parts.append(_BY_WORDS[words])
    return " ".join(parts)
