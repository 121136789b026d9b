"""Scripts to ids without reading a long context again and again.

A tokenizer that cuts text into words before it merges (every byte-level BPE does) treats words
apart, and finds their borders from left to right. So where two texts share a long stretch, and a
tokenisation begun inside it has met the first text's word borders and ids for a while, it goes on
exactly as a tokenisation from the start would. `Encoder` reads the first text whole; of the others
only what follows such a meeting point. No meeting point, or a tokenizer that does not tell its
words: the whole text is read.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left

from scbench.errors import BadRow
from scbench.prompts.script import Script
from scbench.prompts.tokenizer import Tokenizer
from scbench.prompts.tokens import Encoded

WINDOW_CHARS = 4096  # read again before the end of the shared stretch
MARGIN_CHARS = (
    512  # of these, left alone: what follows the stretch may reach back into its last words
)
RUN_TOKENS = 32  # agreement needed before a word border counts as met


class Encoder:
    """Encodes the scripts of one session; they share the text up to the end of the context, or are
    read whole.
    """

    def __init__(self, tokenizer: Tokenizer, *, adds_bos: bool) -> None:
        self.tokenizer, self.adds_bos = tokenizer, adds_bos
        self.chars_read = 0  # what the tokenizer was given, for tests of thrift
        self._base: tuple[str, Encoded] | None = None

    def __call__(self, script: Script) -> Encoded:
        """Ids and character offsets of the script's text; a BOS put before it stands at characters
        [0, 0).
        """
        borders = [0, *script.cuts, len(script.text)]
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for start, stop in itertools.pairwise(borders):
            piece = script.text[start:stop]
            found = (
                self._first(piece, min(script.context[1], stop))
                if start == 0
                else self._read(piece, goes_on=True)
            )
            ids.extend(found.ids)
            offsets.extend(
                found.offsets if start == 0 else ((a + start, b + start) for a, b in found.offsets)
            )
        self._refuse_control(script, ids, offsets)
        bos = self.tokenizer.bos_id
        if self.adds_bos and bos is not None and ids[:1] != [bos]:
            ids.insert(0, bos)
            offsets.insert(0, (0, 0))
        return Encoded(tuple(ids), tuple(offsets))

    def _read(self, text: str, *, goes_on: bool = False) -> Encoded:
        self.chars_read += len(text)
        return self.tokenizer.encode_on(text) if goes_on else self.tokenizer.encode(text)

    def _refuse_control(
        self, script: Script, ids: list[int], offsets: list[tuple[int, int]]
    ) -> None:
        """Raises BadRow where a control word of the data became a control id all the same."""
        encoded, control = Encoded(tuple(ids), tuple(offsets)), set(self.tokenizer.control.values())
        for start, stop in script.literal:
            first, last = encoded.tokens_in(start, stop)
            if control & set(ids[first:last]):
                raise BadRow(
                    f"the text holds {script.text[start:stop]!r}, which the tokenizer of "
                    f"{self.tokenizer.name} cannot write as ordinary text; take it out of the row"
                )

    def _first(self, text: str, shared_chars: int) -> Encoded:
        if self._base is None or not text.startswith(self._base[0][:shared_chars]):
            self._base = (text, self._read(text))
            return self._base[1]
        if text == self._base[0]:
            return self._base[1]
        return self._spliced(self._base[1], text, shared_chars) or self._read(text)

    def _spliced(self, base: Encoded, text: str, shared_chars: int) -> Encoded | None:
        """`base` up to a meeting point and a fresh reading from there; None if they do not meet."""
        start = shared_chars - WINDOW_CHARS
        if base.words is None or start < WINDOW_CHARS:
            return None
        local = self._read(text[start:])
        met = meeting(base, local, start, shared_chars - MARGIN_CHARS)
        if met is None:
            return None
        at_base, at_local = met
        moved = tuple((a + start, b + start) for a, b in local.offsets[at_local:])
        return Encoded(base.ids[:at_base] + local.ids[at_local:], base.offsets[:at_base] + moved)


def meeting(base: Encoded, local: Encoded, start: int, limit: int) -> tuple[int, int] | None:
    """The first word border, before character `limit`, that ends a run of equal tokens in `base`
    and in `local` (read from character `start`).
    """
    run, last = 0, -1
    for at, (a, b) in enumerate(local.offsets):
        place = (a + start, b + start)
        if place[1] > limit:
            return None
        near = last + 1 if run else bisect_left(base.offsets, place)
        is_same = (
            near < len(base.ids) and base.offsets[near] == place and base.ids[near] == local.ids[at]
        )
        if is_same and at > 0 and base.begins_word(near) == local.begins_word(at):
            if run >= RUN_TOKENS and base.begins_word(near):
                return near, at
            run, last = run + 1, near
        else:
            run = 0
    return None
