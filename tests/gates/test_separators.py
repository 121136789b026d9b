"""A separator is found in the text, however a tokenizer cuts it."""

from __future__ import annotations

import pytest

from gates.bench import KINDS, LOSES_TEXT, tokenizer
from scbench.methods.retrieval.blended_chunks import at_separator
from scbench.play.blending import texts_of

DOCUMENTS = ["The red key.", "a box of 12 apples", "naïve 文档 here", "the end."]
SEPARATORS = ["# #", " and so ", "═══", "—", "✂", "文档:", "\n---\n", "###", "[DOC]", " = "]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LOSES_TEXT])
def test_every_border_is_found(kind: str, separator: str) -> None:
    tok = tokenizer(kind, "none")
    text = separator.join(DOCUMENTS)
    ids = tok.encode(text).ids
    texts = texts_of(ids, tok)
    assert len(texts) == len(ids)
    assert "".join(texts).strip() == text
    assert len(at_separator(texts, separator)) == len(DOCUMENTS) - 1


def test_half_a_sign_at_the_end_is_no_text() -> None:
    tok = tokenizer("byte-level", "none")
    ids = tok.encode("a✂").ids
    assert texts_of(ids[:-1], tok) == ["a", *[""] * (len(ids) - 2)]
