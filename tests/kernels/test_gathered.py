"""Choosing slots, and attending to what was chosen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.kernels import full, gathered, largest, merge, reference
from scbench.kernels import gathered as module_function

SCALE = 0.3


def drawn(*sizes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=80)
@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=9, max_size=9), min_size=1, max_size=4),
    count=st.integers(1, 9),
)
def test_largest_takes_what_a_stable_sort_takes(rows: list[list[int]], count: int) -> None:
    scores = torch.tensor(rows, dtype=torch.float32)
    wanted = (
        torch.sort(scores, dim=-1, descending=True, stable=True)
        .indices[..., :count]
        .sort(dim=-1)
        .values
    )
    assert torch.equal(largest(scores, count), wanted)


def test_infinite_scores_are_scores() -> None:
    scores = torch.tensor([[float("-inf"), 1.0, float("inf"), float("-inf")]])
    assert largest(scores, 3).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("choices", ["shared", "own"])
def test_gathered_is_attention_over_the_chosen_slots_alone(choices: str) -> None:
    heads, group, tokens, slots, count = 2, 3, 5, 40, 7
    q, k, v = (
        drawn(heads, group, tokens, 8),
        drawn(heads, slots, 8, seed=1),
        drawn(heads, slots, 8, seed=2),
    )
    picks = largest(drawn(heads, 1 if choices == "shared" else group, tokens, slots, seed=3), count)
    mask = torch.zeros(heads, group, tokens, slots, dtype=torch.bool)
    mask.scatter_(3, picks.expand(heads, group, tokens, count), True)
    got = gathered(q, k, v, picks, scale=SCALE)
    out, lse = reference.attend(q, k, v, scale=SCALE, mask_TS=mask)
    torch.testing.assert_close(got.out, out)
    torch.testing.assert_close(got.lse, lse)


def test_slots_that_are_not_inside_do_not_count_and_a_row_of_none_is_nothing() -> None:
    q, k, v = drawn(1, 2, 2, 8), drawn(1, 10, 8, seed=1), drawn(1, 10, 8, seed=2)
    picks = torch.tensor([0, 3, 5]).expand(1, 1, 2, 3)
    inside = torch.tensor([[True, False, True], [False, False, False]]).view(1, 1, 2, 3)
    got = gathered(q, k, v, picks, inside, scale=SCALE)
    wanted = full(q[:, :, :1], k[:, [0, 5]], v[:, [0, 5]], scale=SCALE)
    torch.testing.assert_close(got.out[:, :, :1], wanted.out)
    assert torch.equal(got.out[:, :, 1], torch.zeros(1, 2, 8))
    assert bool(torch.isneginf(got.lse[:, :, 1]).all())
    torch.testing.assert_close(
        merge([got, full(q, k, v, scale=SCALE)]).out[:, :, 1],
        full(q, k, v, scale=SCALE).out[:, :, 1],
    )


def test_a_small_limit_of_gathered_bytes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = drawn(2, 2, 9, 8), drawn(2, 30, 8, seed=1), drawn(2, 30, 8, seed=2)
    picks = largest(drawn(2, 1, 9, 30, seed=3), 4)
    at_once = gathered(q, k, v, picks, scale=SCALE)
    monkeypatch.setitem(module_function.__globals__, "GATHER_BYTES", 1)
    torch.testing.assert_close(gathered(q, k, v, picks, scale=SCALE).out, at_once.out)


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(0, 20), seed=st.integers(0, 99))
def test_parts_of_any_split_merge_to_the_whole(cut: int, seed: int) -> None:
    q, k, v = (
        drawn(2, 2, 3, 8, seed=seed),
        drawn(2, 20, 8, seed=seed + 1),
        drawn(2, 20, 8, seed=seed + 2),
    )
    everything = torch.arange(20).expand(2, 1, 3, 20)
    first, second = (
        gathered(q, k, v, everything, mask, scale=SCALE)
        for mask in (everything < cut, everything >= cut)
    )
    whole = full(q, k, v, scale=SCALE)
    torch.testing.assert_close(merge([first, second]).out, whole.out, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(merge([first, second]).lse, whole.lse, atol=1e-5, rtol=1e-5)
