"""The gold answer fed through every stream: exact against a plain read, zero where nothing is lost,
large where much is, absent with a reason where there is nothing to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from quick import quick
from test_session import BOTH, job, session

from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import BadRecord
from scbench.grid.agreement import DenseBook
from scbench.methods import parse
from scbench.play.dense_tokens import KEPT, DenseTokens
from scbench.play.gold import GOLD_TOKENS, NOT_PLAYED, OWN_HISTORY, GoldPass
from scbench.play.session import SessionPlay
from scbench.prompts import Conversation
from scbench.types import CompressAfter, History, Mode, Protocol, Record

engine = cache(tiny)


def play(
    *methods: str,
    local: Any = None,
    protocol: Protocol | None = None,
    modes: Sequence[Mode] = BOTH,
    **changes: Any,
) -> dict[tuple[str, Mode, int], Record]:
    protocol = protocol or Protocol()
    of = session(**changes)
    jobs = [job(parse(one), mode, protocol, of) for one in methods for mode in modes]
    keys = {one.cell.mode: one.cell.key for one in jobs if one.cell.method == "dense"}
    records: list[Record] = []
    run = SessionPlay(
        local or engine("gqa"),
        of,
        protocol,
        emit=records.append,
        needles={},
        gold=GoldPass(dense_keys=keys),
    )
    run.play(jobs)
    return {(one.method, one.mode, one.turn): one for one in records}


def plain_logps(local: LocalEngine, mode: Mode, turn: int) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Log-probabilities at every token of the gold, one whole read per token."""
    talk = Conversation(session(), local.tokenizer, Protocol(), mode, local.facts.window_tokens)
    gold_ids = talk.gold_ids(turn)[:GOLD_TOKENS]
    prompt = talk.prompt(turn).ids
    rows = [local.read(prompt + gold_ids[:at]).logits_V for at in range(len(gold_ids))]
    return torch.stack(rows).double().log_softmax(dim=1), gold_ids


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_likelihoods_of_dense_are_those_of_a_plain_read(heads: str, mode: Mode) -> None:
    local = engine(heads)
    found = play("dense", local=local)
    for turn in range(3):
        logps_TV, gold_ids = plain_logps(local, mode, turn)
        wanted = -float(logps_TV[range(len(gold_ids)), list(gold_ids)].mean())
        gold = found["dense", mode, turn].gold
        assert gold is not None
        assert gold.tokens == len(gold_ids)
        assert gold.nll == pytest.approx(wanted, abs=2e-4)
        assert (gold.kl_to_dense, gold.top1_agreement) == (0.0, 1.0)


@pytest.mark.parametrize(
    "heads",
    ["gqa", *(pytest.param(one, marks=pytest.mark.slow) for one in ("mha", "mqa"))],
)
@pytest.mark.parametrize(
    "method",
    ["snapkv[tau=1]", "quest[tau=1]", "kivi[bits=16]", "a-shape[tau=1]", "kvzip[tau=1]", "prefix"],
)
def test_a_full_budget_agrees_with_dense(method: str, heads: str) -> None:
    found = play("dense", method, local=engine(heads))
    golds = [one.gold for (name, _, _), one in found.items() if name != "dense"]
    assert len(golds) == 6
    for gold in golds:
        assert gold is not None
        assert gold.kl_to_dense == pytest.approx(0.0, abs=1e-4)
        assert gold.top1_agreement == 1.0


def test_divergence_is_that_of_whole_distributions_up_to_the_bucket() -> None:
    """The bucket makes it a lower bound; where the kept tokens are all, it is the whole."""
    drawn = torch.Generator().manual_seed(3)
    for vocabulary in (KEPT, KEPT * 4):
        ours, theirs = (
            (4 * torch.randn(5, vocabulary, generator=drawn)).double().log_softmax(1)
            for _ in range(2)
        )
        whole = float((ours.exp() * (ours - theirs)).sum(1).mean())
        found = DenseTokens.of(ours).divergence(theirs)
        assert found == pytest.approx(whole, rel=1e-4 if vocabulary == KEPT else 0.05)
        assert found <= whole + 1e-6


@pytest.mark.parametrize("method", ["kivi[bits=2]", "streaming-llm[tau=1/8]", "knorm[tau=1/8]"])
def test_what_is_lost_is_seen(method: str) -> None:
    found = play("dense", method, protocol=Protocol(compress_after=CompressAfter.CONTEXT))
    losses = [one.gold.kl_to_dense for (name, _, _), one in found.items() if name != "dense"]
    assert min(losses) > 1e-3


