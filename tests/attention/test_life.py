"""A session looked at, against the same numbers worked out by hand from full attention."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from by_hand import ByHand, best, holding, in_common, matrices, session_of

from scbench.attention import Life, LifeSight, rows_of, turn_look
from scbench.attention.turn_look import TopSet, TurnRows
from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.play.reads import Reads
from scbench.types import Protocol

KINDS = ("mha", "gqa", "mqa")
SHARES = (Fraction(1, 32), Fraction(1, 8))


def looked(
    engine: LocalEngine, *methods: str, answer_tokens: int = 0, turns: int = 2, **words: Any
) -> LifeSight:
    life = Life(
        engine,
        session_of(engine, turns=turns),
        Protocol(**words),
        [parse(text) for text in methods],
        shares=SHARES,
        answer_tokens=answer_tokens,
    )
    return life.play()


def assert_by_hand(sight: LifeSight, hand: ByHand) -> None:
    """Sets, shares and masses of all turns, layers and heads are those of full attention."""
    for turn, seen in enumerate(sight.turns):
        asked, answer = hand.rows(turn)
        for at, sight_of_layer in enumerate(seen.layers.values()):
            sums = {"asked": asked[at].sum(axis=1), "answer": answer[at].sum(axis=1)}
            sums["turn"] = sums["asked"] + sums["answer"]
            for name, mass_QS in sums.items():
                for keys, span in (("all", slice(None)), ("inner", hand.inner)):
                    assert_sets(sight_of_layer, name, keys, mass_QS[:, span])
            assert_heads(sight_of_layer.heads, answer[at], hand, turn)


def assert_sets(seen: turn_look.LayerSight, name: str, keys: str, mass_QS: Any) -> None:
    for share in SHARES:
        sets = seen.tops[TopSet(name, keys, share)].flatten(0, 1)
        count = round(float(share) * mass_QS.shape[1])
        assert sets.shape[1] == count
        for head, mine in enumerate(sets.tolist()):
            # Keys of equal mass, to fp32, may stand for each other.
            missed = best(mass_QS[head], count) - set(mine)
            least = mass_QS[head][mine].min()
            assert all(abs(mass_QS[head][at] - least) < 1e-5 for at in missed)


def assert_heads(seen: dict[str, torch.Tensor], answer: Any, hand: ByHand, turn: int) -> None:
    evidence = hand.evidence(turn)
    assert evidence
    for head, mass_TS in enumerate(answer):
        for keys, span in (("all", slice(None)), ("inner", hand.inner)):
            own = mass_TS[:, span]
            for part in (90, 99):
                counts = [holding(row, part / 100) / own.shape[1] for row in own]
                assert float(seen[f"{keys}_{part}"][head]) == pytest.approx(
                    np.mean(counts), abs=1.1 / own.shape[1]
                )
            assert float(seen[f"{keys}_mass"][head]) == pytest.approx(
                own.sum(axis=1).mean(), abs=1e-4
            )
        on_evidence = mass_TS[:, evidence].sum(axis=1).mean()
        assert float(seen["evidence_mass"][head]) == pytest.approx(on_evidence, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_is_what_full_attention_says(kind: str) -> None:
    engine = tiny(kind)
    assert_by_hand(looked(engine), ByHand.of(engine, session_of(engine, turns=2)))


def test_overlaps_of_turns_are_those_of_sets_made_by_hand() -> None:
    engine = tiny("gqa")
    hand = ByHand.of(engine, session_of(engine, turns=2))
    rows = rows_of(looked(engine), SHARES, task="kv", session="0:0")["overlap"]
    answers = [hand.rows(turn)[1] for turn in range(2)]
    asked = hand.rows(0)[0]
    for layer in range(3):
        sets = [
            [
                best(
                    mass_TS[:, hand.inner].sum(axis=0),
                    round((hand.inner.stop - hand.inner.start) / 32),
                )
                for mass_TS in masses[layer]
            ]
            for masses in (*answers, asked)
        ]
        found = {
            (row["pair"], row["turn"], row["other"]): row["overlap"]
            for row in rows
            if (row["keys"], row["share"], row["layer"]) == ("inner", "1/32", layer)
        }
        assert found["answers", 0, 1] == pytest.approx(in_common(sets[0], sets[1]), abs=0.04)
        assert found["question-answer", 0, 1] == pytest.approx(
            in_common(sets[2], sets[1]), abs=0.04
        )
        assert found["answers", 0, 0] == found["answers", 1, 1] == 1.0
        assert ("answers", 1, 0) not in found  # told once
        assert found["turns", 0, 0] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_of_a_long_answer_are_compared_as_by_hand(kind: str) -> None:
    engine = tiny(kind)
    hand = ByHand.of(engine, session_of(engine, turns=1))
    sight = looked(engine, answer_tokens=4, turns=1)
    ids, ends = list(hand.talk.prompt(0).ids), sorted(engine.tokenizer.end_ids)
    span = hand.inner
    count = round((span.stop - span.start) / 32)
    asked = [layer[:, :, span].sum(axis=1) for layer in hand.rows(0)[0]]
    firsts, before = None, None
    for step in range(4):
        layers, logits = matrices(engine, ids)
        own = [layer[:, -1, : hand.keys][:, span] for layer in layers]
        if firsts is None or before is None:
            firsts = before = own
        else:
            told = sight.turns[0].along[step - 1]
            for name, other in (("first", firsts), ("asked", asked), ("before", before)):
                pairs = [
                    (a, b)
                    for one, two in zip(own, other, strict=True)
                    for a, b in zip(one, two, strict=True)
                ]
                alike = in_common(
                    [best(a, count) for a, _ in pairs], [best(b, count) for _, b in pairs]
                )
                mass = sum(a[sorted(best(b, count))].sum() for a, b in pairs)
                most = sum(a[sorted(best(a, count))].sum() for a, _ in pairs)
                assert told[name][0] == pytest.approx(alike, abs=0.02)
                assert told[name][1] == pytest.approx(mass / most, abs=1e-3)
            before = own
        logits[ends] = float("-inf")
        ids.append(int(logits[: engine.tokenizer.vocabulary_tokens].argmax()))
    assert len(sight.turns[0].along) == 3


def test_an_evictions_mass_is_that_of_full_attention_on_what_it_holds() -> None:
    engine = tiny("gqa")
    session = session_of(engine, turns=2)
    hand = ByHand.of(engine, session)
    name = "knorm[tau=1/4]"
    sight = looked(engine, name)
    reads = Reads(engine, None)
    stream = fork(reads.with_query(parse(name), hand.talk, hand.talk.prompt(0)), parse(name))
    for turn, seen in enumerate(sight.turns):
        _, answer = hand.rows(turn)
        for at, (layer, of_layer) in enumerate(seen.layers.items()):
            masses, wholes, evidence = [], [], []
            for head, mass_TS in enumerate(answer[at]):
                held = [p for p in stream.positions(layer, head // 2).tolist() if p < hand.keys]
                masses.append(mass_TS[:, held].sum(axis=1).mean())
                wholes.append(mass_TS.sum(axis=1).mean())
                both = sorted({*held} & {*hand.evidence(turn)})
                evidence.append(mass_TS[:, both].sum(axis=1).mean())
            kept = of_layer.kept[name]
            assert kept["all"].mass == pytest.approx(np.mean(masses), abs=1e-4)
            assert kept["all"].whole == pytest.approx(np.mean(wholes), abs=1e-4)
            assert kept["evidence"].mass == pytest.approx(np.mean(evidence), abs=1e-4)
            assert kept["all"].best is not None
            assert kept["all"].mass <= kept["all"].best + 1e-4


def test_the_best_that_as_many_keys_could_hold_is_that_of_sorted_rows() -> None:
    """Where every query head chooses for itself, the best keys are simply the largest masses."""
    engine = tiny("gqa")
    hand = ByHand.of(engine, session_of(engine, turns=1))
    name = "exact-topk[budget_tokens=32,granularity=query_head]"
    sight = looked(engine, name, turns=1)
    _, answer = hand.rows(0)
    for at, of_layer in enumerate(sight.turns[0].layers.values()):
        mass_QTS = answer[at]
        most = np.sort(mass_QTS, axis=2)[..., -32:].sum(axis=2).mean()
        kept = of_layer.kept[name]["all"]
        assert kept.mass == pytest.approx(most, abs=1e-4)
        assert kept.best == pytest.approx(most, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_dense_and_exact_topk_are_as_good_as_exact_topk(kind: str) -> None:
    names = ("dense", "exact-topk[tau=1/8]", "exact-topk[tau=1/8,granularity=query_head]")
    sight = looked(tiny(kind), *names)
    for seen in sight.turns:
        for of_layer in seen.layers.values():
            for name in map(str, map(parse, names)):
                for keys in ("all", "inner"):
                    mass, most, whole = of_layer.kept[name][keys]
                    assert mass == pytest.approx(most, rel=1e-4)
                    assert (mass == pytest.approx(whole, rel=1e-5)) == (name == "dense")
            assert of_layer.kept["dense"]["evidence"].mass == pytest.approx(
                of_layer.kept["dense"]["evidence"].whole
            )
            assert of_layer.held["dense"] == 1.0


def test_what_keeps_none_of_the_evidence_has_none_of_its_mass() -> None:
    """First and last tokens alone, under evidence between them, compressed before any question."""
    engine = tiny("gqa")
    sight = looked(engine, "streaming-llm[budget_tokens=16]", compress_after="context", turns=3)
    hand = ByHand.of(engine, session_of(engine, turns=3))
    ends = {*range(16), *range(hand.keys - 16, hand.keys)}
    between = [turn for turn in range(3) if not ends & {*hand.evidence(turn)}]
    assert between
    for turn in between:
        for of_layer in sight.turns[turn].layers.values():
            kept = of_layer.kept["streaming-llm[budget_tokens=16]"]
            assert kept["evidence"].mass == 0.0
            assert kept["evidence"].whole > 0.0
            assert 0.0 < kept["all"].mass < kept["all"].whole


def test_a_rolling_eviction_is_looked_at_as_it_is_in_each_turn() -> None:
    """It goes on dropping context while questions come; what was dropped once stays so."""
    rolling, once = "streaming-llm[budget_tokens=96,rolling=yes]", "snapkv[budget_tokens=96]"
    sight = looked(tiny("gqa"), rolling, once, turns=3)
    held = {
        name: [
            np.mean([of_layer.held[name] for of_layer in seen.layers.values()])
            for seen in sight.turns
        ]
        for name in (str(parse(rolling)), str(parse(once)))
    }
    first, *later = held[str(parse(rolling))]
    assert all(share < first for share in later)
    assert len({*held[str(parse(once))]}) == 1


MANY = (
    "adakv[tau=1/4]",
    "pyramidkv[tau=1/4]",
    "duo-attention[tau=1/2]",
    "snapkv[tau=1/4,granularity=query_head]",
    "tova[tau=1/4]",
    "quest[tau=1/2,exempt_layers=1]",
    "retrieval-attention[tau=1/4]",
    "retroinfer[tau=1/4]",
    "exact-topk[tau=1/4]+tier",
    "snapkv[tau=1/2]+quest[tau=1/2]",
    "snapkv[tau=1/4]+kivi",
    "a-shape[tau=1/4]+knorm[tau=1/4]",
)


def test_whoever_holds_or_chooses_has_less_than_all_and_no_more_than_the_best() -> None:
    names = [str(parse(text)) for text in MANY]
    sight = looked(tiny("gqa"), *MANY)
    assert sight.left_out == {}
    for seen in sight.turns:
        for name in names:
            layers = list(seen.layers.values())
            held = np.mean([of_layer.held[name] for of_layer in layers])
            mass, most, whole = (
                sum(getattr(of_layer.kept[name]["all"], part) for of_layer in layers)
                for part in ("mass", "best", "whole")
            )
            assert 0.0 < held < 0.75
            assert 0.0 < mass <= 1.01 * most
            assert most <= whole * (1 + 1e-5)


def test_the_oracle_holds_all_that_answers_rest_on() -> None:
    sight = looked(tiny("gqa"), "oracle[tau=1/2]", "streaming-llm[tau=1/4]", turns=3)
    for seen in sight.turns:
        for of_layer in seen.layers.values():
            kept = of_layer.kept["oracle[tau=1/2]"]["evidence"]
            assert kept.mass == pytest.approx(kept.whole, rel=1e-5)


def test_a_method_that_does_not_fit_is_left_out_with_its_reason() -> None:
    sight = looked(tiny("gqa"), "snapkv[tau=1/100]", "dense")
    assert list(sight.left_out) == ["snapkv[tau=1/100]"]
    assert "snapkv" in sight.left_out["snapkv[tau=1/100]"]
    assert set(sight.turns[0].layers[0].kept) == {"dense"}


def test_few_rows_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny("gqa")
    methods = ("quest[tau=1/4]", "snapkv[tau=1/4]")
    whole = rows_of(looked(engine, *methods), SHARES, task="kv", session="0:0")
    monkeypatch.setattr(turn_look, "MOST_NUMBERS", 1)
    pieces = rows_of(looked(engine, *methods), SHARES, task="kv", session="0:0")
    for name, rows in whole.items():
        for one, other in zip(rows, pieces[name], strict=True):
            assert one == pytest.approx(other, abs=2e-2 if name == "overlap" else 1e-3)


plain_looked = Life._looked


def one_row_late(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(turn_look.TurnLook):
        def __init__(self, rows: TurnRows, **words: Any) -> None:
            stop = rows.answer.stop
            super().__init__(TurnRows(rows.asked, range(rows.answer.start + 1, stop)), **words)

    monkeypatch.setattr("scbench.attention.life.TurnLook", Late)


def another_turns_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_(self: Life, turn: int, step: Any, child: Any, keys: Any) -> Any:
        other = self.steps[1 - turn]
        if child.logical_tokens > len(self.talk.context.ids):
            return plain_looked(self, turn, step, child, keys)
        return plain_looked(self, turn, other, child, keys)

    monkeypatch.setattr(Life, "_looked", looked_)


def another_streams_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The onlooker stands at a stream that was fed other tokens."""

    def looked_(self: Life, turn: int, step: Any, child: Any, keys: Any) -> Any:
        look = plain_looked(self, turn, step, child.fork(), keys)
        again = turn_look.TurnLook(
            look.rows,
            spans=self.spans,
            shares=SHARES,
            evidence=look.evidence.tolist(),
        )
        child.onlooker = again
        self.engine.advance([Feed(child, [7] * look.rows.stop)])
        return again

    monkeypatch.setattr(Life, "_looked", looked_)


@pytest.mark.parametrize("fault", [one_row_late, another_turns_question, another_streams_rows])
def test_rows_that_are_not_the_turns_own_are_found_by_hand(
    fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny("gqa")
    hand = ByHand.of(engine, session_of(engine, turns=2))
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        assert_by_hand(looked(engine), hand)


def test_a_look_changes_no_answer() -> None:
    """Whoever looks on, the stream goes on as it would."""
    engine = tiny("gqa")
    session = session_of(engine, turns=2)
    hand = ByHand.of(engine, session)
    life = Life(engine, session, Protocol(), [], shares=SHARES, answer_tokens=0)
    seen: list[torch.Tensor] = []
    plain_read = life._read

    def noted(*args: Any) -> torch.Tensor:
        seen.append(plain_read(*args))
        return seen[-1]

    life._read = noted  # type: ignore[method-assign]
    life.play()
    for turn, logits_V in enumerate(seen):
        _, expected_V = matrices(engine, hand.talk.prompt(turn).ids)
        assert torch.allclose(logits_V, expected_V, atol=2e-3)
