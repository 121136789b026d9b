"""Contexts that grow and conversations that part, played by the same loop as the paper's
two modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_session import job, session

from scbench.engines.contract import Engine, Feed
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig, Mismatch
from scbench.kv import DenseStore, SelectedStore, sealed
from scbench.ledger.journal import Journal
from scbench.ledger.lock import Lock
from scbench.methods import parse
from scbench.methods.again import with_budget_of
from scbench.methods.compression.adakv import filled
from scbench.methods.fork import fork
from scbench.play.cell import CellPlay
from scbench.play.played_code import play_code
from scbench.play.session import SessionPlay
from scbench.play.strands import apart
from scbench.play.talks import Talks
from scbench.prompts import ByteTokenizer
from scbench.types import Mode, Protocol, Record, Session, Truncate, Turn, Wanted

PIECES = [
    ", ".join(f'"key{at:02d}": "value{at:02d}"' for at in range(start, start + 8)) + ", "
    for start in (0, 8, 16)
]
METHODS = (
    *("dense", "snapkv[tau=1/2]", "kivi[bits=4]", "quest[tau=1/2]", "prefix"),
    *("kvzip[tau=1/2]", "adakv[tau=1/2]", "quest[tau=1/2]+tier"),
)


def asked(key: int, **more: Any) -> Turn:
    return Turn(
        task="kv",
        ask=f'Key: "key{key:02d}"',
        gold=f"value{key:02d}",
        wanted=Wanted(golds=(f"value{key:02d}",), asked_key=f"key{key:02d}"),
        max_new_tokens=8,
        **more,
    )


def growing(keys: Sequence[int] = (3, 12, 20)) -> Session:
    """Three materials, and a question after each."""
    turns = tuple(asked(key, material=piece) for key, piece in zip(keys, PIECES, strict=True))
    return replace(session(), context="{ ", turns=turns, digest="growing")


def branching() -> Session:
    """A first turn, and two that go on from it."""
    turns = (asked(3), asked(12, after=0), asked(20, after=0))
    return replace(session(), context="{ " + "".join(PIECES), turns=turns, digest="branching")


def played(
    engine: Engine,
    of: Session,
    mode: Mode,
    methods: Sequence[str],
    protocol: Protocol | None = None,
) -> dict[str, list[Record]]:
    protocol = protocol or Protocol()
    records: list[Record] = []
    run = SessionPlay(engine, of, protocol, emit=records.append, needles={}, debug=True)
    run.play([job(parse(method), mode, protocol, of) for method in methods])
    ordered = sorted(records, key=lambda one: one.turn)
    return {
        method: [one for one in ordered if one.method == str(parse(method))] for method in methods
    }


@torch.inference_mode()
def fresh(engine: Engine, ids: Sequence[int], limit_tokens: int) -> tuple[int, ...]:
    """Greedy ids after one read of the whole prompt."""
    snapshot = engine.read(ids)
    stream, logits, told = snapshot.fork(), snapshot.logits_V, list[int]()
    while len(told) < limit_tokens:
        best = int(logits.argmax())
        if best in engine.tokenizer.end_ids:
            break
        told.append(best)
        logits = engine.advance([Feed(stream, told[-1:])])[0]
    return tuple(told)


@pytest.mark.parametrize("mode", [Mode.GROW, Mode.BRANCH])
@pytest.mark.parametrize("heads", ["gqa", pytest.param("mha", marks=pytest.mark.slow)])
def test_dense_answers_as_after_a_fresh_read_of_each_prompt(mode: Mode, heads: str) -> None:
    engine = tiny(heads)
    of = growing() if mode is Mode.GROW else branching()
    talk = Talks(engine, of, Protocol()).talk(mode, parse("dense").generation)
    records = played(engine, of, mode, METHODS)
    for method in METHODS:
        assert [one.failure for one in records[method]] == [None] * 3
    for turn, record in enumerate(records["dense"]):
        assert record.answer is not None
        prompt = talk.prompt(turn)
        limit = of.turns[turn].max_new_tokens
        told = fresh(engine, prompt.ids, limit)
        assert record.answer.ids[: len(told)] == told[: len(record.answer.ids)]
        assert record.prompt_tokens == len(prompt.ids)
        # What holds everything answers as dense does, and a pool gives what was read before.
        assert records["prefix"][turn].answer == record.answer


def test_the_source_of_every_pattern_is_part_of_a_records_key() -> None:
    sealed_modules = play_code(ToyEngine())
    for mode in Mode:
        assert mode.place.removesuffix(":PATTERN") in sealed_modules


@pytest.mark.parametrize("mode", [Mode.GROW, Mode.BRANCH])
def test_a_session_of_several_renderings_is_never_cut(mode: Mode) -> None:
    of = growing() if mode is Mode.GROW else branching()
    talks = Talks(ToyEngine(), of, Protocol(truncate=Truncate.MIDDLE))
    with pytest.raises(BadConfig, match=f"{mode} sessions are never cut"):
        talks.talk(mode, parse("dense").generation)


def test_material_is_seen_when_it_has_come_and_not_before() -> None:
    engine = ToyEngine()
    found = played(engine, growing(), Mode.GROW, ["dense"])["dense"]
    assert [one.answer.text for one in found if one.answer] == ["value03", "value12", "value20"]
    early = played(engine, growing((3, 20, 12)), Mode.GROW, ["dense"])["dense"]
    assert [one.answer.text for one in early if one.answer] == ["value03", "", "value12"]


def test_an_eviction_acts_again_on_all_that_is_held_within_one_budget() -> None:
    """A quarter of all tokens seen, after every material: not a quarter of the first and all of the
    rest."""
    engine, of = tiny("gqa"), growing()
    snapkv, dense = "snapkv[tau=1/4]", "dense"
    records = played(engine, of, Mode.GROW, [snapkv, dense])
    talk = Talks(engine, of, Protocol()).talk(Mode.GROW, parse(dense).generation)
    for turn, record in enumerate(records[snapkv]):
        context = talk.material(turn) or talk.context_prompt
        tail = record.cost.logical_tokens - len(context.ids)  # type: ignore[operator]
        kept = record.cost.stored_tokens
        assert kept is not None
        assert kept - tail == pytest.approx(len(context.ids) / 4, abs=1)
    fed = records[dense][2].cost.stored_tokens
    assert fed == records[dense][2].cost.logical_tokens


def test_what_is_kept_a_second_time_stands_at_the_positions_it_was_read_at() -> None:
    engine = tiny("gqa")
    method = parse("streaming-llm[sink_tokens=4,recent_tokens=12]")
    first = fork(engine.read(range(1, 101)), method)
    base = sealed(first, engine.facts.shape)
    assert base.counts(0) == [16] * engine.facts.shape.kv_heads
    grown = engine.read(range(101, 131), base=base)
    assert grown.logical_tokens == 130
    view = grown.view(0)
    assert view.tokens == 46
    assert view.positions_HS is not None
    assert view.positions_HS[0].tolist() == [*range(4), *range(88, 130)]
    second = fork(grown, with_budget_of(method, grown.logical_tokens))
    for layer in second.layers:
        assert second.positions(layer, 0).tolist() == [*range(4), *range(118, 130)]
    assert sum(isinstance(one, DenseStore) for one in second.layers[0].stores) == 1


def test_keys_read_after_a_gap_are_those_that_a_stream_with_the_gap_appends() -> None:
    """Reading goes on at the next logical position, over the slots that are left and no others."""
    engine = tiny("gqa")

    stream = fork(engine.read(range(1, 101)), parse("streaming-llm[tau=1/4]"))
    base = sealed(stream, engine.facts.shape)
    read = engine.read(range(101, 131), base=base)
    with torch.inference_mode():
        logits = engine.advance([Feed(stream, list(range(101, 131)))])[0]
    assert torch.allclose(read.logits_V, logits, atol=1e-4)
    for layer, cache in stream.layers.items():
        appended = cache.tail.k_HSD  # type: ignore[attr-defined]
        assert torch.allclose(read.layers[layer][-1].k_HSD, appended, atol=1e-5)


@pytest.mark.parametrize("method", ["kivi[bits=4]", "h2o[rolling=yes]", "kvzip[tau=1/4]+rtn"])
def test_a_cache_of_its_own_kind_is_refused_a_second_compression_in_words(method: str) -> None:

    engine = tiny("gqa")
    chosen = parse(method)
    stream = fork(engine.read(range(1, 101), needs=chosen.needs), chosen)
    with pytest.raises(Mismatch, match="acts again needs plain keys and values"):
        sealed(stream, engine.facts.shape)


UNEVEN = ("kvzip[tau=1/4]", "adakv[tau=1/4]", "duo-attention[tau=1/2]")


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
@pytest.mark.parametrize("spelling", UNEVEN)
def test_uneven_heads_are_thinned_out_again_within_the_budget_of_all_tokens(
    spelling: str, heads: str
) -> None:
    engine, method = tiny(heads), parse(spelling)
    shape = engine.facts.shape
    layers, kv_heads = len(shape.attention_layers), shape.kv_heads
    stream = fork(engine.read(range(1, 101), needs=method.needs), method)
    share = method.eviction.budget(100) / 100  # type: ignore[union-attr]
    for seen_tokens in (140, 170):
        before = [
            [set(stream.positions(layer, head).tolist()) for head in range(kv_heads)]
            for layer in stream.layers
        ]
        base = sealed(stream, shape)
        new = range(stream.logical_tokens, seen_tokens)
        grown = engine.read([at % 90 + 1 for at in new], needs=method.needs, base=base)
        view = grown.view(0)
        assert view.seen_tokens == seen_tokens
        assert view.new_from == new.start
        stream = fork(grown, with_budget_of(method, seen_tokens))
        slots = sum(map(sum, stream.slots_held(kv_heads)))
        budget = layers * kv_heads * method.eviction.budget(seen_tokens)  # type: ignore[union-attr]
        assert slots <= budget
        if not spelling.startswith("duo"):
            assert slots == budget
        for at, layer in enumerate(stream.layers):
            for head in range(kv_heads):
                held = stream.positions(layer, head)
                assert bool((held[1:] > held[:-1]).all())
                assert set(held.tolist()) <= before[at][head] | set(new)
    assert share <= 1 / 2


def test_a_head_with_few_slots_leaves_its_share_to_the_others() -> None:
    ranks_HS = torch.tensor([[9.0, 8.0, float("-inf"), float("-inf")], [7.0, 6.0, 5.0, 4.0]])
    kept = [torch.tensor([0, 1]), torch.tensor([0])]
    assert [slots.tolist() for slots in filled(kept, ranks_HS, 5)] == [[0, 1], [0, 1, 2]]
    assert [slots.tolist() for slots in filled(kept, ranks_HS, 9)] == [[0, 1], [0, 1, 2, 3]]


def test_a_grown_view_is_scored_by_the_queries_that_came_since() -> None:
    """The window of a second compression are the newest queries, and they stand at the end of every
    head, however uneven."""
    engine, method = tiny("gqa"), parse("adakv[tau=1/4]")
    stream = fork(engine.read(range(1, 101), needs=method.needs), method)
    grown = engine.read(range(30, 50), needs=method.needs, base=sealed(stream, engine.facts.shape))
    view = grown.view(1)
    assert len(set(view.slots.counts)) > 1
    window_HGWD = view.observed.window_HGWD
    assert window_HGWD is not None
    assert window_HGWD.shape[2] == 20  # none of before
    for head in range(view.heads):
        assert view.slots.positions(head)[-20:].tolist() == list(range(100, 120))
        alone = view.of_head(head)
        assert torch.equal(alone.k_HSD[0], view.slots.head(head)[0])
        assert alone.observed.window_HGWD is not None
        assert torch.equal(alone.observed.window_HGWD[0], window_HGWD[head])


def test_a_second_repeat_scores_what_is_held_as_the_first_does_where_nothing_was_dropped() -> None:
    engine = tiny("gqa")
    first = engine.read(range(1, 101), needs=["repeat-scores"])
    everything = fork(first, parse("kvzip[budget_tokens=300]"))
    base = sealed(everything, engine.facts.shape)
    again = engine.read(range(30, 50), needs=["repeat-scores"], base=base)
    whole = engine.read([*range(1, 101), *range(30, 50)], needs=["repeat-scores"])
    for layer in whole.layers:
        ours = again.observed[layer].repeat_scores_HS
        wanted = whole.observed[layer].repeat_scores_HS
        assert ours is not None
        assert wanted is not None
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-3)


def test_each_head_scores_what_it_holds_as_if_the_rest_had_never_been() -> None:
    """The general repeat over a thinned context, against the plain one over the same slots."""
    engine = tiny("mqa")
    method = parse("streaming-llm[sink_tokens=4,recent_tokens=20]")
    base = sealed(fork(engine.read(range(1, 101)), method), engine.facts.shape)
    grown = engine.read(range(30, 40), needs=["repeat-scores"], base=base)
    scores_HS = grown.observed[0].repeat_scores_HS
    assert scores_HS is not None
    assert scores_HS.shape == (1, 34)
    assert bool((scores_HS[0, :4] == 1).all())
    assert bool(((scores_HS[0, 4:] > 0) & (scores_HS[0, 4:] < 1)).all())


def test_what_was_observed_of_all_rows_cannot_be_asked_of_a_thinned_context() -> None:
    engine, method = tiny("gqa"), parse("h2o[tau=1/4]")
    stream = fork(engine.read(range(1, 101), needs=method.needs), method)
    grown = engine.read(range(30, 50), needs=method.needs, base=sealed(stream, engine.facts.shape))
    with pytest.raises(Mismatch, match="has acted on this context before"):
        fork(grown, with_budget_of(method, 120))


def test_keys_that_were_moved_are_not_moved_a_second_time() -> None:
    with pytest.raises(Mismatch, match="position_mode=original"):
        with_budget_of(parse("h2o[tau=1/4,position_mode=cache]"), 100)


def test_a_selection_is_made_anew_of_what_a_second_compression_keeps() -> None:
    engine, method = tiny("gqa"), parse("snapkv[tau=1/2]+quest[tau=1/2]")
    stream = fork(engine.read(range(1, 101), needs=method.needs), method)
    grown = engine.read(range(30, 70), needs=method.needs, base=sealed(stream, engine.facts.shape))
    second = fork(grown, with_budget_of(method, 140))
    selected = second.stores()[0]
    assert isinstance(selected, SelectedStore)
    assert len(selected.positions(0)) == 70
    formula = method.held_bytes(shape=engine.facts.shape, tokens=140)
    assert second.held_bytes() == formula


def test_branches_do_not_see_each_other() -> None:
    engine, of = ToyEngine(), branching()
    talk = Talks(engine, of, Protocol()).talk(Mode.BRANCH, parse("dense").generation)
    texts = [ByteTokenizer().decode(talk.prompt(turn).ids) for turn in range(3)]
    assert 'Key: "key03"' in texts[1]
    assert 'Key: "key12"' not in texts[2]
    found = played(engine, of, Mode.BRANCH, ["dense"])["dense"]
    assert [one.answer.text for one in found if one.answer] == ["value03", "value12", "value20"]


def test_a_strand_holds_what_goes_on_from_each_other() -> None:
    engine = ToyEngine()
    talks = Talks(engine, growing(), Protocol())
    steps = talks.steps(talks.talk(Mode.GROW, parse("dense").generation))
    assert [step.id for step in steps] == [
        "context", "turn 1", "material 2", "turn 2", "material 3", "turn 3"
    ]  # fmt: skip
    assert [[step.id for step in strand] for strand in apart(steps)] == [
        ["turn 1"],
        ["material 2", "turn 2", "material 3", "turn 3"],
    ]


@pytest.mark.parametrize("mode", [Mode.GROW, Mode.BRANCH])
def test_killed_and_resumed_a_pattern_leaves_the_same_journal(tmp_path: Path, mode: Mode) -> None:
    engine = tiny("gqa")
    of = growing() if mode is Mode.GROW else branching()
    whole = played(engine, of, mode, METHODS[:3])
    cells = [job(parse(method), mode, Protocol(), of) for method in METHODS[:3]]

    def play(plays: Sequence[CellPlay], after: int | None) -> None:
        with Lock(tmp_path) as lock, Journal(tmp_path, lock) as journal:
            written = 0

            def emit(record: Record) -> None:
                nonlocal written
                if after is not None and written == after:
                    raise KeyboardInterrupt
                journal.append(record)
                written += 1

            run = SessionPlay(engine, of, Protocol(), emit=emit, needles={})
            run.play(plays)

    with pytest.raises(KeyboardInterrupt):
        play(cells, after=4)
    with Lock(tmp_path) as lock, Journal(tmp_path, lock) as journal:
        left = [
            CellPlay(
                one.cell,
                one.method,
                set(journal.missing_turns(one.cell, retry_failed=False)),
            )
            for one in cells
        ]
        assert sum(len(one.todo) for one in left) == 9 - 4
    play([one for one in left if one.todo], after=None)
    with Lock(tmp_path) as lock, Journal(tmp_path, lock) as journal:
        for one in cells:
            done = journal.done_turns(one.cell.key, retry_failed=False)
            told = whole[one.cell.method]
            assert [done[turn].answer for turn in range(3)] == [record.answer for record in told]


@pytest.mark.parametrize(
    ("of", "mode", "words"),
    [
        (branching(), Mode.GROW, "brings material"),
        (growing(), Mode.MULTI_TURN, "--modes grow"),
        (
            replace(branching(), turns=(asked(3), asked(12, after=2), asked(20))),
            Mode.BRANCH,
            "goes on from turn 3",
        ),
    ],
)
def test_a_session_that_does_not_fit_its_pattern_is_a_gap_in_words(
    of: Session, mode: Mode, words: str
) -> None:
    records: list[Record] = []
    run = SessionPlay(ToyEngine(), of, Protocol(), emit=records.append, needles={})
    run.play([job(parse("dense"), mode, Protocol(), of)])
    assert len(records) == 3
    assert all(one.failure and words in one.failure.why for one in records)
