"""ROUGE-Lsum and BLEU against the libraries that define them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.scoring import bleu
from scbench.scoring.rouge import rouge_lsum

from .corpus import Dice, corpus

words = st.sampled_from(["a", "b", "c", "B", "d.", "e", "7", "\n", "é", "K", "x\ty"])
texts = st.lists(words, max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def library_rouge() -> Callable[[str, str], float]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeLsum"], use_stemmer=False)
    return lambda prediction, gold: float(scorer.score(gold, prediction)["rougeLsum"].fmeasure)


def library_bleu(candidate: str, reference: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    return float(
        sentence_bleu(
            [bleu.tokens(reference)],
            bleu.tokens(candidate),
            smoothing_function=SmoothingFunction().method4,
        )
    )


def test_rouge_equals_the_library_on_the_corpus(library_rouge: Callable[[str, str], float]) -> None:
    for item in corpus("summary", 800, seed=5):
        assert rouge_lsum(item.prediction, item.label) == pytest.approx(
            library_rouge(item.prediction, item.label), abs=1e-12
        )


def test_rouge_takes_the_library_s_path_among_equal_subsequences(
    library_rouge: Callable[[str, str], float],
) -> None:
    dice = Dice(3)
    for _ in range(300):
        gold, prediction = (
            "".join(
                dice.pick(["a ", "b ", "c ", "d ", "e ", "\n"]) for _ in range(10 + dice.below(60))
            )
            for _ in range(2)
        )
        assert rouge_lsum(prediction, gold) == pytest.approx(
            library_rouge(prediction, gold), abs=1e-12
        )


def test_rouge_of_sentences_of_very_different_length_equals_the_library(
    library_rouge: Callable[[str, str], float],
) -> None:
    dice = Dice(9)
    gold = "\n".join(
        "".join(dice.pick(["a ", "b ", "c ", "q "]) for _ in range(n)) for n in (1, 90, 3, 0, 20)
    )
    prediction = "\n".join(
        "".join(dice.pick(["a ", "b ", "c ", "z "]) for _ in range(n))
        for n in (200, 1, 1, 0, 17, 40, 2)
    )
    assert rouge_lsum(prediction, gold) == pytest.approx(library_rouge(prediction, gold), abs=1e-12)


@settings(deadline=None, max_examples=150)
@given(prediction=texts, gold=texts)
def test_rouge_equals_the_library_on_any_words(
    prediction: str, gold: str, library_rouge: Callable[[str, str], float]
) -> None:
    assert rouge_lsum(prediction, gold) == pytest.approx(library_rouge(prediction, gold), abs=1e-12)


@settings(deadline=None, max_examples=300)
@given(candidate=texts, reference=texts)
def test_bleu_equals_the_library_and_stays_under_its_bound(candidate: str, reference: str) -> None:
    value = bleu.similarity(candidate, reference)
    assert value == pytest.approx(library_bleu(candidate, reference), abs=1e-12)
    assert value <= bleu._bound(
        bleu.Grams(bleu.tokens(candidate)), bleu.Grams(bleu.tokens(reference))
    )


@settings(deadline=None, max_examples=200)
@given(candidate=texts, references=st.lists(texts, max_size=8))
def test_the_quick_search_finds_what_trying_all_in_order_finds(
    candidate: str, references: list[str]
) -> None:
    best, best_index = 0.0, None
    for index, reference in enumerate(references):
        value = bleu.similarity(candidate, reference)
        if value > best:
            best, best_index = value, index
    assert bleu.most_similar(candidate, references) == (best_index, best)


def test_two_empty_texts_are_equal_and_no_common_word_is_zero() -> None:
    assert bleu.similarity("", "  ") == library_bleu("", " ") == 1.0
    assert bleu.similarity("a b", "c d") == 0.0
    assert bleu.most_similar("a b", ["c d", ""]) == (None, 0.0)