def test_the_answer_itself_is_not_touched() -> None:
    """Feeding the gold leaves the stream as it was: the same answers, bytes and counts."""
    methods = ["dense", "kivi[bits=2]", "snapkv[tau=1/4]", "h2o[tau=1/4,rolling=yes]"]
    protocol, of = Protocol(), session()
    bare: list[Record] = []
    run = SessionPlay(engine("gqa"), of, protocol, emit=bare.append, needles={})
    run.play([job(parse(one), mode, protocol, of) for one in methods for mode in BOTH])
    found = play(*methods)
    assert len(found) == len(bare)
    for record in bare:
        mine = found[record.method, record.mode, record.turn]
        assert (mine.answer, mine.cost) == (record.answer, record.cost)


def test_without_dense_the_likelihood_stays_and_the_comparison_says_why() -> None:
    found = play("snapkv[tau=1/4]")
    for record in found.values():
        assert record.gold is not None
        assert (record.gold.kl_to_dense, record.gold.why) == (None, NOT_PLAYED)
        assert record.gold.nll > 0


def test_own_answers_as_history_are_not_compared() -> None:
    found = play("dense", "snapkv[tau=1/4]", protocol=Protocol(history=History.MODEL))
    of_turns = found["snapkv[tau=1/4]", Mode.MULTI_TURN, 1].gold
    alone = found["snapkv[tau=1/4]", Mode.MULTI_REQUEST, 1].gold
    assert of_turns is not None
    assert alone is not None
    assert (of_turns.kl_to_dense, of_turns.why) == (None, OWN_HISTORY)
    assert alone.kl_to_dense is not None


def test_a_gold_of_one_token_needs_no_forward_and_a_long_one_is_cut() -> None:
    one = play("dense", "knorm[tau=1/4]", gold="")  # a blank stands before it
    long = play("dense", "knorm[tau=1/4]", gold="x" * 3 * GOLD_TOKENS)
    assert {record.gold.tokens for record in one.values() if record.gold} == {1}
    assert {record.gold.tokens for record in long.values() if record.gold} == {GOLD_TOKENS}
    assert all(record.gold.kl_to_dense is not None for record in one.values() if record.gold)


def test_an_extended_run_compares_with_the_dense_it_has(tmp_path: Path) -> None:
    words = {"tasks": ["kv"], "length": 256, "sessions": 2, "turns": 2, "form": "full"}
    quick(tmp_path / "a", model="toy", methods=["dense"], cost_sessions=0, **words)
    local = ToyEngine()
    result = quick(None, local, extend=tmp_path / "a", methods=["knorm[tau=1/2]"])
    new = [record for record in result.records() if record.method != "dense"]
    assert len(new) == 8
    assert all(record.gold and record.gold.kl_to_dense is not None for record in new)
    at_once = quick(
        tmp_path / "b",
        model="toy",
        methods=["dense", "knorm[tau=1/2]"],
        cost_sessions=0,
        **words,
    )
    wanted = {(one.key, one.turn): one.gold for one in at_once.records()}
    assert {(one.key, one.turn): one.gold for one in result.records()} == wanted


def test_without_agreement_nothing_is_fed(tmp_path: Path) -> None:
    words = {"tasks": ["kv"], "length": 256, "sessions": 1, "turns": 2, "cost_sessions": 0}
    result = quick(tmp_path, model="toy", methods=["dense"], agreement=False, **words)
    assert all(record.gold is None for record in result.records())


def test_what_dense_said_comes_back_and_damage_is_refused(tmp_path: Path) -> None:
    said = DenseTokens.of(torch.randn(3, 200).log_softmax(1))
    with DenseBook(tmp_path) as book:
        book.put("cell", 1, said)
        book.put("cell", 1, DenseTokens.of(torch.randn(3, 200).log_softmax(1)))
    with DenseBook(tmp_path) as book:
        back = book.get("cell", 1)
        assert back is not None
        assert torch.equal(back.ids_TK, said.ids_TK)
        assert torch.equal(back.logps_TK, said.logps_TK)
        assert book.get("cell", 0) is None
    line = (tmp_path / "agreement.jsonl").read_bytes()
    (tmp_path / "agreement.jsonl").write_bytes(line.replace(b'"tokens":3', b'"tokens":4') + line)
    with pytest.raises(BadRecord):
        DenseBook(tmp_path)
