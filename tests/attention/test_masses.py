"""Sets and shares of attention masses."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from scbench.attention.held import slots_read
from scbench.attention.masses import KeySpan, best_masses, entropy, fewest_keys, overlap
from scbench.kernels import largest
from scbench.kv import ChosenSlots


def test_random_sets_have_in_common_what_chance_says() -> None:
    torch.manual_seed(0)
    one, other = (largest(torch.rand(16, 4, 1024), 32) for _ in range(2))
    assert float(overlap(one, other, 1024).mean()) == pytest.approx(32 / 1024, abs=0.01)
    assert float(overlap(one, one, 1024).mean()) == 1.0


def test_inner_keys_are_those_without_sinks_template_and_newest() -> None:
    inner, behind = KeySpan.inner(1024), KeySpan.inner(1024, document=40)
    assert (inner.start, inner.stop) == (4, 992)
    assert (behind.start, behind.stop) == (40, 992)
    assert KeySpan.all(1024).count(Fraction(1, 32)) == 32
    assert KeySpan.all(10).count(Fraction(1, 32)) == 1  # never an empty set


def test_the_fewest_keys_are_one_for_a_peak_and_nearly_all_for_even_attention() -> None:
    peak = torch.zeros(1, 1, 1, 100)
    peak[..., 7] = 0.5
    even = torch.full((1, 1, 1, 100), 0.001)
    assert fewest_keys(peak, 0.99).item() == 1
    assert fewest_keys(even, 0.895).item() == 90
    assert entropy(peak).item() == 0.0
    assert entropy(even).item() == pytest.approx(4.60517, abs=1e-4)


def test_a_group_shares_the_keys_of_its_largest_products_and_heads_alone_have_their_own() -> None:
    products = torch.tensor([[[[4.0, 0.0, 1.0]], [[0.0, 5.0, 1.0]]]])  # two heads of one KV head
    p = products.softmax(dim=-1)
    together, alone = (best_masses(p, products, choices=choices) for choices in (1, 2))
    assert together[0, :, 0, 1].tolist() == pytest.approx(p[0, :, 0, 1].tolist())
    assert alone[0, :, 0, 1].tolist() == pytest.approx([float(p[0, 0, 0, 0]), float(p[0, 1, 0, 1])])
    assert together[..., 3].flatten().tolist() == pytest.approx([1.0, 1.0])
    assert together[..., 0].flatten().tolist() == [0.0, 0.0]


def test_a_slot_that_does_not_count_is_not_read_though_another_is_named_twice() -> None:
    found = torch.tensor([[[[1, 3, 3]]]])
    inside = torch.tensor([[[[True, True, False]]]])
    chosen = ChosenSlots(found, inside, rows_T=[2], ranges=((0, 1),))
    mask = slots_read(chosen, torch.zeros(1, 1, 1, 2), 5)
    assert mask.flatten().tolist() == [True, True, False, True, False]
