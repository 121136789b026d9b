"""Evidence head by head: what dense pays it is that of a plain softmax, what counts is what carries
the answer, and what a selection loads is what it chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from test_session import BOTH, job, session

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.kv import LayerCache, LayerView, SelectedStore
from scbench.methods import parse
from scbench.methods.contract import Eviction
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.evidence import EvidenceHeld, Masses
from scbench.play.gold import GOLD_TOKENS, GoldPass
from scbench.play.onlookers import Loads
from scbench.play.session import SessionPlay
from scbench.prompts import Conversation
from scbench.types import CompressAfter, History, Mode, Protocol, Record

AFTER_CONTEXT = Protocol(compress_after=CompressAfter.CONTEXT)
engine = cache(tiny)


@dataclass
class Notebook:
    """An EvidenceMemory that keeps all it is given; `told` stands in for what dense pays."""

    told: Masses | None = None
    lines: dict[tuple[str, int], EvidenceHeld] = field(default_factory=dict)

    def put(self, key: str, turn: int, evidence: EvidenceHeld) -> None:
        self.lines[key, turn] = evidence

    def mass(self, key: str, turn: int) -> Masses | None:
        if self.told is not None:
            return self.told
        return self.lines[key, turn].mass_RE if (key, turn) in self.lines else None


def play(
    *methods: str | Method,
    local: Any = None,
    protocol: Protocol | None = None,
    book: Notebook | None = None,
    lanes: int = 48,
    modes: Sequence[Mode] = BOTH,
    with_dense: bool = True,
    **changes: Any,
) -> tuple[dict[tuple[str, Mode, int], Record], Notebook]:
    protocol, of, book = protocol or Protocol(), session(**changes), book or Notebook()
    parsed = [parse(one) if isinstance(one, str) else one for one in methods]
    jobs = [job(one, mode, protocol, of) for one in parsed for mode in modes]
    keys = {one.cell.mode: one.cell.key for one in jobs if one.cell.method == "dense"}
    if not with_dense:
        keys = {}
    records: list[Record] = []
    run = SessionPlay(
        local or engine("gqa"),
        of,
        protocol,
        emit=records.append,
        needles={},
        lanes=lanes,
        gold=GoldPass(dense_keys=keys),
        evidence=book,
        debug=True,
    )
    run.play(jobs)
    return {(one.method, one.mode, one.turn): one for one in records}, book


@torch.inference_mode()
def plain_mass(heads: str, mode: Mode, turn: int, **changes: Any) -> np.ndarray[Any, Any]:
    """The model's own eager attention over prompt and gold at once, from the rows that predict the
    gold to the evidence, summed by layer and KV head. The first question of a conversation is read
    before a compression acts, and so is its last row."""
    local = tiny(heads)
    local.model.set_attn_implementation("eager")
    of = session(**changes)
    talk = Conversation(of, local.tokenizer, Protocol(), mode, local.facts.window_tokens)
    prompt, gold = talk.prompt(turn).ids, talk.gold_ids(turn)[:GOLD_TOKENS]
    wanted = list(talk.context.rests_on(turn))
    ids = torch.tensor([[*prompt, *gold]])
    attentions = local.model(input_ids=ids, use_cache=False, output_attentions=True).attentions
    is_before = mode is Mode.MULTI_TURN and turn == 0
    rows = slice(len(prompt) - 1 + is_before, len(prompt) + len(gold) - 1)
    found = []
    for attention_1QNN in attentions:
        paid_QE = attention_1QNN[0, :, rows][:, :, wanted].double().sum(dim=1)
        found.append(paid_QE.view(local.facts.shape.kv_heads, -1, len(wanted)).sum(dim=1))
    return torch.cat(found).numpy()


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_what_dense_pays_the_evidence_is_a_plain_softmax(heads: str, mode: Mode) -> None:
    _, book = play("dense", local=engine(heads), modes=[mode])
    for turn in range(3):
        line = book.lines[f"dense {mode}", turn]
        assert line.mass_RE is not None
        wanted_RE = plain_mass(heads, mode, turn)
        assert line.mass_RE.shape == wanted_RE.shape
        np.testing.assert_allclose(line.mass_RE, wanted_RE, atol=2e-3, rtol=4e-3)
        assert wanted_RE.sum() > 0.05


def test_a_gold_of_one_token_is_predicted_by_the_last_of_the_prompt() -> None:
    _, book = play("dense", gold="")  # a blank stands before it
    for mode in BOTH:
        for turn in range(3):
            mass_RE = book.lines[f"dense {mode}", turn].mass_RE
            wanted_RE = plain_mass("gqa", mode, turn, gold="")
            np.testing.assert_allclose(mass_RE, wanted_RE, atol=2e-3, rtol=4e-3)
            assert wanted_RE.any() != (mode is Mode.MULTI_TURN and turn == 0)


def test_what_is_dropped_after_the_answer_was_chosen_counts_for_nothing() -> None:
    """The one token of the first answer comes of a query that saw the whole context."""
    found, _ = play("dense", "streaming-llm[tau=1/8]", gold="")
    kept = {
        (mode, turn): one.evidence_kept
        for (method, mode, turn), one in found.items()
        if method != "dense"
    }
    assert kept[Mode.MULTI_TURN, 0] == 1.0
    assert kept[Mode.MULTI_REQUEST, 0] == kept[Mode.MULTI_TURN, 1] == 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting(Eviction):
    """Drops slots `first` to `after` of one head of one layer, and as many of the newest
    elsewhere."""

    name = "forgetting"
    layer: int
    head: int
    first: int
    after: int

    def own_tokens(self) -> int:
        return 100

    def keep(self, view: LayerView) -> list[torch.Tensor]:
        gone = self.after - self.first
        kept = []
        for head in range(view.heads):
            is_it = (view.index, head) == (self.layer, self.head)
            first = self.first if is_it else view.tokens - gone - 8
            kept.append(
                torch.tensor([at for at in range(view.tokens) if not first <= at < first + gone])
            )
        return kept


def evidence_of(turn: int) -> tuple[int, int]:
    talk = Conversation(session(), engine("gqa").tokenizer, Protocol(), Mode.MULTI_REQUEST)
    wanted = talk.context.rests_on(turn)
    return wanted[0], wanted[-1] + 1


@pytest.mark.parametrize("lost", [0, 3, 5])
def test_evidence_counts_where_it_is_looked_at_and_nowhere_else(lost: int) -> None:
    """Three layers of two KV heads, of which one carries the answer and one lost the evidence."""
    first, after = evidence_of(1)
    method = Method(
        compression=(Forgetting(layer=lost // 2, head=lost % 2, first=first, after=after),)
    )
    for carrier in range(6):
        mass_RE = np.full((6, after - first), 1e-4, dtype=np.float16)
        mass_RE[carrier] = 1.0
        found, _ = play(
            "dense",
            method,
            protocol=AFTER_CONTEXT,
            book=Notebook(told=mass_RE),
            modes=[Mode.MULTI_REQUEST],
        )
        record = found[str(method), Mode.MULTI_REQUEST, 1]
        assert record.evidence_held == pytest.approx(5 / 6)
        assert record.evidence_kept == pytest.approx(0.0 if carrier == lost else 1.0, abs=2e-3)


def test_what_counts_is_what_dense_paid_in_the_same_session() -> None:
    found, book = play("dense", "snapkv[tau=1/4]", "kvzip[tau=1/2]")
    partial = 0
    for (method, mode, turn), record in found.items():
        mass_RE = book.lines[f"dense {mode}", turn].mass_RE
        bits_RE = book.lines[f"{method} {mode}", turn].held.bits_RE
        assert mass_RE is not None
        assert bits_RE is not None
        weights_RE = mass_RE.astype(float)
        wanted = weights_RE[bits_RE].sum() / weights_RE.sum()
        assert record.evidence_kept == pytest.approx(wanted, abs=1e-9)
        assert record.evidence_held == pytest.approx(bits_RE.mean())
        assert (record.evidence_loaded is None) == (mass_RE is not None)
        partial += 0 < bits_RE.mean() < 1
    assert partial > 6


def test_without_dense_what_counts_is_not_known_unless_all_is_held() -> None:
    whole, _ = play("dense", "snapkv[tau=1/4]", "kivi", "quest[tau=1/4]")
    found, book = play("snapkv[tau=1/4]", "kivi", "quest[tau=1/4]", with_dense=False)
    for (method, mode, turn), record in found.items():
        assert record.evidence_held == whole[method, mode, turn].evidence_held
        bits_RE = book.lines[f"{method} {mode}", turn].held.bits_RE
        assert bits_RE is not None
        assert record.evidence_kept == (1.0 if bits_RE.all() else None)
    assert None in {one.evidence_kept for one in found.values()}


def test_with_histories_of_their_own_methods_are_not_measured_by_dense() -> None:
    found, _ = play("dense", "snapkv[tau=1/4]", protocol=Protocol(history=History.MODEL))
    of_turns = [found["snapkv[tau=1/4]", Mode.MULTI_TURN, turn] for turn in range(3)]
    alone = [found["snapkv[tau=1/4]", Mode.MULTI_REQUEST, turn] for turn in range(3)]
    assert all(one.evidence_held is not None for one in [*of_turns, *alone])
    assert all(one.evidence_kept is None for one in of_turns if one.evidence_held != 1)
    assert all(one.evidence_kept is not None for one in alone)


@dataclass
class Noted(Loads):
    """Loads that keeps the newest query of every forward."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.queries: list[tuple[int, torch.Tensor]] = []

    def attended(
        self,
        layer: int,
        q_HGTD: torch.Tensor,
        cache: LayerCache,
        lse_HGT: torch.Tensor,
        scale: float,
    ) -> None:
        super().attended(layer, q_HGTD, cache, lse_HGT, scale)
        self.queries.append((layer, q_HGTD[:, :, -1].clone()))


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
@pytest.mark.parametrize("granularity", ["kv_head", "query_head"])
def test_what_exact_topk_loads_is_a_plain_top_k(heads: str, granularity: str) -> None:
    local, budget = engine(heads), 7
    method = parse(f"exact-topk[budget_tokens={budget},granularity={granularity}]")
    stream = fork(local.read([(7 * at) % 90 + 5 for at in range(96)]), method)
    other = fork(local.read([(5 * at) % 90 + 5 for at in range(64)]), method)
    kv_heads = [local.facts.shape.kv_heads] * len(stream.layers)
    stream.onlooker = seen = Noted(stream, kv_heads)
    for ids in ([11, 12, 13], [14], [15]):
        local.advance([Feed(other, [9]), Feed(stream, ids)])
    wanted = range(20, 70)
    held_RE = np.ones((sum(kv_heads), len(wanted)), dtype=np.bool_)
    loaded_RE = seen.bits(held_RE, wanted)
    by_hand = np.zeros_like(held_RE)
    for layer, q_HGD in seen.queries:
        store = stream.layers[layer].stores[0]
        assert isinstance(store, SelectedStore)
        products_HGS = torch.einsum("hgd,hsd->hgs", q_HGD, store.tensors()["k"])
        for head, products_GS in enumerate(products_HGS):
            if granularity == "kv_head":
                products_GS = products_GS.amax(dim=0, keepdim=True)
            for products_S in products_GS:
                best = products_S.argsort(descending=True)[:budget].tolist()
                row = kv_heads[0] * list(stream.layers).index(layer) + head
                by_hand[row, [at - 20 for at in best if at in wanted]] = True
    assert loaded_RE is not None
    assert len(seen.queries) == 3 * len(stream.layers)
    assert np.array_equal(loaded_RE, by_hand)
    assert 0 < by_hand.mean() < 1


