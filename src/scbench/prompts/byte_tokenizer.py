"""UTF-8 bytes as tokens: for tests, the toy engine and tiny random models. No chat template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scbench.errors import Mismatch
from scbench.prompts.tokenizer import NO_ARGUMENTS, PLAIN, Message
from scbench.prompts.tokens import Encoded

SPECIALS = {"<bos>": 256, "<end>": 257, "<ask>": 258, "<ans>": 259, "<sep>": 260}
_SPECIAL = re.compile("|".join(map(re.escape, SPECIALS)))


class ByteTokenizer:
    """Ids 0-255 are bytes; `<bos>` 256, `<end>` 257, `<ask>`, `<ans>`, `<sep>` follow.

    Ids from there up to `vocabulary_tokens` have no text: random models with wider heads say them.
    """

    name = "bytes"
    template_digest = PLAIN
    has_chat_template = False
    bos_id: int | None = SPECIALS["<bos>"]
    end_ids = frozenset({SPECIALS["<end>"]})
    control: Mapping[str, int] = SPECIALS
    turn_end: str | None = None
    template_text = ""
    added_words: Sequence[str] = tuple(SPECIALS)

    def __init__(self, vocabulary_tokens: int = 256 + len(SPECIALS)) -> None:
        self.vocabulary_tokens = vocabulary_tokens

    def encode(self, text: str) -> Encoded:
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        at = 0
        for found in _SPECIAL.finditer(text):
            _bytes(text, at, found.start(), ids, offsets)
            ids.append(SPECIALS[found[0]])
            offsets.append(found.span())
            at = found.end()
        _bytes(text, at, len(text), ids, offsets)
        return Encoded(tuple(ids), tuple(offsets))

    def encode_on(self, text: str) -> Encoded:
        return self.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(token for token in ids if token < 256).decode("utf-8", "replace")

    def decode_on(self, ids: Sequence[int]) -> str:
        return self.decode(ids)

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool,
        arguments: Mapping[str, object] = NO_ARGUMENTS,
    ) -> str:
        raise Mismatch("the byte tokenizer has no chat template; use the plain one (--plain)")


def _bytes(
    text: str, start: int, stop: int, ids: list[int], offsets: list[tuple[int, int]]
) -> None:
    part = text[start:stop]
    if part.isascii():
        ids.extend(part.encode())
        offsets.extend((at, at + 1) for at in range(start, stop))
        return
    for at, letter in enumerate(part, start):
        raw = letter.encode("utf-8", "surrogatepass")
        ids.extend(raw)
        offsets.extend([(at, at + 1)] * len(raw))
