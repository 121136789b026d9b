"""The fast forms against the plain one."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.kernels import Partial, causal, each, full, masked, merge, reference

SCALE = 0.25


def made(
    heads: int, group: int, tokens: int, slots: int, dim: int = 16, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(heads, group, tokens, dim, generator=generator)
    return (
        q,
        torch.randn(heads, slots, dim, generator=generator),
        torch.randn(heads, slots, dim, generator=generator),
    )


def close(part: Partial, wanted: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.testing.assert_close(part.out, wanted[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(part.lse, wanted[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("heads", "group"), [(4, 1), (2, 3), (1, 8)])
@pytest.mark.parametrize("tokens", [1, 2, 33])
def test_full_is_attention_over_every_key(heads: int, group: int, tokens: int) -> None:
    q, k, v = made(heads, group, tokens, 70)
    close(full(q, k, v, scale=SCALE), reference.attend(q, k, v, scale=SCALE))


@pytest.mark.parametrize(("heads", "group"), [(4, 1), (2, 3), (1, 8)])
@pytest.mark.parametrize("tokens", [1, 2, 33])
def test_causal_never_sees_a_later_key(heads: int, group: int, tokens: int) -> None:
    q, k, v = made(heads, group, tokens, tokens)
    close(
        causal(q, k, v, scale=SCALE),
        reference.attend(q, k, v, scale=SCALE, mask_TS=reference.causal_mask(tokens, tokens)),
    )


def test_masked_sees_what_its_row_allows_and_nothing_else() -> None:
    q, k, v = made(2, 3, 9, 40)
    mask = torch.rand(9, 40, generator=torch.Generator().manual_seed(1)) < 0.3
    mask[:, 0] = True
    close(masked(q, k, v, mask, scale=SCALE), reference.attend(q, k, v, scale=SCALE, mask_TS=mask))


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True), seed=st.integers(0, 999))
def test_parts_merge_to_attention_over_their_union(cuts: list[int], seed: int) -> None:
    q, k, v = made(2, 2, 5, 60, seed=seed)
    edges = [0, *sorted(cuts), 60]
    parts = [full(q, k[:, a:b], v[:, a:b], scale=SCALE) for a, b in itertools.pairwise(edges)]
    close(merge(parts), reference.attend(q, k, v, scale=SCALE))


def test_a_part_that_saw_nothing_adds_nothing() -> None:
    q, k, v = made(2, 2, 5, 60)
    empty = Partial(torch.zeros_like(q), torch.full(q.shape[:3], float("-inf")))
    close(merge([empty, full(q, k, v, scale=SCALE), empty]), reference.attend(q, k, v, scale=SCALE))
    nothing = merge([empty, empty])
    assert torch.equal(nothing.out, torch.zeros_like(q))
    assert bool((nothing.lse == float("-inf")).all())


def test_scores_of_a_thousand_do_not_overflow() -> None:
    q, k, v = made(1, 1, 2, 8)
    parts = [
        full(q * 1000, k[:, :4], v[:, :4], scale=1.0),
        full(q * 1000, k[:, 4:], v[:, 4:], scale=1.0),
    ]
    whole, _ = reference.attend(q * 1000, k, v, scale=1.0)
    torch.testing.assert_close(merge(parts).out, whole, atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=30)
@given(slots=st.lists(st.integers(1, 40), min_size=1, max_size=7), seed=st.integers(0, 999))
def test_each_query_sees_its_own_keys_and_no_others(slots: list[int], seed: int) -> None:
    q, _, _ = made(2, 3, len(slots), 1, seed=seed)
    lanes = [made(2, 3, 1, count, seed=seed + at + 1) for at, count in enumerate(slots)]
    part = each(q, [k for _, k, _ in lanes], [v for _, _, v in lanes], scale=SCALE)
    for at, (_, k, v) in enumerate(lanes):
        close(
            Partial(part.out[:, :, at : at + 1], part.lse[:, :, at : at + 1]),
            reference.attend(q[:, :, at : at + 1], k, v, scale=SCALE),
        )
