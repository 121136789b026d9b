"""Whole sessions on the toy engine, which answers only from what its cache still holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import OutOfDevice
from scbench.kv import LayerView
from scbench.methods import parse
from scbench.methods.contract import Eviction
from scbench.methods.method import Method
from scbench.play.cell import CellPlay
from scbench.play.faults import fault_of
from scbench.play.session import SessionPlay
from scbench.prompts import Conversation
from scbench.types import (
    Answer,
    Cell,
    CompressAfter,
    History,
    Mode,
    Protocol,
    Record,
    Role,
    Session,
    Span,
    Turn,
    Wanted,
)

PAIRS = {f"key{at:02d}": f"value{at:02d}" for at in range(24)}
CONTEXT = "{" + ", ".join(f'"{key}": "{value}"' for key, value in PAIRS.items()) + "}"
ASKED = ("key01", "key12", "key22")
BOTH = (Mode.MULTI_TURN, Mode.MULTI_REQUEST)


def turn_of(key: str) -> Turn:
    at = CONTEXT.index(f'"{key}"')
    pair = f'"{key}": "{PAIRS[key]}"'
    return Turn(
        task="kv",
        ask=f'Key: "{key}"',
        gold=PAIRS[key],
        wanted=Wanted(golds=(PAIRS[key],), asked_key=key),
        max_new_tokens=20,
        evidence=(Span(at, at + len(pair), Role.SUPPORT),),
        depth=at / len(CONTEXT),
    )


def session(*asked: str, **changes: Any) -> Session:
    turns = tuple(replace(turn_of(key), **changes) for key in asked or ASKED)
    return Session(
        task="kv",
        context=CONTEXT,
        turns=turns,
        counted=len(CONTEXT),
        counter="bytes",
        recipe={},
        digest="s",
    )


def job(
    method: Method,
    mode: Mode,
    protocol: Protocol,
    of: Session,
    *,
    done: dict[int, str] | None = None,
) -> CellPlay:
    cell = Cell(
        task="kv",
        length_tokens=700,
        seed="1:0",
        mode=mode,
        model="toy",
        method=str(method),
        protocol=protocol,
        turns=len(of.turns),
        session_digest="s",
        key=f"{method} {mode}",
    )
    return CellPlay(cell, method, set(range(len(of.turns))) - set(done or {}), dict(done or {}))


def play(
    methods: Sequence[str | Method],
    *,
    modes: Sequence[Mode] = BOTH,
    protocol: Protocol | None = None,
    engine: Any = None,
    of: Session | None = None,
    done: dict[int, str] | None = None,
    lanes: int = 48,
) -> list[Record]:
    records: list[Record] = []
    protocol, of = protocol or Protocol(), of or session()
    run = SessionPlay(
        engine or ToyEngine(), of, protocol, emit=records.append, needles={}, lanes=lanes
    )
    chosen = [method if isinstance(method, Method) else parse(method) for method in methods]
    run.play([job(method, mode, protocol, of, done=done) for method in chosen for mode in modes])
    return sorted(records, key=lambda record: (record.method, record.mode, record.turn))


def texts(records: Sequence[Record]) -> list[str | None]:
    return [record.answer.text if record.answer else None for record in records]


def complete(records: Sequence[Record]) -> bool:
    seen = [(record.key, record.turn) for record in records]
    keys = {record.key for record in records}
    return sorted(seen) == sorted((key, turn) for key in keys for turn in range(len(ASKED)))


GOLDS = [PAIRS[key] for key in ASKED]


def test_dense_answers_every_turn_in_both_modes() -> None:
    records = play(["dense"])
    assert texts(records) == GOLDS * 2
    assert {record.strict.value for record in records} == {1.0}
    assert {record.evidence_kept for record in records} == {1.0}


def test_evicting_the_needle_loses_the_answer_and_keeping_it_answers() -> None:
    records = play(
        ["streaming-llm[sink_tokens=160,recent_tokens=200]"],
        protocol=Protocol(compress_after=CompressAfter.CONTEXT),
    )
    assert texts(records) == [GOLDS[0], "", GOLDS[2]] * 2
    assert [record.evidence_held for record in records] == [1.0, 0.0, 1.0] * 2
    assert [record.strict.value for record in records] == [1.0, 0.0, 1.0] * 2


@pytest.mark.parametrize("after", list(CompressAfter))
@pytest.mark.parametrize(
    "method",
    [
        "dense",
        "snapkv[tau=1/2]",
        "quest[tau=1/2]",
        "a-shape[tau=1/2]",
        "kivi",
        "streaming-llm[tau=1/2]",
    ],
)
def test_requests_do_not_depend_on_their_order(method: str, after: CompressAfter) -> None:
    protocol = Protocol(compress_after=after)
    forward = play([method], modes=[Mode.MULTI_REQUEST], protocol=protocol)
    backward = play(
        [method], modes=[Mode.MULTI_REQUEST], protocol=protocol, of=session(*ASKED[::-1])
    )
    assert texts(forward) == texts(backward)[::-1]
    alone = [
        play([method], modes=[Mode.MULTI_REQUEST], protocol=protocol, of=session(key))[0]
        for key in ASKED
    ]
    assert texts(alone) == texts(forward)
    assert [x.cost for x in alone] == [x.cost for x in forward]


class Parrot(ToyEngine):
    """Answers every turn with the numbers of gold answers and of its own that it was shown after
    the context.
    """

    def _next(self, stream: Any, *, is_prompt: bool) -> torch.Tensor:
        text = self.tokenizer.decode(stream.ids).partition(CONTEXT)[2]
        if not is_prompt:
            text, _, begun = text.rpartition("<")
            begun = f"<{begun}"
        said = f"<{len(re.findall(r'value[0-9]', text))}#{len(re.findall('<[0-9]#[0-9]>', text))}>"
        at = 0 if is_prompt else len(begun)
        row = torch.zeros(512)
        row[said[at].encode()[0] if at < len(said) else 257] = 1.0
        return row


@pytest.mark.parametrize(
    ("history", "wanted"),
    [
        (History.GOLD, ["<0#0>", "<1#0>", "<2#0>"]),
        (History.MODEL, ["<0#0>", "<0#1>", "<0#2>"]),
        (History.NONE, ["<0#0>", "<0#0>", "<0#0>"]),
    ],
)
def test_a_turn_sees_the_history_that_was_asked_for(history: History, wanted: list[str]) -> None:
    records = play(
        ["dense"], modes=[Mode.MULTI_TURN], protocol=Protocol(history=history), engine=Parrot()
    )
    assert texts(records) == wanted


def test_a_request_sees_no_history_at_all() -> None:
    assert texts(play(["dense"], modes=[Mode.MULTI_REQUEST], engine=Parrot())) == ["<0#0>"] * 3


@pytest.mark.parametrize("history", [History.GOLD, History.MODEL])
@pytest.mark.parametrize("after", list(CompressAfter))
@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("method", ["dense", "snapkv[tau=1/2]", "kivi", "prefix", "quest[tau=1/2]"])
def test_a_resumed_cell_plays_only_the_rest_and_to_equal_records(
    method: str, mode: Mode, after: CompressAfter, history: History
) -> None:
    protocol = Protocol(history=history, compress_after=after)
    whole = play([method], modes=[mode], protocol=protocol)
    done = {0: whole[0].answer.text, 1: whole[1].answer.text}  # type: ignore[union-attr]
    for had in ({0: done[0]}, done):
        rest = play([method], modes=[mode], protocol=protocol, done=had)
        assert [record.turn for record in rest] == [turn for turn in range(3) if turn not in had]
        assert rest == whole[len(had) :]


def test_a_cell_with_nothing_to_do_reads_nothing() -> None:
    engine = ToyEngine()
    assert play(["dense"], engine=engine, done=dict.fromkeys(range(3), "")) == []
    assert (engine.reads, engine.calls) == (0, 0)


@pytest.mark.parametrize("lanes", [1, 2, 48])
def test_what_is_packed_together_changes_no_record(lanes: int) -> None:
    methods = [
        "dense",
        "snapkv[tau=1/2]",
        "kivi",
        "quest[tau=1/2]",
        "streaming-llm[tau=1/4]",
        "a-shape[tau=1/2]",
        "prefix",
    ]
    together = play(methods, lanes=lanes)
    assert together == sorted(
        (record for method in methods for record in play([method])),
        key=lambda r: (r.method, r.mode, r.turn),
    )
    assert complete(together)


def test_the_context_is_read_once_for_all_methods_that_read_it_alike() -> None:
    engine = ToyEngine()
    protocol = Protocol(compress_after=CompressAfter.CONTEXT)
    play(["dense", "snapkv[tau=1/2]", "kivi", "quest[tau=1/2]"], engine=engine, protocol=protocol)
    assert engine.reads == 1
    engine = ToyEngine()
    play(["dense", "a-shape[tau=1/2]", "a-shape[tau=1/4]"], engine=engine, protocol=protocol)
    assert engine.reads == 3


@pytest.mark.parametrize("fails_at", [1, 2, 3, 7])
def test_a_shared_forward_that_fails_still_ends_with_every_turn_answered(fails_at: int) -> None:
    methods = ["dense", "snapkv[tau=1/2]", "streaming-llm[tau=1/4]"]
    records = play(methods, engine=ToyEngine(fails_at=fails_at))
    assert complete(records)
    assert all(record.failure is None for record in records)
    assert records == play(methods)


class Short(ToyEngine):
    """Has no room for one of the questions."""

    def advance(self, feeds: Sequence[Feed]) -> torch.Tensor:
        if any(b"key12" in bytes(x for x in feed.ids if x < 256) for feed in feeds):
            raise OutOfDevice("no room")
        return super().advance(feeds)


@pytest.mark.parametrize("fails_at", [15, 25, 35])
def test_a_forward_that_fails_with_one_play_in_it_is_a_gap_of_that_play(fails_at: int) -> None:
    records = play(
        ["dense", "kivi"], modes=[Mode.MULTI_REQUEST], engine=ToyEngine(fails_at=fails_at), lanes=1
    )
    assert complete(records)
    assert [record.failure.kind for record in records if record.failure] == ["out-of-memory"]


def test_a_request_that_fails_alone_takes_no_other_request_with_it() -> None:
    records = play(["dense", "kivi"], modes=[Mode.MULTI_REQUEST], engine=Short())
    assert complete(records)
    assert texts(records) == [GOLDS[0], None, GOLDS[2]] * 2
    assert [record.failure.kind for record in records if record.failure] == ["out-of-memory"] * 2


def test_a_turn_that_fails_ends_its_conversation_and_keeps_the_turns_before_it() -> None:
    records = play(["dense"], modes=[Mode.MULTI_TURN], engine=Short())
    assert texts(records) == [GOLDS[0], None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty(Eviction):
    name = "faulty"

    def own_tokens(self) -> int:
        return 100

    def keep(self, view: LayerView) -> list[torch.Tensor]:
        raise ZeroDivisionError("a slip")


def test_a_method_that_crashes_becomes_gaps_of_its_own_cells_only() -> None:
    records = play(["dense", Method(compression=(Faulty(),)), "kivi"])
    assert complete(records)
    failed = [record for record in records if record.failure]
    assert {record.method for record in failed} == {"test_session.py:Faulty"}
    assert len(failed) == 2 * len(ASKED)
    for record in failed:
        assert record.failure is not None
        assert record.failure.kind == "crashed"
        assert "ZeroDivisionError: a slip at test_session.py:" in record.failure.why
        assert record.strict.is_gap
        assert record.official.is_gap
    assert texts([record for record in records if not record.failure]) == GOLDS * 4


def test_a_budget_below_the_minimum_is_refused_before_anything_is_read() -> None:
    engine = ToyEngine()
    records = play(["snapkv[tau=1/1000]"], engine=engine)
    assert complete(records)
    assert {record.failure.kind for record in records if record.failure} == {"refused"}
    assert engine.reads == 0


def test_a_prompt_that_does_not_fit_is_a_named_gap() -> None:
    records = play(["dense"], engine=ToyEngine(window_tokens=300))
    assert complete(records)
    assert {record.failure.kind for record in records if record.failure} == {"too-long"}


def test_prefix_reuse_counts_what_its_pool_served() -> None:
    records = play(["prefix[block_tokens=16]"])
    assert texts(records) == GOLDS * 2
    for record in records:
        hit, read = record.cost.hit_tokens, record.cost.read_tokens
        assert hit is not None
        assert read is not None
        assert hit % 16 == 0
        assert hit + read == record.prompt_tokens
    requests, turns = records[: len(ASKED)], records[len(ASKED) :]
    assert {requests[0].mode, turns[0].mode} == set(BOTH)
    turns = turns if turns[0].mode is Mode.MULTI_TURN else requests
    assert all((record.cost.hit_tokens or 0) >= len(CONTEXT) // 16 * 16 - 16 for record in records)
    growing = [record.cost.hit_tokens or 0 for record in turns]
    assert growing == sorted(growing)
    assert growing[-1] > growing[0]  # a turn finds the turns before it


@pytest.mark.parametrize(
    "stages", ["snapkv[tau=1/2]", "h2o[tau=1/2]", "kivi", "quest[tau=1/2]", "a-shape[tau=1/2]"]
)
@pytest.mark.parametrize("after", list(CompressAfter))
def test_a_pool_before_a_method_changes_no_answer(stages: str, after: CompressAfter) -> None:
    protocol = Protocol(compress_after=after)
    alone, pooled = play([stages], protocol=protocol), play([f"{stages}+prefix"], protocol=protocol)
    assert texts(pooled) == texts(alone)
    assert None not in texts(pooled)
    assert [record.evidence_kept for record in pooled] == [record.evidence_kept for record in alone]
    for record in pooled:
        assert (record.cost.hit_tokens or 0) + (
            record.cost.read_tokens or 0
        ) == record.prompt_tokens
        assert (record.cost.hit_tokens or 0) >= len(CONTEXT)  # whole, not in blocks
        assert record.cost.hit_disk_tokens in (0, None)


def test_hits_and_reads_of_every_method_add_up_to_the_prompt() -> None:
    for record in play(["dense", "snapkv[tau=1/2]", "kivi", "prefix"]):
        assert (record.cost.hit_tokens or 0) + (
            record.cost.read_tokens or 0
        ) == record.prompt_tokens


def test_the_models_limit_of_new_tokens_is_kept() -> None:
    records = play(["dense"], of=session(max_new_tokens=4))
    assert texts(records) == [gold[:4] for gold in GOLDS] * 2


def test_bytes_of_a_record_are_the_closed_form() -> None:
    protocol = Protocol(compress_after=CompressAfter.CONTEXT)
    engine = ToyEngine()
    for spelling in ("dense", "snapkv[tau=1/2]", "kivi", "quest[tau=1/2]"):
        for record in play(
            [spelling], modes=[Mode.MULTI_REQUEST], protocol=protocol, engine=engine
        ):
            cost = record.cost
            assert cost.hit_tokens is not None
            assert cost.logical_tokens is not None
            appended = cost.logical_tokens - cost.hit_tokens
            formula = parse(spelling).held_bytes(
                shape=engine.facts.shape, tokens=cost.hit_tokens, appended=appended
            )
            assert cost.held_bytes == formula


# -- a real (tiny) model ---------------------------------------------------------------------------

engine_of = cache(tiny)


@pytest.mark.parametrize(
    ("kind", "history"),
    [
        *(("gqa", history) for history in History if history is not History.KEPT),
        pytest.param("jamba", History.MODEL, marks=pytest.mark.slow),
        ("mamba2", History.MODEL),
    ],
)
def test_dense_turns_equal_re_encoding_the_whole_prompt(kind: str, history: History) -> None:
    """Whatever was shared, forked and packed on the way, each answer is what the model says to the
    turn's prompt read from scratch.
    """
    local, of, protocol = engine_of(kind), session(max_new_tokens=6), Protocol(history=history)
    for mode in BOTH:
        records = play(["dense"], modes=[mode], protocol=protocol, engine=local, of=of)
        talk = Conversation(of, local.tokenizer, protocol, mode, local.facts.window_tokens)
        answers: list[str] = []
        for turn, record in enumerate(records):
            assert isinstance(record.answer, Answer)
            ids = list(talk.prompt(turn, answers).ids)
            for token in record.answer.ids[:3]:
                logits = local.read(ids).logits_V
                assert float(logits.max() - logits[token]) < 1e-4
                ids.append(token)
            answers.append(record.answer.text if history is History.MODEL else of.turns[turn].gold)


def test_unexpected_errors_say_where_they_come_from() -> None:
    try:
        raise ValueError("odd")
    except ValueError as error:
        failure = fault_of(error).failure
    assert failure.kind == "crashed"
    assert failure.why.startswith("ValueError: odd at test_session.py:")
    assert fault_of(torch.OutOfMemoryError("CUDA out of memory")).failure.kind == "out-of-memory"
    assert fault_of(MemoryError()).failure.kind == "out-of-memory"


@pytest.mark.parametrize("kind", ["mha", "gqa", "mqa"])
def test_what_compresses_after_the_first_query_begins_its_first_answer_as_dense_does(
    kind: str,
) -> None:
    """The query has been read over the whole cache by then; only what follows sees less (P23)."""
    dropping = [
        "snapkv[budget_tokens=40]",
        "h2o[budget_tokens=40]",
        "tova[budget_tokens=40]",
        "streaming-llm[budget_tokens=40]",
        "knorm[budget_tokens=40]",
    ]
    short = session(*ASKED[:1], max_new_tokens=6)
    records = play(
        ["dense", *dropping, "kivi[bits=2]"], modes=(Mode.MULTI_TURN,), engine=tiny(kind), of=short
    )
    said = {record.method: record.answer.ids for record in records if record.answer}
    assert len(said) == 7
    assert len({ids[:1] for ids in said.values()}) == 1
    assert len(set(said.values())) > 1  # and then they part


class Counted(ToyEngine):
    """A toy that counts its forwards."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards = 0

    def advance(self, feeds: Sequence[Feed]) -> Any:
        self.forwards += 1
        return super().advance(feeds)


def forwards_of(history: History) -> tuple[int, list[str]]:
    engine = Counted()
    protocol = Protocol(history=history)
    records = play(["dense"], modes=[Mode.MULTI_TURN], protocol=protocol, engine=engine)
    return engine.forwards, [record.answer.text for record in records if record.answer]


def test_turns_that_wait_for_no_answer_are_decoded_side_by_side() -> None:
    """Three answers of seven tokens: with gold history they share their forwards."""
    ahead, said = forwards_of(History.GOLD)
    in_order, said_in_order = forwards_of(History.MODEL)
    assert sorted(said) == sorted(said_in_order)
    assert len(said) == len(ASKED)
    assert 2 * ahead < in_order
