"""Control words: texts that a tokenizer turns into one id with a meaning of its own.

In a template they open and close turns. In a document they are characters like any others: there
the word is broken in two before it is tokenised, so that no id of it is a control id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

CharRange = tuple[int, int]


def control_ids(raw: Any, template: str | None) -> dict[str, int]:
    """Word -> id of each special token of a `transformers` tokenizer, and of each added token that
    its chat template writes.

    Added tokens that no template uses (runs of blanks, tags of a mark-up) are ordinary vocabulary.
    """
    added = getattr(raw, "added_tokens_decoder", {})
    found = {
        str(token.content): int(number)
        for number, token in added.items()
        if str(token.content).strip() and (token.special or str(token.content) in (template or ""))
    }
    specials = getattr(raw, "all_special_tokens", ()), getattr(raw, "all_special_ids", ())
    found |= {str(word): int(number) for word, number in zip(*specials, strict=False)}
    return {word: number for word, number in found.items() if word.strip()}


def found_in(
    text: str, words: Iterable[str], start: int = 0, stop: int | None = None
) -> list[CharRange]:
    """Where control words stand in a text, ascending; of two that overlap the longer, then the
    earlier one.

    >>> found_in("a <s> and </s>", ["<s>", "</s>"])
    [(2, 5), (10, 14)]
    """
    places = sorted(
        (place for word in words for place in _places(text, word, start, stop)),
        key=lambda place: (place[0] - place[1], place[0]),
    )
    kept: list[CharRange] = []
    for a, b in places:
        if all(b <= start or stop <= a for start, stop in kept):
            kept.append((a, b))
    return sorted(kept)


def _places(text: str, word: str, start: int, stop: int | None) -> Iterator[CharRange]:
    at = text.find(word, start, stop)
    while at >= 0:
        yield at, at + len(word)
        at = text.find(word, at + 1, stop)


def broken(places: Sequence[CharRange]) -> tuple[int, ...]:
    """Where to break a text so that none of its control words is whole: in the middle of each."""
    return tuple((a + b) // 2 for a, b in places)
