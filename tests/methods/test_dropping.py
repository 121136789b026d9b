"""Methods that drop slots: budgets of section 6, shapes of what stays, and what each score is."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.laws import context
from scbench.kv import CacheShape, LayerView, Observed, RaggedStore, Slots
from scbench.methods import parse
from scbench.methods.cards import card
from scbench.methods.compression.adakv import AdaKV, share_slots
from scbench.methods.compression.h2o import H2O
from scbench.methods.compression.keydiff import KeyDiff
from scbench.methods.compression.knorm import Knorm
from scbench.methods.compression.pyramidkv import PyramidKV
from scbench.methods.compression.snapkv import SnapKV
from scbench.methods.compression.tova import TOVA
from scbench.methods.compression.window_voting import window_attention
from scbench.methods.contract import Eviction
from scbench.methods.fork import fork

engine = cache(tiny)
OURS = ("pyramidkv", "adakv", "h2o", "tova", "knorm", "keydiff")
SHAPE = CacheShape.even(
    layers=32,
    attention_layers=tuple(range(32)),
    query_heads=32,
    kv_heads=8,
    head_dim=128,
    dtype_bytes=2,
)
COLUMNS = [(131072, 32), (4096, 32), (2048, 32), (1024, 8)]  # tokens, 1 / tau of section 6.3


def eviction(spelling: str) -> Eviction:
    found = parse(spelling).eviction
    assert found is not None
    return found


def view(
    heads: int = 2,
    group: int = 2,
    tokens: int = 60,
    dim: int = 8,
    *,
    index: int = 0,
    layers: int = 4,
    seed: int = 0,
) -> LayerView:
    torch.manual_seed(seed)
    k, q = torch.randn(heads, tokens, dim), torch.randn(heads, group, min(64, tokens), dim)
    seen = Observed(window_HGWD=q, column_sums_HS=torch.rand(heads, tokens))
    return LayerView(index, layers, Slots.even(k, torch.randn(heads, tokens, dim)), seen, 0.5)


# -- 6.3 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "want"), list(zip(COLUMNS, [(32, 4064), (16, 112), (8, 56), (16, 112)], strict=True))
)
def test_snapkv_window_and_prefix_are_those_of_the_table(
    column: tuple[int, int], want: tuple[int, int]
) -> None:
    tokens, share = column
    method = SnapKV(tau=Fraction(1, share))
    assert (method.window(tokens), method.budget(tokens) - method.window(tokens)) == want


@pytest.mark.parametrize(
    ("column", "want"), list(zip(COLUMNS, [(7925, 203), (219, 5), (108, 4), (219, 5)], strict=True))
)
def test_pyramidkv_ends_are_those_of_the_table(
    column: tuple[int, int], want: tuple[int, int]
) -> None:
    tokens, share = column
    assert PyramidKV(tau=Fraction(1, share)).ends(tokens) == want


def test_pyramidkv_as_published_leaves_48_slots_too_many_at_the_papers_size() -> None:
    method = eviction("pyramidkv[preset=paper]")
    kept = [method.kept_slots(layer=layer, layers=32, tokens=131072) for layer in range(32)]
    assert (kept[0], kept[-1]) == (7925 + 32, 7925 - 31 * 249 + 32)
    assert sum(kept) == 32 * 4096 + 48


# -- P13 -------------------------------------------------------------------------------------------


@given(st.integers(64, 5000), st.integers(1, 40), st.integers(16, 600), st.integers(1, 30))
def test_a_pyramid_falls_and_keeps_exactly_its_budget(
    tokens: int, layers: int, budget: int, beta: int
) -> None:
    method = PyramidKV(budget_tokens=budget, beta=beta)
    kept = [method.kept_slots(layer=layer, layers=layers, tokens=tokens) for layer in range(layers)]
    assert sum(kept) == layers * min(budget, tokens)
    assert kept == sorted(kept, reverse=True)
    assert all(0 <= slots <= tokens for slots in kept)
    if beta == 1:
        assert len(set(kept)) == 1


@given(st.integers(200, 5000), st.integers(2, 40), st.integers(32, 90))
def test_a_published_pyramid_is_within_its_floor_rule(
    tokens: int, layers: int, capacity: int
) -> None:
    method = PyramidKV(capacity_tokens=capacity)
    kept = [method.kept_slots(layer=layer, layers=layers, tokens=tokens) for layer in range(layers)]
    assert 0 <= sum(kept) - layers * capacity <= layers * layers / 2
    assert kept == sorted(kept, reverse=True)


@settings(max_examples=60)
@given(
    st.integers(1, 5),
    st.integers(4, 50),
    st.integers(1, 50),
    st.integers(0, 10),
    st.integers(0, 3),
    st.booleans(),
)
def test_heads_share_exactly_their_budget_above_a_floor(
    heads: int, tokens: int, slots: int, tenths: int, protected: int, ties: bool
) -> None:
    slots, protected = min(slots, tokens), min(protected, slots)
    torch.manual_seed(heads * tokens + slots)
    scores = torch.rand(heads, tokens).round(decimals=1 if ties else 6)
    scores[:, tokens - protected :] = float("inf")
    alpha = Fraction(tenths, 10)
    kept = share_slots(scores, slots, alpha=alpha)
    assert sum(len(one) for one in kept) == heads * slots
    for head, one in enumerate(kept):
        assert len(one) >= protected + int(alpha * (slots - protected))
        assert (one[1:] > one[:-1]).all()
        assert set(range(tokens - protected, tokens)) <= set(one.tolist())
        left = sorted(set(range(tokens)) - set(one.tolist()))
        assert not left or not len(one) or scores[head, left].max() <= scores[head, one].min()
    if alpha == 1:
        assert {len(one) for one in kept} == {slots}


def test_identical_heads_get_the_same() -> None:
    scores = torch.rand(1, 40).expand(4, 40)
    kept = share_slots(scores, 9, alpha=Fraction(1, 5))
    assert all(torch.equal(one, kept[0]) for one in kept)


def test_a_head_with_all_the_attention_gets_the_slots_of_the_others() -> None:
    scores = torch.cat([torch.full((1, 40), 1.0), torch.full((1, 40), 0.1)])
    assert [len(one) for one in share_slots(scores, 10, alpha=Fraction(1, 5))] == [18, 2]


def test_what_adakv_drops_is_freed() -> None:
    local = engine("gqa")
    method = parse("adakv[tau=1/4]")
    stream = fork(local.read(context(), needs=method.needs), method)
    lengths = [[len(stream.positions(layer, head)) for head in range(2)] for layer in stream.layers]
    assert all(sum(one) == 2 * 58 for one in lengths)
    assert any(one[0] != one[1] for one in lengths)
    assert all(isinstance(store, RaggedStore) for store in stream.stores())
    assert stream.held_bytes() == 3 * (2 * 58 * 2 * 32 * 4 + 8 * 3)


# -- scores ----------------------------------------------------------------------------------------


def test_h2o_keeps_the_newest_and_the_heaviest_of_the_rest() -> None:
    layer = view()
    sums = layer.observed.column_sums_HS
    assert sums is not None
    for head, kept in enumerate(H2O(budget_tokens=11).keep(layer)):
        heavy = sorted(range(54), key=lambda j, head=head: -float(sums[head, j]))[:5]
        assert kept.tolist() == [*sorted(heavy), *range(54, 60)]


def test_dropping_never_raises_the_mass_h2o_keeps() -> None:
    layer = view()
    sums = layer.observed.column_sums_HS
    assert sums is not None
    mass = [
        sum(
            float(sums[head, kept].sum())
            for head, kept in enumerate(H2O(budget_tokens=b).keep(layer))
        )
        for b in range(8, 61)
    ]
    assert mass == sorted(mass)


def test_tova_keeps_one_set_per_layer_and_the_last_token() -> None:
    layer = view()
    kept = TOVA(budget_tokens=7).keep(layer)
    assert torch.equal(kept[0], kept[1])
    window = layer.observed.window_HGWD
    assert window is not None
    scores = torch.einsum("hgd,hsd->hgs", window[:, :, -1], layer.k_HSD) * layer.scale
    best = torch.softmax(scores, dim=-1).mean(dim=(0, 1))[:59].topk(6).indices
    assert set(kept[0].tolist()) == {*best.tolist(), 59}


def test_knorm_does_not_depend_on_positions() -> None:
    local = engine("gqa")
    snapshot = local.read(context(), needs=["query-moments"])
    assert snapshot.rotate is not None
    layer = snapshot.view(1)
    turned = LayerView(
        1,
        3,
        Slots.even(snapshot.rotate(layer.k_HSD, torch.arange(230) * 7), layer.v_HSD),
        layer.observed,
        layer.scale,
    )
    for one, two in zip(
        Knorm(budget_tokens=50).keep(layer), Knorm(budget_tokens=50).keep(turned), strict=True
    ):
        assert torch.equal(one, two)


def test_knorm_with_exempt_layers_keeps_its_mean_budget() -> None:
    method = Knorm(tau=Fraction(1, 4), exempt_layers=2)
    kept = [method.kept_slots(layer=layer, layers=32, tokens=1000) for layer in range(32)]
    assert kept == [1000, 1000] + [200] * 30
    assert sum(kept) == 32 * 250
    free = Knorm(tau=Fraction(1, 4), exempt_layers=2, count_exempt=False)
    assert free.kept_slots(layer=9, layers=32, tokens=1000) == 250


def test_keydiff_drops_the_keys_that_look_like_all_others() -> None:
    layer = view(tokens=20)
    layer.k_HSD[:] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0]) + 0.01 * torch.randn(2, 20, 8)
    layer.k_HSD[:, [3, 11]] = -layer.k_HSD[:, [3, 11]]
    layer.k_HSD[:, [5, 6]] = torch.randn(2, 2, 8) * torch.tensor([0.0, 1, 1, 1, 1, 1, 1, 1])
    assert [kept.tolist() for kept in KeyDiff(budget_tokens=4).keep(layer)] == [[3, 5, 6, 11]] * 2


@pytest.mark.parametrize("method", [KeyDiff(budget_tokens=20), Knorm(budget_tokens=20)])
def test_zeros_everywhere_are_ties_and_the_lowest_slots_win(method: Eviction) -> None:
    zero = torch.zeros(2, 60, 8)
    layer = LayerView(0, 4, Slots.even(zero, zero), Observed(), 0.5)
    assert [kept.tolist() for kept in method.keep(layer)] == [list(range(20))] * 2


# -- P6 --------------------------------------------------------------------------------------------


def test_attention_does_not_depend_on_the_order_of_slots() -> None:
    method = parse("adakv[tau=1/4]")
    local = engine("gqa")
    store = fork(local.read(context(), needs=method.needs), method).stores()[0]
    assert isinstance(store, RaggedStore)
    held = store.slots
    order = [torch.randperm(count) for count in held.counts]
    q = torch.randn(2, 2, 3, 32)
    one = store.attend(q, scale=0.2).partial.out
    two = RaggedStore(held.pick(order)).attend(q, scale=0.2).partial.out
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


# -- budgets and refusals --------------------------------------------------------------------------

MINIMA = {"pyramidkv": 16, "adakv": 8, "h2o": 8, "tova": 4, "knorm": 4, "keydiff": 4}


@pytest.mark.parametrize("name", MINIMA)
def test_a_share_below_the_minimum_is_refused_with_the_smallest_that_works(name: str) -> None:
    tokens = 1000
    with pytest.raises(Mismatch, match="smallest share") as refused:
        parse(f"{name}[tau=1/1000]").check(shape=SHAPE, tokens=tokens)
    least = Fraction(str(refused.value).split("tau=")[-1].split(" ")[0])
    parse(f"{name}[tau={least}]").check(shape=SHAPE, tokens=tokens)
    assert eviction(f"{name}[tau={least}]").budget(tokens) == MINIMA[name]
    with pytest.raises(Mismatch):
        parse(f"{name}[tau={least - Fraction(1, 10**6)}]").check(shape=SHAPE, tokens=tokens)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("share", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("tokens", [1024, 1333, 4096])
def test_the_realised_share_is_never_above_the_asked_one(
    name: str, share: int, tokens: int
) -> None:
    method = parse(f"{name}[tau=1/{share}]")
    budget = int(Fraction(tokens, share) + Fraction(1, 2))
    tables = 32 * 8 * 9 if name == "adakv" else 0
    assert method.held_bytes(shape=SHAPE, tokens=tokens) == SHAPE.token_bytes * budget + tables


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("preset", ["paper", "code"])
def test_presets_can_be_named_and_are_listed(name: str, preset: str) -> None:
    assert preset in card(name).presets
    method = parse(f"{name}[preset={preset}]")
    assert parse(str(method)) == method
    assert card(name).category == "KV dropping"
    assert "tau" in card(name).parameters


def test_knorm_refuses_exemptions_that_leave_nothing_for_the_rest() -> None:
    with pytest.raises(Mismatch, match="leaves the others less than 4") as refused:
        parse("knorm[tau=1/32,exempt_layers=2]").check(shape=SHAPE, tokens=131072)
    least = str(refused.value).split("tau=")[-1].split(" ")[0]
    parse(f"knorm[tau={least},exempt_layers=2]").check(shape=SHAPE, tokens=131072)


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        ("adakv[scorer=kivi]", "does not rank"),
        ("adakv[scorer=streaming-llm]", "does not rank"),
        ("adakv[scorer=adakv]", "does not rank"),
        ("adakv[scorer=snapkv[tau=1/4]]", "give the budget to adakv"),
        ("adakv[alpha=2]", r"\[0, 1\]"),
        ("adakv+quest", "needs plain stores"),
        ("h2o[heavy_tokens=4]", "together"),
        ("pyramidkv[beta=0]", "beta"),
        ("knorm[exempt_layers=-1]", "at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(spelling: str, says: str) -> None:
    with pytest.raises(Mismatch, match=says):
        parse(spelling)


def test_a_scorer_has_parameters_of_its_own_and_a_stray_one_is_named() -> None:
    method = parse(
        ["adakv[scorer=snapkv[kernel=7,pooling=max],tau=1/8]", "prefix[block_tokens=4]"][0]
    )
    assert str(method) == "adakv[tau=1/8,scorer=snapkv[kernel=7,pooling=max]]"
    with pytest.raises(BadConfig, match="kernle"):
        parse("adakv[scorer=snapkv[kernle=7]]")


def test_adakv_over_scores_that_heads_cannot_share_says_so_in_its_records() -> None:
    local = engine("gqa")
    for scorer, noted in (("knorm", True), ("snapkv", False)):
        method = parse(f"adakv[scorer={scorer},tau=1/4]")
        stream = fork(local.read(context(), needs=method.needs), method)
        assert ("adakv_scores_of_heads_not_comparable" in stream.notes) == noted


def test_adakv_takes_its_identity_from_the_scorers_source_too() -> None:
    assert parse("adakv").source_digest != parse("adakv[scorer=h2o]").source_digest
    assert isinstance(parse("adakv").eviction, AdaKV)


def test_the_window_votes_of_one_query_are_its_attention() -> None:
    layer = view()
    window = layer.observed.window_HGWD
    assert window is not None
    votes: Tensor = window_attention(window[:, :, -1:], layer.k_HSD, scale=layer.scale)
    torch.testing.assert_close(votes.sum(dim=-1), torch.ones(2, 2))
