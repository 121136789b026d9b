"""Key-value pairs that differ from all pairs made before: the grain of Retr.KV, and the entries of
Mix.RepoQA+KV.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scbench.tasks.contract import Counter
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS

MOST_KEY_WORDS, MOST_DIGITS = 8, 18
_HEX = "0123456789abcdef"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_UUID_FREE = (
    *range(8),
    *range(9, 13),
    *range(15, 18),
    *range(20, 23),
    *range(24, 36),
)  # neither dash nor version nor variant


@dataclass(frozen=True, slots=True)
class PairShape:
    """uuid: version-4-like keys and values. easy: `key_words` words joined by "-", and numbers of
    `digits` digits without leading zero.
    """

    variant: str
    key_words: int = 0
    digits: int = 0

    @property
    def answer_shape(self) -> str:
        """The name the scorers have for the values."""
        return "uuid" if self.variant == "uuid" else "digits"


def uuid(draw: Draw) -> str:
    """32 hexadecimal digits in the groups of a UUID, with version 4 and its variant."""
    text, bits = f"{draw.bits(120):030x}", draw.bits(2)
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-{'89ab'[bits]}{text[15:18]}-{text[18:]}"


def line(key: str, value: str) -> str:
    """A pair as it stands in a JSON object."""
    return f'"{key}": "{value}"'


@dataclass(slots=True)
class PairMaker:
    """Makes pairs; no key and no value comes twice, and (all being of one length, or of letters and
    digits apart) none lies inside another.
    """

    shape: PairShape
    seen: set[str] = field(default_factory=set)

    def fresh(self, draw: Draw) -> tuple[str, str]:
        """A new key and a new value."""
        if self.shape.variant == "uuid":
            return self._new(uuid, draw), self._new(uuid, draw)
        return self._new(self._words, draw), self._new(self._number, draw)

    def near(self, key: str, draw: Draw) -> tuple[str, str]:
        """A new key at edit distance 1 or 2 from `key`, and a new value."""
        return self._new(lambda d: self._altered(key, d), draw), self._new(
            uuid if self.shape.variant == "uuid" else self._number, draw
        )

    def _new(self, make, draw: Draw) -> str:  # type: ignore[no-untyped-def]
        seen = self.seen
        while (text := make(draw)) in seen:
            pass
        seen.add(text)
        return str(text)

    def _words(self, draw: Draw) -> str:
        bits = draw.bits(9 * self.shape.key_words)
        if self.shape.key_words == 2:
            return f"{WORDS[bits & 511]}-{WORDS[bits >> 9]}"
        return "-".join([WORDS[bits >> 9 * i & 511] for i in range(self.shape.key_words)])

    def _number(self, draw: Draw) -> str:
        lowest = 10 ** (self.shape.digits - 1)
        return str(lowest + draw.below(9 * lowest))

    def _altered(self, key: str, draw: Draw) -> str:
        characters = list(key)
        is_uuid = self.shape.variant == "uuid"
        free = _UUID_FREE if is_uuid else [i for i, c in enumerate(key) if c != "-"]
        for at in draw.sample(free, 1 + draw.below(2)):
            others = [c for c in (_HEX if is_uuid else _LETTERS) if c != characters[at]]
            characters[at] = draw.choice(others)
        return "".join(characters)


def digits_for(pairs: int) -> int:
    """The digits of values that leave 20 numbers for each pair, at least 4."""
    digits = 4
    while 9 * 10 ** (digits - 1) < 20 * pairs:
        digits += 1
    return digits


def key_words_for(pairs: int) -> int:
    """The words of keys that leave 4 keys for each pair."""
    words = 1
    while 512**words < 4 * pairs:
        words += 1
    return words


def easy_shape(
    target: int, count: Counter, *, key_words: int | None = None, digits: int | None = None
) -> PairShape:
    """The easy shape for as many pairs as fill `target` tokens, estimated on 64 pairs; given
    numbers are kept.
    """
    shape = PairShape("easy", key_words or 1, digits or 4)
    for _ in range(3):  # longer pairs are fewer: the estimate settles at once or in the next round
        maker, draw = (
            PairMaker(PairShape("easy", max(shape.key_words, 2), max(shape.digits, 4))),
            Draw("sample", "pairs"),
        )
        text = ",\n".join(line(*maker.fresh(draw)) for _ in range(64))
        pairs = max(round(target * 64 / max(count(text), 1)), 1)
        found = PairShape("easy", key_words or key_words_for(pairs), digits or digits_for(pairs))
        if found == shape:
            break
        shape = found
    return shape
