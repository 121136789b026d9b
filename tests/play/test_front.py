"""Four verbs: load, read, put under a method, ask. The same player as in a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from test_session import job

import scbench
from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch, TooLong, Unknown
from scbench.front import LanguageModel, load, wrap
from scbench.front.session import session_of
from scbench.grid.costs import cost_of
from scbench.kv.accounting import counted_in
from scbench.methods import parse
from scbench.play.session import SessionPlay
from scbench.types import Accounting, CompressAfter, Mode, Protocol, Record

TEXT = "".join(f"The colour of box {at} is {at * 7 % 23}. " for at in range(30))
QUESTIONS = ("What is the colour of box 3?", "And of box 21?")
SLOW = ("streaming-llm[tau=1/4]", "kvzip[tau=1/2]", "kivi[bits=2]", "cacheblend", "prefix")
METHODS = (
    "dense",
    "snapkv[tau=1/4]+kivi[bits=4]",
    "quest[tau=1/4]",
    "minference[tau=1/4]",
    *(pytest.param(method, marks=pytest.mark.slow) for method in SLOW),
)


@pytest.fixture(scope="module")
def llm() -> LanguageModel:
    return LanguageModel(tiny("gqa"))


def recorded(llm: LanguageModel, method: str, question: str, after: CompressAfter) -> Record:
    """What a run writes of the same text and question."""
    of = session_of(TEXT, [question], [], 8)
    records: list[Record] = []
    protocol = Protocol(compress_after=after)
    run = SessionPlay(llm.engine, of, protocol, emit=records.append, needles={})
    run.play([job(parse(method), Mode.MULTI_REQUEST, protocol, of)])
    return records[0]


@pytest.mark.parametrize("after", CompressAfter)
@pytest.mark.parametrize("method", METHODS)
def test_asking_gives_what_a_run_records_token_for_token(
    llm: LanguageModel, method: str, after: CompressAfter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scbench.play.record.scored_again", lambda record, *_: record)
    doc = llm.read(TEXT)
    for question in QUESTIONS:
        said = doc.under(method, after=after).ask(question, max_tokens=8)
        record = recorded(llm, method, question, after)
        assert record.answer is not None
        assert (said.ids, said.text, said.finish) == (
            record.answer.ids,
            record.answer.text,
            record.answer.finish,
        )
        assert said.kept_tokens == record.cost.stored_tokens
        assert said.seen_tokens == record.cost.logical_tokens


def test_questions_do_not_disturb_each_other(llm: LanguageModel) -> None:
    doc = llm.read(TEXT)
    small = doc.under("streaming-llm[tau=1/4]")
    alone = [
        llm.read(TEXT).under("streaming-llm[tau=1/4]").ask(one, max_tokens=6) for one in QUESTIONS
    ]
    mixed = [small.ask(QUESTIONS[0], max_tokens=6), doc.ask(QUESTIONS[0], max_tokens=6)]
    mixed += [small.ask(QUESTIONS[1], max_tokens=6), small.ask(QUESTIONS[0], max_tokens=6)]
    assert mixed[0].ids == mixed[3].ids == alone[0].ids
    assert mixed[2].ids == alone[1].ids
    assert mixed[1].ids == llm.read(TEXT).ask(QUESTIONS[0], max_tokens=6).ids
    assert mixed[0].held_bytes is not None
    assert mixed[0].held_bytes < mixed[1].dense_bytes
    assert mixed[1].held_bytes == mixed[1].dense_bytes


def test_a_text_is_read_once_and_a_second_read_is_counted_and_said(
    llm: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    doc = llm.read(TEXT)
    assert doc.reads == 0
    for method in ("dense", "kivi[bits=2]", "quest[tau=1/4]", "streaming-llm[tau=1/4]"):
        doc.under(method).ask(QUESTIONS[0], max_tokens=2)
    assert doc.reads == 1
    assert "read again" not in capsys.readouterr().err
    doc.under("snapkv[tau=1/4]").ask(QUESTIONS[0], max_tokens=2)
    assert doc.reads == 2
    told = capsys.readouterr().err
    assert "read again: 818 tokens" in told
    assert "because snapkv[tau=1/4] must see the last queries" in told
    doc.under("snapkv[tau=1/2]").ask(QUESTIONS[1], max_tokens=2)
    doc.ask(QUESTIONS[1], max_tokens=2)
    assert doc.reads == 2
    expected = llm.read(TEXT).expect("dense", "snapkv", "h2o[tau=1/4]")
    for method in ("dense", "snapkv[tau=1/4]", "h2o[tau=1/4]"):
        expected.under(method).ask(QUESTIONS[0], max_tokens=2)
    assert expected.reads == 1
    assert capsys.readouterr().err == ""


def test_a_quiet_text_keeps_for_itself_why_it_was_read_again(
    llm: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    doc = llm.read(TEXT, quiet=True)
    for method in ("minference[tau=1/4]", "dense", "selective-context"):
        doc.under(method).ask(QUESTIONS[0], max_tokens=2)
    assert capsys.readouterr().err == ""
    assert doc.reads == 3
    assert doc.read_by.whys == [
        "dense must see all of it, read densely",
        "selective-context leaves words of it out",
    ]
    doc.under("xattention[tau=1/2]").ask(QUESTIONS[0], max_tokens=2)
    assert doc.read_by.whys[-1] == "xattention[tau=1/2] must see it by a pattern of its own"
    alone = llm.read(TEXT)
    alone.under("selective-context").ask(QUESTIONS[0], max_tokens=2)
    alone.ask(QUESTIONS[0], max_tokens=2)
    assert "dense must see all of it" in capsys.readouterr().err


@torch.inference_mode()
def fresh(llm: LanguageModel, ids: tuple[int, ...], count: int) -> list[int]:
    """Greedy tokens after a read of all ids at once."""
    snapshot = llm.engine.read(ids)
    stream, logits, told = snapshot.fork(), snapshot.logits_V, list[int]()
    for _ in range(count):
        told.append(int(logits.argmax()))
        logits = llm.engine.advance([Feed(stream, told[-1:])])[0]
    return told


def test_a_chat_goes_on_from_the_answers_own_cache(llm: LanguageModel) -> None:
    chat = llm.read(TEXT).chat()
    first = chat.ask(QUESTIONS[0], max_tokens=5)
    second = chat.ask(QUESTIONS[1], max_tokens=5)
    assert list(second.ids) == fresh(llm, chat._ids[: -len(second.ids)], len(second.ids))
    at = len(chat._ids) - second.seen_tokens
    assert at in (0, 1)  # the last token of an answer is not fed
    told = llm.engine.tokenizer.decode(chat._ids)
    assert told.index(QUESTIONS[0]) < told.index(first.text) < told.index(QUESTIONS[1])
    apart = chat.ask("Of box 5?", max_tokens=3, keep=False)
    assert chat.ask("Of box 5?", max_tokens=3).ids == apart.ids
    assert [one.ids for one in chat.said][:2] == [first.ids, second.ids]


def test_a_conversation_under_an_eviction_keeps_its_budget_of_the_text(llm: LanguageModel) -> None:
    doc = llm.read(TEXT)
    chat = doc.under("streaming-llm[tau=1/4]").chat()
    said = [chat.ask(question, max_tokens=4) for question in QUESTIONS]
    kept = [one.kept_tokens for one in said]
    assert kept[0] is not None
    assert kept[1] is not None
    assert kept[0] < 0.5 * said[0].seen_tokens
    assert kept[1] - kept[0] == said[1].seen_tokens - said[0].seen_tokens  # history stays whole


def test_the_toy_answers_from_what_it_still_holds() -> None:
    context = "{" + ", ".join(f'"key{at:02d}": "value{at:02d}"' for at in range(24)) + "}"
    doc = load("toy").read(context)
    asked = 'Key: "key12"'
    assert doc.ask(asked).text == "value12"
    assert doc.under("streaming-llm[sink_tokens=4,recent_tokens=60]").ask(asked).text != "value12"


def test_a_model_in_memory_is_wrapped(llm: LanguageModel) -> None:
    engine: Any = tiny("mha")
    wrapped = wrap(engine.model, engine.tokenizer, name="mine")
    assert wrapped.name == "mine"
    assert wrapped.read(TEXT).ask("And?", max_tokens=3).ids


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda llm: llm.read("  "), BadConfig, "empty"),
        (lambda llm: llm.read(TEXT).ask(" "), BadConfig, "question is empty"),
        (lambda llm: llm.read(TEXT).ask("x", max_tokens=0), BadConfig, "at least one token"),
        (lambda llm: llm.read(None), BadConfig, "text to read is None"),
        (lambda llm: llm.read(12), BadConfig, r"text to read is 12 \(int\)"),
        (lambda llm: llm.read("a\udc80b"), BadConfig, r"surrogate U\+DC80 at character 1,"),
        (lambda llm: llm.read(TEXT).ask(None), BadConfig, "question is None"),
        (lambda llm: llm.read(TEXT).ask("\ud800"), BadConfig, "question has the lone surrogate"),
        (lambda llm: llm.read(TEXT).ask("x", max_tokens=2.5), BadConfig, r"2.5 \(float\)"),
        (lambda llm: llm.read(TEXT).ask("x", max_tokens=True), BadConfig, "whole number"),
        (lambda llm: llm.read(TEXT).under(3), BadConfig, r"method is 3 \(int\); it is a spelling"),
        (lambda llm: llm.read(TEXT).expect(None), BadConfig, "method is None"),
        (lambda llm: llm.read(TEXT).under("dense", after=1), BadConfig, "first-query"),
        (lambda llm: load(7), BadConfig, "model's name is 7"),
        (lambda llm: wrap(3, 4), BadConfig, r"model to wrap is 3 \(int\)"),
        (lambda llm: wrap(llm.engine.model, 4), BadConfig, r"tokenizer to wrap with is 4"),
        (lambda llm: llm.read(TEXT).under("snapkw"), Unknown, "snapkv"),
        (lambda llm: llm.read(TEXT).under("snapkv", after="never"), BadConfig, "first-query"),
        (lambda llm: llm.read(TEXT).under("snapkv[budget_tokens=1]").ask("x"), Mismatch, "snapkv"),
    ],
)
def test_bad_input_is_refused_in_words(
    llm: LanguageModel, act: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        act(llm)


# -- bytes -----------------------------------------------------------------------------------------

HOLDERS = ("dense", "snapkv[tau=1/4]", "kivi[bits=4]", "quest[tau=1/4]", "selective-context")


def test_held_is_what_a_runs_tables_call_held(llm: LanguageModel) -> None:
    """After the text, against dense's cache of the whole text, dropped words included."""
    session = session_of(TEXT, QUESTIONS[:1], [], 4)
    methods = [parse(method) for method in HOLDERS]
    with counted_in(Accounting.BFLOAT16):
        rows = cost_of(llm.engine, session, methods, Protocol(), repeats=1)
    costs = {row["method"]: row for row in rows}
    doc = llm.read(TEXT, quiet=True).expect(*methods)
    for method in methods:
        said = doc.under(method).ask(QUESTIONS[0], max_tokens=4)
        row = costs[str(method)]
        assert "failure" not in row
        assert said.context_bytes == row["held_accounted_bytes"]
        assert said.dense_context_bytes == row["dense_bytes"]
        assert said.held_bytes is not None
        assert said.held_bytes > said.context_bytes
        assert said.dense_bytes > said.dense_context_bytes


