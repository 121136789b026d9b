"""The table of refused pairs: its words are those of stages, and each row refuses somebody."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.errors import Mismatch
from scbench.methods import parse
from scbench.methods.cards import CARDS
from scbench.methods.pairs import KINDS, TABLE, WORDS, Refused, markdown, refusal, words_of

ROOT = Path(__file__).parents[2]
FORMS = [spelling for card in CARDS.values() for spelling in card.spelled_forms().values()]
STAGES = [parse(spelling).chosen[0] for spelling in FORMS] + [
    parse("duo-attention[tau=1/2,prefill=streaming]").chosen[0]
]


def test_a_row_speaks_of_words_that_are_explained() -> None:
    assert {word for row in TABLE for word in (row.a, row.b)} <= WORDS.keys()


def test_every_stage_has_one_kind() -> None:
    for stage in STAGES:
        assert len(words_of(stage) & set(KINDS)) == 1, stage


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_somebodys(word: str) -> None:
    assert any(word in words_of(stage) for stage in STAGES)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.a} + {row.b}")
def test_every_row_refuses_a_pair_of_ours_and_says_why(row: Refused) -> None:
    """A row that refuses nobody is a rule that nobody can break."""
    told = {
        refusal([one, other])
        for one in STAGES
        for other in STAGES
        if row.a in words_of(one) and row.b in words_of(other)
    }
    assert any(why and why.endswith(row.why.rpartition("}")[2]) for why in told)


def test_the_order_of_two_stages_does_not_matter() -> None:
    for one in STAGES:
        for other in STAGES:
            assert (refusal([one, other]) is None) == (refusal([other, one]) is None)


def test_a_reading_that_comes_with_its_eviction_is_not_joined_with_another() -> None:
    duo = "duo-attention[tau=1/2,prefill=streaming]"
    with pytest.raises(Mismatch, match="reads the context in its own way, and a-shape"):
        parse(f"a-shape[tau=1/4]+{duo}")
    assert str(parse(f"{duo}+kivi")) == f"{duo}+kivi"


def test_the_page_is_that_of_the_table() -> None:
    page = (ROOT / "docs" / "pairs.md").read_text(encoding="utf-8")
    assert page == markdown(), "scbench list pairs --markdown > docs/pairs.md"