@pytest.mark.parametrize("protocol", [Protocol(), AFTER_CONTEXT])
def test_what_a_selection_loads_is_held_and_counts_alike(protocol: Protocol) -> None:
    methods = ["quest[tau=1/8]", "exact-topk[tau=1/16]", "retroinfer[tau=1/4]", "exact-topk[tau=1]"]
    found, book = play("dense", *methods, "snapkv[tau=1/2]+exact-topk[tau=1/4]", protocol=protocol)
    partial = 0
    for (method, mode, turn), record in found.items():
        if method == "dense":
            assert record.evidence_loaded is None
            continue
        line = book.lines[f"{method} {mode}", turn]
        assert line.loaded is not None
        assert line.loaded.bits_RE is not None
        assert line.held.bits_RE is not None
        assert not (line.loaded.bits_RE & ~line.held.bits_RE).any()
        assert record.evidence_loaded is not None
        assert record.evidence_kept is not None
        assert record.evidence_loaded <= record.evidence_kept
        if "snapkv" not in method:
            assert record.evidence_kept == 1.0
        if method == "exact-topk[tau=1]":
            assert record.evidence_loaded == 1.0
        partial += 0 < record.evidence_loaded < 1
    assert partial > 10


def test_packed_play_and_one_by_one_give_equal_numbers() -> None:
    methods = ["dense", "snapkv[tau=1/4]", "exact-topk[tau=1/16]", "h2o[tau=1/4,rolling=yes]"]
    packed, many = play(*methods)
    alone, few = play(*methods, lanes=1)
    for place, record in packed.items():
        other = alone[place]
        assert record.evidence_held == other.evidence_held
        assert record.evidence_kept == pytest.approx(other.evidence_kept, abs=1e-3)
        assert record.evidence_loaded == pytest.approx(other.evidence_loaded, abs=1e-3)
    assert many.lines.keys() == few.lines.keys()
    for place, line in many.lines.items():
        bits_RE = few.lines[place].held.bits_RE
        assert bits_RE is not None
        assert line.held.bits_RE is not None
        assert np.array_equal(line.held.bits_RE, bits_RE)


def test_watching_changes_no_answer_and_no_bytes() -> None:
    methods = ["dense", "quest[tau=1/8]", "snapkv[tau=1/4]"]
    found, _ = play(*methods)
    bare, of = list[Record](), session()
    blind = replace(of, turns=tuple(replace(turn, evidence=()) for turn in of.turns))
    run = SessionPlay(engine("gqa"), blind, Protocol(), emit=bare.append, needles={})
    run.play([job(parse(one), mode, Protocol(), blind) for one in methods for mode in BOTH])
    for record in bare:
        mine = found[record.method, record.mode, record.turn]
        assert (mine.answer, mine.cost) == (record.answer, record.cost)
        assert (record.evidence_kept, record.evidence_held) == (None, None)
