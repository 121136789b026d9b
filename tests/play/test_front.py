"""Four verbs: load, read, put under a method, ask. The same player as in a run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_session import job

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch, Unknown
from scbench.front import LanguageModel, _session, load, wrap
from scbench.methods import parse
from scbench.play.session import SessionPlay
from scbench.types import CompressAfter, Mode, Protocol, Record

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
    of = _session(TEXT, [question], [], 8)
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
    assert mixed[0].held_bytes < mixed[1].held_bytes == mixed[1].dense_bytes  # type: ignore[operator]


def test_a_text_is_read_once_and_a_second_read_is_counted_and_said(
    llm: LanguageModel, capsys: pytest.CaptureFixture[str]
) -> None:
    doc = llm.read(TEXT)
    assert doc.reads == 0
    for method in ("dense", "kivi[bits=2]", "quest[tau=1/4]", "streaming-llm[tau=1/4]"):
        doc.under(method).ask(QUESTIONS[0], max_tokens=2)
    assert doc.reads == 1
    assert "read again" not in capsys.readouterr().err
    doc.under("snapkv[tau=1/4]").ask(QUESTIONS[0], max_tokens=2)  # must see the last queries
    assert doc.reads == 2
    assert "read again" in capsys.readouterr().err
    doc.under("snapkv[tau=1/2]").ask(QUESTIONS[1], max_tokens=2)
    doc.ask(QUESTIONS[1], max_tokens=2)
    assert doc.reads == 2
    expected = llm.read(TEXT).expect("dense", "snapkv", "h2o[tau=1/4]")
    for method in ("dense", "snapkv[tau=1/4]", "h2o[tau=1/4]"):
        expected.under(method).ask(QUESTIONS[0], max_tokens=2)
    assert expected.reads == 1


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