def test_words_that_a_method_leaves_out_are_saved_bytes(llm: LanguageModel) -> None:
    doc = llm.read(TEXT, quiet=True)
    whole, short = (
        doc.under(method).ask(QUESTIONS[0], max_tokens=4)
        for method in ("dense", "selective-context")
    )
    assert whole.context_bytes == whole.dense_context_bytes == short.dense_context_bytes
    assert short.context_bytes < 0.8 * short.dense_context_bytes
    assert short.held_bytes is not None
    assert short.dense_bytes - short.held_bytes == whole.context_bytes - short.context_bytes
    assert short.loaded_bytes is not None
    assert short.dense_loaded_bytes is not None
    assert short.loaded_bytes < 0.8 * short.dense_loaded_bytes


def test_a_text_that_only_its_shorter_form_fits_is_asked_all_the_same(llm: LanguageModel) -> None:
    tokens = llm.read(TEXT).ask("And?", max_tokens=1).seen_tokens
    small: Any = tiny("gqa")
    small.facts = replace(small.facts, window_tokens=tokens - 100)
    said = LanguageModel(small).read(TEXT).under("selective-context").ask("And?", max_tokens=1)
    assert said.context_bytes < said.dense_context_bytes


@pytest.mark.parametrize("after", CompressAfter)
@pytest.mark.parametrize("method", ["dense", "prefix"])
def test_dense_holds_and_loads_all_of_dense(
    llm: LanguageModel, method: str, after: CompressAfter
) -> None:
    chat = llm.read(TEXT).under(method, after=after).chat()
    for question in QUESTIONS:
        said = chat.ask(question, max_tokens=5)
        assert said.context_bytes == said.dense_context_bytes
        assert said.held_bytes == said.dense_bytes
        assert said.loaded_bytes == said.dense_loaded_bytes
        assert said.loaded_bytes is not None
    assert chat.said[0].context_bytes == chat.said[1].context_bytes


