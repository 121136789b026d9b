"""Token ids with named spans: what a conversation hands to an engine."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scbench.types import Role, Span

TokenRange = tuple[int, int]  # half-open, in tokens
Evidence = tuple[int, int, Role]
RESTS_ON = (Role.SUPPORT, Role.ANSWER)  # roles of what an answer needs; others are told of, too


@dataclass(frozen=True, slots=True)
class Encoded:
    """Ids of a text and where each stands in it: half-open CHARACTER offsets, ascending; several
    tokens may share one character.

    `words` numbers the runs that the tokenizer treats apart from each other (its pre-tokens), one
    number per token; None if it does not tell.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    words: tuple[int | None, ...] | None = None

    def begins_word(self, at: int) -> bool:
        return self.words is not None and (at == 0 or self.words[at] != self.words[at - 1])

    def tokens_in(self, start: int, stop: int) -> TokenRange:
        """The tokens that touch characters [start, stop)."""
        first = bisect_right(self.offsets, start, key=lambda pair: pair[1])
        return first, max(first, bisect_left(self.offsets, stop, key=lambda pair: pair[0]))

    def tokens_before(self, stop: int) -> int:
        """How many tokens lie wholly before character `stop`."""
        return bisect_right(self.offsets, stop, key=lambda pair: pair[1])


@dataclass(frozen=True, slots=True)
class Tokens:
    """The prefix that all turns share. `evidence(turn)` gives half-open token ranges inside
    `ids`.
    """

    ids: tuple[int, ...]
    by_turn: Mapping[int, tuple[Evidence, ...]] = field(default_factory=dict)

    def evidence(self, turn: int) -> list[Evidence]:
        return list(self.by_turn.get(turn, ()))

    def rests_on(self, *turns: int) -> tuple[int, ...]:
        """The tokens that the answers of these turns rest on, ascending; without any, of all. None
        where one of them names none."""
        found: set[int] = set()
        for turn in turns or self.by_turn:
            spans = [span for span in self.by_turn.get(turn, ()) if span[2] in RESTS_ON]
            if not spans:
                return ()
            found.update(at for start, stop, _ in spans for at in range(start, stop))
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Prompt:
    """All ids up to and including the header of the answer of `turn`; where the template opens a
    thought there, that is `opening`.

    `spans`: "context" (the session's context inside the shared prefix) and "ask" (this turn's
    query), half-open token ranges. `text` and `messages` are the same for whoever has a tokenizer
    or a chat template of its own; where ids were left out, so was their text.
    """

    turn: int
    ids: tuple[int, ...]
    spans: Mapping[str, TokenRange]
    text: str = ""
    messages: tuple[Mapping[str, str], ...] = ()  # [{"role": "user", "content": ...}, ...]
    opening: tuple[int, ...] = ()  # behind `ids`; later prompts do not have it
    opening_text: str = ""

    @property
    def whole(self) -> Prompt:
        """With its opening, for whoever carries no state to the next turn."""
        if not self.opening:
            return self
        return replace(
            self,
            ids=(*self.ids, *self.opening),
            text=self.text + self.opening_text,
            opening=(),
            opening_text="",
        )


def as_message(text: str) -> tuple[Mapping[str, str], ...]:
    """A text as what a user says, for whoever takes messages alone."""
    return ({"role": "user", "content": text},)


@dataclass(frozen=True, slots=True)
class Cut:
    """A range of tokens left out of every prompt; empty if nothing was."""

    start: int
    stop: int

    @property
    def tokens(self) -> int:
        return self.stop - self.start

    def ids(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        return ids[: self.start] + ids[self.stop :] if self.tokens else ids

    def at(self, token: int) -> int:
        """Where a token stands after the cut; tokens that are gone fall on its edge."""
        return token if token <= self.start else max(self.start, token - self.tokens)

    def span(self, span: TokenRange) -> TokenRange:
        return self.at(span[0]), self.at(span[1])

    def touches(self, span: TokenRange) -> bool:
        return span[0] < self.stop and self.start < span[1]


def evidence_tokens(
    encoded: Encoded, spans: Sequence[Span], *, shift_chars: int, limit_tokens: int
) -> tuple[Evidence, ...]:
    """Token ranges of character spans that stand `shift_chars` further right in the encoded text,
    ended at `limit_tokens`.
    """
    found: list[Evidence] = []
    for span in spans:
        start, stop = encoded.tokens_in(span.start + shift_chars, span.stop + shift_chars)
        if start < min(stop, limit_tokens):
            found.append((start, min(stop, limit_tokens), span.role))
    return tuple(found)


def needed(spans: Sequence[tuple[int, int, Role]]) -> list[tuple[int, int]]:
    """What an answer rests on: answer and support spans, else everything that counts."""
    strong = [(start, stop) for start, stop, role in spans if role in (Role.ANSWER, Role.SUPPORT)]
    return strong or [(start, stop) for start, stop, role in spans if role is Role.GLOBAL]


def common_prefix(a: Sequence[int] | str, b: Sequence[int] | str, limit: int | None = None) -> int:
    """Length of the longest common prefix, by halving: comparing slices is far quicker than a loop
    over 100,000 ids.
    """
    low, high = 0, min(len(a), len(b), *([] if limit is None else [limit]))
    if a[:high] == b[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
