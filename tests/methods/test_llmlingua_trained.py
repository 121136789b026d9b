"""LLMLingua-2 with the small classifier that ships with the package."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import DataError
from scbench.lab.tokens import Count
from scbench.methods import parse
from scbench.methods.generation import small_classifier
from scbench.methods.generation.llmlingua import LLMLingua2
from scbench.methods.generation.small_classifier import WEIGHTS, SmallClassifier
from scbench.methods.generation.small_network import Network
from scbench.methods.generation.word_dropping import WORD
from scbench.methods.generation.word_features import (
    FEATURES,
    Counts,
    features_of,
    grams_of,
    sentences,
)
from scbench.tasks import task
from scbench.tasks.contract import Counter, Words
from scbench.types import Form

DULL = (
    "The road went on as it had gone on before. It grew dark, and then it grew light. A kettle was "
    "put on and taken off again. "
)
FACT = "The key of the north vault is 48213. "
TEXT = DULL * 20 + FACT + DULL * 20
MOST_BYTES = 300_000


def kept(text: str, tau: str = "1/4") -> str:
    generation = parse(f"llmlingua-2[classifier=trained,tau={tau}]").generation
    assert isinstance(generation, LLMLingua2)
    return "".join(text[start:stop] for start, stop in generation.kept_ranges(text))


def test_the_weights_are_shipped_and_small() -> None:
    assert 0 < WEIGHTS.stat().st_size < MOST_BYTES


def test_a_fact_among_what_is_said_again_and_again_stays() -> None:
    assert "vault is 48213" in kept(TEXT)


@pytest.mark.parametrize("tau", ["1/10", "1/4", "1/2"])
def test_about_the_share_is_kept_and_never_more(tau: str) -> None:
    judge = small_classifier.load()
    pieces = [sum(judge.pieces(WORD.findall(text))) for text in (kept(TEXT, tau), TEXT)]
    assert 0.5 * Fraction(tau) < Fraction(pieces[0], pieces[1]) <= Fraction(tau)


def test_what_is_kept_does_not_depend_on_texts_read_before() -> None:
    before = kept(TEXT)
    kept(FACT * 60)
    assert kept(TEXT) == before


def test_a_word_is_judged_by_the_whole_text_and_not_by_its_chunk_alone() -> None:
    judge = small_classifier.load()
    words = WORD.findall(FACT)
    assert judge.having_read(words).keep(words) == judge.keep(words)
    assert judge.having_read(WORD.findall(TEXT)).keep(words) != judge.having_read(words * 50).keep(
        words
    )


def test_an_empty_chunk_has_no_scores() -> None:
    assert small_classifier.load().keep([]) == []


def test_the_weights_are_part_of_the_identity(tmp_path: Path) -> None:
    method = parse("llmlingua-2[classifier=trained]")
    before = method.source_digest
    assert before != parse("llmlingua-2[force_digits=yes,classifier=nowhere]").source_digest
    torch.manual_seed(1)
    small_classifier.save(Network(), tmp_path / "other.safetensors")
    assert small_classifier.digest(tmp_path / "other.safetensors") != small_classifier.digest()


def test_a_file_that_holds_another_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(DataError, match=r"broken\.safetensors"):
        small_classifier.load(tmp_path / "broken.safetensors")
    torch.save({}, tmp_path / "pickled.safetensors")
    with pytest.raises(DataError, match=r"pickled\.safetensors"):
        small_classifier.load(tmp_path / "pickled.safetensors")
    with pytest.raises(DataError, match=r"none\.safetensors"):
        small_classifier.load(tmp_path / "none.safetensors")


def test_saved_weights_judge_as_before(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Network()
    small_classifier.save(network, tmp_path / "w.safetensors")
    words = WORD.findall(FACT)
    assert small_classifier.load(tmp_path / "w.safetensors").keep(words) == SmallClassifier(
        network
    ).keep(words)


odd = st.lists(
    st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=40),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(words=odd)
def test_any_word_has_features_between_minus_nothing_and_two(words: Sequence[str]) -> None:
    rows = features_of(words, Counts.of(words))
    assert len(rows) == len(words)
    assert all(len(row) == FEATURES and all(0 <= value <= 2 for value in row) for row in rows)
    assert all(grams_of(word) for word in words)


@settings(deadline=None, max_examples=60)
@given(words=st.lists(st.sampled_from(["a", "b.", "\n", "c?"]), max_size=30))
def test_sentences_cover_all_words_once(words: Sequence[str]) -> None:
    assert [at for start, stop in sentences(words) for at in range(start, stop)] == list(
        range(len(words))
    )


def test_digits_are_alike_to_the_letters() -> None:
    assert grams_of("48213.") == grams_of("99999") != grams_of("9999")


# -- the share, in the judge's pieces and in the model's tokens ------------------------------------


def shares(text: str, count: Counter, settings: str = "tau=1/8") -> tuple[float, float]:
    """What is kept of the judge's pieces, and of the model's tokens."""
    generation = parse(f"llmlingua-2[{settings}]").generation
    assert isinstance(generation, LLMLingua2)
    left = "".join(text[start:stop] for start, stop in generation.kept_ranges(text))
    judge = small_classifier.load()
    pieces = [sum(judge.pieces(WORD.findall(one))) for one in (left, text)]
    return pieces[0] / pieces[1], count(left) / count(text)


@pytest.mark.parametrize("name", ["vt", "qa_eng", "summary"])
def test_an_eighth_of_plain_prose_is_near_an_eighth_of_its_tokens(name: str) -> None:
    session = task(name, Form.FULL).make(seed="share:0", target=2_000, turns=2, count=Words())
    of_pieces, of_tokens = shares(session.context, Words())
    assert 0.105 <= of_pieces <= 0.125
    assert of_tokens == pytest.approx(0.125, abs=0.02)


def test_values_that_the_model_spells_out_weigh_more_in_its_tokens_than_in_the_judges() -> None:
    session = task("kv", Form.TINY).make(seed="share:0", target=512, turns=2, count=Count())
    words = WORD.findall(session.context)
    value = next(word for word in words if word.isdigit() and len(word) == 4)
    assert (small_classifier.load().pieces([value]), Count()(value)) == ([1], 5)
    forced = LLMLingua2(tau=Fraction(1, 8))._forced(words)
    assert not any(forced)
    of_pieces, of_tokens = shares(session.context, Count())
    assert 0.11 <= of_pieces <= 0.125
    assert 0.2 <= of_tokens <= 0.28


def test_forced_newlines_use_the_share_up_and_leave_it_to_words_where_not_forced() -> None:
    session = task("kv", Form.FULL).make(seed="share:0", target=2_000, turns=2, count=Words())
    of_pieces, of_words = shares(session.context, Words())
    assert of_pieces > 0.125
    assert of_words == 0.0
    of_pieces, of_words = shares(session.context, Words(), "tau=1/8,force_newlines=no")
    assert of_pieces <= 0.125
    assert of_words > 0.0