def test_a_second_question_does_not_move_what_the_text_took(llm: LanguageModel) -> None:
    chat = llm.read(TEXT).under("streaming-llm[tau=1/4]").chat()
    first, second = (chat.ask(question, max_tokens=4) for question in QUESTIONS)
    assert first.context_bytes == second.context_bytes
    assert first.held_bytes is not None
    assert first.context_bytes < first.held_bytes < (second.held_bytes or 0)
    assert 0.2 < first.context_bytes / first.dense_context_bytes < 0.3


@pytest.mark.parametrize("kind", ["mamba2", pytest.param("bamba", marks=pytest.mark.slow)])
def test_a_models_states_are_held_and_what_does_not_attend_loads_nothing_known(kind: str) -> None:
    said = LanguageModel(tiny(kind)).read(TEXT).ask(QUESTIONS[0], max_tokens=4)
    assert said.context_bytes == said.dense_context_bytes
    assert (said.loaded_bytes is None) is (kind == "mamba2")
    assert said.loaded_bytes == said.dense_loaded_bytes


def test_seconds_a_token_are_those_after_the_first(llm: LanguageModel) -> None:
    doc = llm.read(TEXT)
    assert doc.ask(QUESTIONS[0], max_tokens=1).seconds_a_token is None
    said = doc.ask(QUESTIONS[0], max_tokens=6)
    assert said.seconds_a_token is not None
    assert 0 < said.seconds_a_token < said.seconds / 4


# -- what is refused -------------------------------------------------------------------------------


def test_a_text_beyond_the_window_is_refused_in_words_of_this_door() -> None:
    llm = load("toy", window_tokens=200)
    with pytest.raises(TooLong) as refused:
        llm.read("x" * 500).ask("And?", max_tokens=7)
    words = str(refused.value)
    assert words.startswith("the text has 500 tokens, 5")
    assert "toy holds 200" in words
    assert "a shorter text" in words
    assert "--" not in words
    assert "session" not in words
    assert refused.value.window_tokens == 200
    with pytest.raises(TooLong, match="the text that selective-context leaves has"):
        llm.read(TEXT * 4).under("selective-context").ask("And?")


def test_the_package_shows_its_public_names_alone() -> None:
    assert dir(scbench) == ["__version__", "analyze", "load", "plan", "run", "wrap"]
    assert all(hasattr(scbench, name) for name in scbench.__all__)
