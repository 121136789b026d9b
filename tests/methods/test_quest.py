"""Quest: the bound holds, the selection is per token, and it costs what it says."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kernels import merge, reference
from scbench.kv import CacheShape, DenseStore, RaggedStore, SelectedStore, Slots
from scbench.kv.store import nbytes
from scbench.methods import parse
from scbench.methods.loading.plain_stores import first_slots
from scbench.methods.loading.quest import PageDigest, Quest, page_bounds, page_extremes


def made(
    slots: int, *, heads: int = 2, group: int = 3, tokens: int = 4, dim: int = 8, seed: int = 0
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(heads, group, tokens, dim, generator=generator)
    return (
        q,
        torch.randn(heads, slots, dim, generator=generator),
        torch.randn(heads, slots, dim, generator=generator),
    )


def paged(k: torch.Tensor, v: torch.Tensor, *, page_tokens: int, pages: int) -> SelectedStore:
    return SelectedStore(DenseStore(k, v), PageDigest(k, page_tokens=page_tokens, pages=pages))


def indexed(quest: Quest, k: torch.Tensor, v: torch.Tensor, *, layer: int) -> SelectedStore:
    digest = quest.digest(Slots.even(k, v), layer=layer)
    assert digest is not None
    return SelectedStore(DenseStore(k, v), digest)


SHAPE = CacheShape.even(
    layers=3, attention_layers=(0, 1, 2), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)


@settings(deadline=None, max_examples=50)
@given(
    slots=st.integers(1, 70),
    page=st.integers(1, 20),
    group=st.integers(1, 4),
    seed=st.integers(0, 9999),
    size=st.floats(0.01, 100),
)
def test_a_bound_is_never_below_a_key_of_its_page_for_any_member_of_the_group(
    slots: int, page: int, group: int, seed: int, size: float
) -> None:
    q, k, _ = made(slots, group=group, seed=seed)
    bounds_HTP = page_bounds(q * size, *page_extremes(k, page))
    assert bounds_HTP.shape[-1] == -(-slots // page)
    scores_HGTS = torch.einsum("hgtd,hsd->hgts", q * size, k)
    bound_of_slot = bounds_HTP.repeat_interleave(page, dim=-1)[..., :slots].unsqueeze(1)
    assert bool((scores_HGTS <= bound_of_slot + 1e-4 * size).all())


@settings(deadline=None, max_examples=20)
@given(slots=st.integers(1, 40), seed=st.integers(0, 999))
def test_the_bound_of_a_page_of_one_key_is_its_score(slots: int, seed: int) -> None:
    q, k, _ = made(slots, seed=seed)
    wanted = torch.einsum("hgtd,hsd->hgts", q, k).amax(dim=1)
    torch.testing.assert_close(page_bounds(q, *page_extremes(k, 1)), wanted, atol=1e-5, rtol=1e-5)


def test_queries_of_a_block_are_not_summed() -> None:
    """The published code sums the signs of a block's queries: for q = (-10, 1, 1, 1) and keys -5
    and 1 it scores -40 where 50 is reached (spec section 9, item 3).
    """
    q = torch.tensor([-10.0, 1.0, 1.0, 1.0]).view(1, 1, 4, 1)
    k = torch.tensor([-5.0, 1.0]).view(1, 2, 1)
    bounds = page_bounds(q, *page_extremes(k, 2))
    assert bounds.flatten().tolist() == [50.0, 1.0, 1.0, 1.0]


@settings(deadline=None, max_examples=25)
@given(
    slots=st.integers(20, 90),
    page=st.integers(1, 9),
    pages=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_every_token_reads_its_own_best_pages_and_the_newest(
    slots: int, page: int, pages: int, seed: int
) -> None:
    q, k, v = made(slots, seed=seed)
    store = paged(k, v, page_tokens=page, pages=pages)
    got = store.attend(q, scale=0.3).partial
    bounds = page_bounds(q, *page_extremes(k, page))
    total = bounds.shape[-1]
    for head in range(q.shape[0]):
        for token in range(q.shape[2]):
            best = sorted(range(total - 1), key=lambda at: (-float(bounds[head, token, at]), at))[
                : min(pages, total) - 1
            ]
            slots_read = [at for at in range(slots) if at // page in {*best, total - 1}]
            one = q[head : head + 1, :, token : token + 1]
            out, lse = reference.attend(
                one, k[head : head + 1, slots_read], v[head : head + 1, slots_read], scale=0.3
            )
            torch.testing.assert_close(got.out[head, :, token], out[0, :, 0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(got.lse[head, :, token], lse[0, :, 0], atol=1e-4, rtol=1e-4)


def test_a_token_reads_the_same_however_many_come_with_it() -> None:
    q, k, v = made(64, tokens=9)
    store = paged(k, v, page_tokens=4, pages=3)
    block = store.attend(q, scale=0.3).partial.out
    alone = torch.cat(
        [store.attend(q[:, :, at : at + 1], scale=0.3).partial.out for at in range(9)], dim=2
    )
    torch.testing.assert_close(block, alone, atol=1e-5, rtol=1e-5)


def test_rows_too_many_to_gather_at_once_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = made(64, tokens=9)
    store = paged(k, v, page_tokens=4, pages=3)
    whole = store.attend(q, scale=0.3).partial
    monkeypatch.setattr(sys.modules["scbench.kernels.gathered"], "GATHER_BYTES", 1)
    for ours, wanted in zip(store.attend(q, scale=0.3).partial, whole, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


def test_the_best_page_is_read_once_it_is_read_under_any_larger_budget() -> None:
    q, k, _ = made(96, tokens=5)
    before: set[tuple[int, int, int]] = set()
    for pages in range(1, 25):
        slots, inside = PageDigest(k, page_tokens=4, pages=pages).chosen_slots(q)
        read = {
            (h, t, int(s)) for h in range(2) for t in range(5) for s in slots[h, t][inside[h, t]]
        }
        assert before <= read
        before = read


@settings(deadline=None, max_examples=30)
@given(slots=st.integers(1, 80), page=st.integers(1, 20), pages=st.integers(1, 9))
def test_bytes_loaded_are_the_bounds_and_the_pages_that_are_read(
    slots: int, page: int, pages: int
) -> None:
    q, k, v = made(slots, tokens=1)
    store = paged(k, v, page_tokens=page, pages=pages)
    loaded = store.attend(q, scale=0.3).loaded_bytes
    if pages >= -(-slots // page):
        assert loaded == nbytes((k, v))
        return
    digest = store.digest
    assert isinstance(digest, PageDigest)
    _, inside = digest.chosen_slots(q)
    bounds_bytes = nbytes((digest.low_HPD, digest.high_HPD))
    assert loaded == [bounds_bytes + int(inside.sum()) * 2 * 8 * 4]


@pytest.mark.parametrize("tokens", [1, 5, 16, 100, 230])
def test_a_budget_of_everything_reads_everything(tokens: int) -> None:
    q, k, v = made(tokens)
    for quest in (
        Quest(tau=Fraction(1)),
        Quest(budget_tokens=max(16, tokens)),
        Quest(budget_tokens=16 + 2 * tokens),
    ):
        quest.check(shape=SHAPE, tokens=tokens)
        store = indexed(quest, k, v, layer=0)
        out, _ = reference.attend(q, k, v, scale=0.3)
        torch.testing.assert_close(
            store.attend(q, scale=0.3).partial.out, out, atol=1e-5, rtol=1e-5
        )


@settings(deadline=None, max_examples=30)
@given(slots=st.integers(1, 300), page=st.integers(1, 20))
def test_index_bytes_are_the_closed_form(slots: int, page: int) -> None:
    _, k, v = made(slots)
    quest = Quest(page_tokens=page, exempt_layers=1)
    assert quest.digest(Slots.even(k, v), layer=0) is None
    paged = indexed(quest, k, v, layer=1)
    assert quest.index_bytes(shape=SHAPE, slots=slots, layer=0) == 0
    assert nbytes(paged.tensors().values()) - nbytes((k, v)) == quest.index_bytes(
        shape=SHAPE, slots=slots, layer=1
    )


def test_extremes_of_pages_do_not_depend_on_where_the_keys_come_from() -> None:
    _, k, _ = made(37)
    whole, first, rest = (
        page_extremes(k, 8),
        page_extremes(k[:, :32], 8),
        page_extremes(k[:, 32:], 8),
    )
    for all_pages, a, b in zip(whole, first, rest, strict=True):
        assert torch.equal(all_pages, torch.cat([a, b], dim=1))


def test_heads_of_different_lengths_are_refused() -> None:
    _, k, v = made(9)
    ragged = RaggedStore(Slots.even(k, v).pick([torch.arange(3), torch.arange(5)]))
    with pytest.raises(Mismatch, match="ragged"):
        first_slots((ragged,), Quest())


def test_codes_are_refused_by_name() -> None:
    with pytest.raises(Mismatch, match="stores codes"):
        parse("kivi+quest")


@pytest.mark.parametrize(
    "spelling",
    [
        "quest[page_tokens=0]",
        "quest[read_tokens=0]",
        "quest[exempt_layers=-1]",
        "quest[tau=2]",
        "quest[tau=1/2,budget_tokens=5]",
    ],
)
def test_parameters_that_make_no_sense_are_refused(spelling: str) -> None:
    with pytest.raises(Mismatch):
        parse(spelling)


def test_exempting_every_layer_is_refused() -> None:
    with pytest.raises(Mismatch, match="all 3"):
        parse("quest[exempt_layers=3]").check(shape=SHAPE, tokens=500)


@settings(deadline=None, max_examples=100)
@given(
    tokens=st.integers(100, 9000),
    layers=st.integers(2, 40),
    exempt=st.integers(1, 4),
    numerator=st.integers(1, 64),
)
def test_exempt_layers_count_against_a_budget(
    tokens: int, layers: int, exempt: int, numerator: int
) -> None:
    """The mean over layers is at most K and less than a slot below it, or the budget is refused
    before anything is read.
    """
    quest, shape = (
        Quest(tau=Fraction(numerator, 64), exempt_layers=exempt),
        replace(SHAPE, layers=SHAPE.layers[:1] * layers),
    )
    if exempt >= layers:
        return
    budget, others = min(quest.budget(tokens), tokens), layers - exempt
    left = quest.read_budget(tokens, layers)
    if budget >= tokens:
        assert left >= tokens
        return
    assert 0 <= layers * budget - exempt * tokens - others * left < others
    if left < 16:
        with pytest.raises(Mismatch, match=r"count_exempt=no|below its minimum"):
            quest.check(shape=shape, tokens=tokens)
    else:
        quest.check(shape=shape, tokens=tokens)
        page, pages = quest.sizes(tokens, layers)
        assert page * pages <= left


def test_the_papers_share_leaves_nothing_to_the_layers_that_are_not_exempt() -> None:
    """Spec 6.1: s = 2 at L = 32, tau = 1/32 is refused; the least share named works;
    count_exempt=no reads K everywhere else.
    """
    shape, tokens = replace(SHAPE, layers=SHAPE.layers[:1] * 32), 4096
    with pytest.raises(Mismatch, match="count_exempt=no") as refused:
        Quest(tau=Fraction(1, 32), exempt_layers=2).check(shape=shape, tokens=tokens)
    least = Fraction(str(refused.value).split("tau=")[-1].split(" ")[0])
    Quest(tau=least, exempt_layers=2).check(shape=shape, tokens=tokens)
    Quest(tau=Fraction(1, 32), exempt_layers=2, count_exempt=False).check(
        shape=shape, tokens=tokens
    )
    parse("quest[preset=quest]").check(
        shape=shape, tokens=tokens
    )  # its own size is that of the other layers


def test_all_layers_together_read_the_budget_and_hold_the_closed_form() -> None:
    quest, slots = Quest(tau=Fraction(1, 2), exempt_layers=1), 192
    layers = [Slots.even(*made(slots, seed=layer)[1:]) for layer in range(3)]
    digests = quest.digest_all(layers)
    assert digests[0] is None
    paged = [digest for digest in digests if isinstance(digest, PageDigest)]
    assert [digest.pages * digest.page_tokens for digest in paged] == [
        48,
        48,
    ]  # (3 * 96 - 192) / 2
    for layer, digest in enumerate(digests):
        held = 0 if digest is None else nbytes(digest.tensors().values())
        assert held == quest.index_bytes(shape=SHAPE, slots=slots, layer=layer)


def test_layers_of_different_sizes_cannot_share_one_charge() -> None:
    layers = [Slots.even(*made(slots)[1:]) for slots in (192, 160, 192)]
    with pytest.raises(Mismatch, match="different numbers of slots"):
        Quest(tau=Fraction(1, 2), exempt_layers=1).digest_all(layers)
    assert (
        len(Quest(tau=Fraction(1, 2), exempt_layers=1, count_exempt=False).digest_all(layers)) == 3
    )


def test_a_follow_up_block_sees_nothing_of_its_own_future() -> None:
    """The published RetrievalAttention would attend without a causal mask to a window that holds
    the block (spec section 9, item 5).
    """
    from scbench.kv import DenseTail

    q, k, v = made(60, tokens=6)
    tail = DenseTail()
    tail.append(k[:, 54:], v[:, 54:])
    store = paged(k[:, :54], v[:, :54], page_tokens=6, pages=9)
    got = merge([store.attend(q, scale=0.3).partial, tail.attend(q, scale=0.3).partial])
    out, _ = reference.attend(q, k, v, scale=0.3, mask_TS=reference.causal_mask(6, 60))
    torch.testing.assert_close(got.out, out, atol=1e-5, rtol=1e-5)


def test_merging_survives_scores_that_overflow_without_their_maximum() -> None:
    """The published merge adds exponentials of raw scores (spec section 9, item 5)."""
    q, k, v = made(40, tokens=2)
    parts = [
        DenseStore(k[:, a:b], v[:, a:b]).attend(q * 500, scale=1.0).partial
        for a, b in ((0, 30), (30, 40))
    ]
    out, _ = reference.attend(q * 500, k, v, scale=1.0)
    torch.testing.assert_close(merge(parts).out, out, atol=1e-3, rtol=1e-3)
