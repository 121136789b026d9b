"""The oracle: it reads what it says, and no other choice of as many slots does better."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kv import CacheShape, DenseStore, RaggedStore, SelectedStore, Slots
from scbench.methods import parse
from scbench.methods.loading.exact_topk import ExactTopK, KeyDigest
from scbench.methods.loading.plain_stores import first_slots

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)


def store(
    slots: int = 60, *, k: int = 5, per_query_head: bool = False, seed: int = 0
) -> SelectedStore:
    generator = torch.Generator().manual_seed(seed)
    keys, values = (torch.randn(2, slots, 8, generator=generator) for _ in range(2))
    digest = KeyDigest(keys, k=k, per_query_head=per_query_head)
    return SelectedStore(DenseStore(keys, values), digest)


def queries(tokens: int = 3, seed: int = 9) -> torch.Tensor:
    return torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("per_query_head", [False, True])
def test_the_chosen_slots_are_the_sorted_inner_products(per_query_head: bool) -> None:
    held, q = store(per_query_head=per_query_head), queries()
    scores = torch.einsum("hgtd,hsd->hgts", q, held.base.k_HSD)
    scores = scores if per_query_head else scores.amax(dim=1, keepdim=True)
    wanted = scores.argsort(dim=-1, descending=True)[..., :5].sort(dim=-1).values
    assert torch.equal(held.digest.chosen_slots(q), wanted)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), k=st.integers(1, 59))
def test_per_query_head_no_other_choice_keeps_more_attention(seed: int, k: int) -> None:
    held, q = store(k=k, per_query_head=True, seed=seed), queries(seed=seed + 1)
    kept = held.attend(q, scale=0.5).partial.lse
    other = torch.randperm(60, generator=torch.Generator().manual_seed(seed))[:k]
    rival = torch.logsumexp(
        torch.einsum("hgtd,hsd->hgts", q, held.base.k_HSD[:, other]) * 0.5, dim=-1
    )
    assert bool((kept >= rival - 1e-5).all())


def test_a_step_loads_every_key_and_the_chosen_values() -> None:
    shared = store(k=5).attend(queries(2), scale=1.0)
    assert shared.loaded_bytes == [2 * 60 * 32 + 2 * 5 * 32] * 2
    own = store(k=5, per_query_head=True)
    loaded, slots = (
        own.attend(queries(2), scale=1.0).loaded_bytes,
        own.digest.chosen_slots(queries(2)),
    )
    assert isinstance(loaded, list)
    for token, loaded_bytes in enumerate(loaded):
        different = sum(len(set(slots[head, :, token].flatten().tolist())) for head in range(2))
        assert loaded_bytes == 2 * 60 * 32 + different * 32


def test_a_budget_of_everything_is_the_dense_read() -> None:
    held, q = store(k=99), queries()
    assert torch.equal(
        held.attend(q, scale=1.0).partial.out, held.base.attend(q, scale=1.0).partial.out
    )


def test_k_is_the_rounded_share() -> None:
    assert ExactTopK().budget(4096) == 128
    assert parse("exact-topk[tau=1/32]").loading.budget(2048) == 64  # type: ignore[attr-defined]
    ExactTopK(tau=None, budget_tokens=1).check(shape=SHAPE, tokens=10)
    with pytest.raises(Mismatch, match="tau=1/20"):
        parse("exact-topk[tau=1/50]").check(shape=SHAPE, tokens=10)


def test_ragged_heads_are_refused() -> None:
    whole = Slots.even(torch.zeros(2, 4, 8), torch.zeros(2, 4, 8))
    ragged = RaggedStore(whole.pick([torch.arange(4), torch.arange(2)]))
    with pytest.raises(Mismatch, match="ragged"):
        first_slots((ragged,), ExactTopK())
