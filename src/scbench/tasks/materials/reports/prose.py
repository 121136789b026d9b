"""The filler of a report: sentences on its subject without digits, names or anything worth
keeping.
"""

from __future__ import annotations

from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import words

# {t} the report's subject; p part, s state, o people, m time, w weather, a act, l place, g goods; a
# second one of a sort has a 2.
_TEMPLATES = (
    "The {p} beside the {t} was {s} when the {o} came back from the {l}.",
    "During the {m} the {o} {a} the {p} and left it {s}.",
    "There was {w} over the {l} for most of the {m}.",
    "Some {o} thought the {p} too {s}, others did not mind.",
    "A {s} {p} stood next to a {s2} {p2} and nobody asked why.",
    "Near the {l} the {o} kept {g} and {g2} in a {s} corner.",
    "The {t} looked {s} in the {m}, and {w} made it look {s2}.",
    "Whenever there was {w}, the {p} had to be {a} and then {a2}.",
    "The {o} talked about {g}, the {o2} about {w}.",
    "Between the {t} and the {l} runs a {s} track with a {s2} {p}.",
    "Towards {m} the {p} was {a}, as the custom of the {l} has it.",
    "It is said that {g} keeps a {p} {s} through the {m}.",
    "The {o} of the {l} often pass the {t} with loads of {g}.",
    "Behind the {p} lay {g}, {g2} and a {s} {p2}.",
    "A few {o} had {a} the {p}, but the {p2} stayed {s}.",
    "Many like the {t} best in the {m}, when the {p} is {s}.",
)
_COMPACT = (
    "The {p} was {s}.",
    "The {o} {a} the {p}.",
    "There was {w} in the {m}.",
    "A {s} {p} stood there.",
    "The {o} brought {g}.",
    "Some {g} lay by the {p}.",
    "The {l} was {s} that {m}.",
    "It smelled of {g}.",
)
_SORTS: dict[str, tuple[str, ...]] = {
    "p": words.PARTS,
    "s": words.STATES,
    "o": words.PEOPLE,
    "m": words.TIMES,
    "w": words.WEATHER,
    "a": words.ACTS,
    "l": words.PLACES,
    "g": words.GOODS,
}
_REPEATED = 4  # different sentences a report says again


def _slots(template: str) -> tuple[str, ...]:
    return tuple(part.split("}")[0] for part in template.split("{")[1:])


_LONG_SLOTS = tuple((template, _slots(template)) for template in _TEMPLATES)
_SHORT_SLOTS = tuple((template, _slots(template)) for template in _COMPACT)


def filler(draw: Draw, thing: str, *, is_compact: bool) -> str:
    """One sentence about the thing; two words of a sort in it differ."""
    template, slots = draw.choice(_SHORT_SLOTS if is_compact else _LONG_SLOTS)
    said = {"t": thing}
    for slot in slots:
        if slot not in said:
            sort = _SORTS[slot[0]]
            at = draw.below(len(sort))
            if len(slot) > 1 and sort[at] == said.get(slot[0]):
                at = (at + 1) % len(sort)
            said[slot] = sort[at]
    return template.format_map(said)


def repeated(base: Draw, draw: Draw, thing: str, *, is_compact: bool) -> str:
    """One of the few sentences that a report says over and over."""
    return filler(base.child(str(draw.below(_REPEATED))), thing, is_compact=is_compact)


def pad(words_wanted: int, draw: Draw) -> str:
    """A sentence of about so many tokens; "" for 0."""
    if words_wanted < 1:
        return ""
    first = draw.below(len(words.GOODS))
    return (
        "Also "
        + " ".join(
            words.GOODS[(first + i) % len(words.GOODS)] for i in range(max(1, words_wanted - 2))
        )
        + "."
    )
