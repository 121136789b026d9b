"""Prompt compression: what selective-context and llmlingua-2 keep of a text, and who judges."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch, MissingExtra, Unknown
from scbench.kv import CacheShape
from scbench.methods import parse
from scbench.methods.generation import small_classifier, word_classifiers
from scbench.methods.generation.llmlingua import LLMLingua2
from scbench.methods.generation.selective_context import SelectiveContext
from scbench.methods.generation.word_classifiers import TrainedClassifier, Unigram
from scbench.methods.generation.word_dropping import WORD, WordDropping, chunks, percentile

TEXT = " ".join(
    f"The {noun} number {at} was seen near the old mill."
    for at, noun in enumerate(["heron", "miller", "cart", "bell"] * 40)
)
SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=16, dtype_bytes=4
)
words = st.sampled_from(["the", "heron", "mill.", "42", "\n", "why?", "磨坊在这里。", "a" * 30])
texts = st.lists(words, min_size=40, max_size=200).map(" ".join)


def kept(method: WordDropping, text: str) -> str:
    return "".join(text[start:stop] for start, stop in method.kept_ranges(text))


def is_subsequence(part: Sequence[str], whole: Sequence[str]) -> bool:
    left = iter(whole)
    return all(word in left for word in part)


@settings(deadline=None, max_examples=40)
@given(text=texts, tau=st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(3, 4)]))
def test_what_stays_is_a_subsequence_and_shorter(text: str, tau: Fraction) -> None:
    left = kept(SelectiveContext(tau=tau, force_newlines=False, force_question_marks=False), text)
    assert is_subsequence(left, text)
    assert len(left) < len(text)


@settings(deadline=None, max_examples=40)
@given(text=texts, tau=st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(3, 4)]))
def test_ranges_ascend_and_do_not_meet_before_they_end(text: str, tau: Fraction) -> None:
    ranges = SelectiveContext(
        tau=tau, force_newlines=False, force_question_marks=False
    ).kept_ranges(text)
    assert all(start < stop for start, stop in ranges)
    assert all(one[1] <= two[0] for one, two in pairwise(ranges))


def test_a_share_of_one_is_the_text_itself() -> None:
    assert SelectiveContext(tau=Fraction(1)).kept_ranges(TEXT) == [(0, len(TEXT))]


@pytest.mark.parametrize("tau", ["1/10", "1/4", "1/3", "1/2"])
def test_about_the_share_is_kept_and_never_more(tau: str) -> None:
    left = kept(SelectiveContext(tau=Fraction(tau)), TEXT)
    pieces = [sum(Unigram().pieces(WORD.findall(text))) for text in (left, TEXT)]
    assert 0.6 * Fraction(tau) < Fraction(pieces[0], pieces[1]) <= Fraction(tau)


def test_forced_marks_survive_and_go_when_not_forced() -> None:
    text = TEXT.replace("mill.", "mill?").replace("number 3", "number\n3")
    left = kept(SelectiveContext(tau=Fraction(1, 4)), text)
    assert (left.count("?"), left.count("\n")) == (text.count("?"), text.count("\n"))
    assert kept(SelectiveContext(tau=Fraction(1, 10), force_question_marks=False), text).count(
        "?"
    ) < text.count("?")


def test_digits_and_named_words_stay_when_forced() -> None:
    left = WORD.findall(kept(SelectiveContext(tau=Fraction(1, 10), force_digits=True), TEXT))
    assert sum(word.isdigit() for word in left) == 160
    left = WORD.findall(kept(SelectiveContext(tau=Fraction(1, 4), force_words="near|mill"), TEXT))
    assert (left.count("near"), left.count("mill.")) == (160, 160)


def test_what_is_forced_uses_the_share_up_before_anything_else() -> None:
    left = WORD.findall(kept(SelectiveContext(tau=Fraction(1, 10), force_words="near|mill"), TEXT))
    assert set(left) == {"near", "mill."}


def test_the_same_text_is_compressed_the_same_way() -> None:
    assert SelectiveContext().kept_ranges(TEXT) == SelectiveContext().kept_ranges(TEXT)


def test_common_words_go_before_rare_ones() -> None:
    left = WORD.findall(kept(SelectiveContext(tau=Fraction(1, 3)), TEXT))
    assert left.count("the") < 16 < TEXT.count(" the ") / 9
    assert sum(word.isdigit() for word in left) > 80


def test_a_text_of_forced_marks_alone_is_refused() -> None:
    with pytest.raises(Mismatch, match="drop nothing"):
        SelectiveContext().kept_ranges("\n" * 100)


@settings(deadline=None, max_examples=40)
@given(said=st.lists(st.tuples(words, st.integers(1, 9)), max_size=60), most=st.integers(3, 20))
def test_chunks_cover_all_words_once_within_their_limit(
    said: list[tuple[str, int]], most: int
) -> None:
    pieces = [count for _, count in said]
    found = list(chunks([word for word, _ in said], pieces, most))
    assert [at for start, stop in found for at in range(start, stop)] == list(range(len(said)))
    assert all(sum(pieces[start:stop]) <= most or stop - start == 1 for start, stop in found)


def test_a_chunk_ends_with_a_sentence_if_one_ends_in_it() -> None:
    said = ["a", "b.", "c", "d", "e", "f."]
    assert list(chunks(said, [1] * 6, 4)) == [(0, 2), (2, 6)]


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (50, 2.5), (67, 3.01), (100, 4.0), (101, 4.0)]
)
def test_percentiles_are_interpolated_between_values(percent: int, value: float) -> None:
    assert percentile([4.0, 2.0, 1.0, 3.0], percent) == pytest.approx(value)


@pytest.mark.parametrize("tau", ["1/32", "1/16", "2"])
def test_shares_below_a_tenth_or_above_one_are_refused(tau: str) -> None:
    with pytest.raises(Mismatch, match="1/10"):
        parse(f"llmlingua-2[tau={tau}]")


def test_too_few_tokens_left_are_refused() -> None:
    with pytest.raises(Mismatch, match="at least 32"):
        parse("llmlingua-2").check(shape=SHAPE, tokens=31)


@pytest.mark.parametrize("name", ["llmlingua-2", "selective-context"])
def test_a_share_of_a_tenth_is_the_least_under_either_name(name: str) -> None:
    with pytest.raises(Mismatch, match=rf"{name}\[tau=1/20\]"):
        parse(f"{name}[tau=1/20]")


def test_the_statistic_is_refused_under_the_name_of_the_trained_classifier() -> None:
    with pytest.raises(Mismatch, match=r"use selective-context\[tau=1/2\]"):
        parse("llmlingua-2[classifier=unigram,tau=1/2]")


def test_llmlingua_is_a_trained_classifier_where_nothing_is_said() -> None:
    bare, named = (
        parse(text).generation for text in ("llmlingua-2", "llmlingua-2[classifier=trained]")
    )
    assert bare == named
    assert bare.data_digest() == small_classifier.digest()
    assert isinstance(bare, LLMLingua2)
    judged = bare.kept_by(small_classifier.load(), TEXT)
    assert bare.kept_ranges(TEXT) == judged != SelectiveContext().kept_ranges(TEXT)
    assert parse("selective-context").generation.data_digest() == ""


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="word classifier"):
        LLMLingua2(classifier=str(tmp_path / "nowhere")).kept_ranges(TEXT)


def test_published_weights_that_are_not_there_come_with_the_line_that_fetches_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import transformers

    def absent(name: str) -> None:
        raise OSError(f"cannot reach the hub for {name}")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", absent)
    with pytest.raises(
        MissingExtra, match="hf download microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
    ):
        kept(parse("llmlingua-2[preset=paper]").generation, TEXT)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random XLM-R of one small layer, with a tokenizer that splits words at digits."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        XLMRobertaConfig,
        XLMRobertaForTokenClassification,
    )

    vocabulary = {
        word: at
        for at, word in enumerate(
            dict.fromkeys(["<unk>", "<pad>", *TEXT.replace(".", " .").split()])
        )
    }
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=600,
    )
    XLMRobertaForTokenClassification(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_trained_classifier_scores_words_by_the_mean_of_their_pieces(folder: Path) -> None:
    import torch

    judge = TrainedClassifier(str(folder))
    said = ["The", "heron", "mill."]
    assert judge.pieces(said) == [1, 1, 2]
    ids = judge.tokenizer("The heron mill .", return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        stays = torch.softmax(judge.model(**ids).logits[0], dim=-1)[:, 1].tolist()
    assert judge.keep(said) == pytest.approx(
        [stays[0], stays[1], (stays[2] + stays[3]) / 2], abs=1e-6
    )


def test_a_trained_classifier_compresses_and_its_weights_are_part_of_the_identity(
    folder: Path,
) -> None:
    method = parse(f"llmlingua-2[classifier={folder},tau=1/2]")
    assert isinstance(method.generation, LLMLingua2)
    left = kept(method.generation, TEXT)
    assert 0.3 < len(left) / len(TEXT) < 0.6
    before = method.source_digest
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert method.source_digest != before
    word_classifiers.classifier.cache_clear()
