"""Ada-KV as its authors divide a budget and as kvpress does, and who votes in its scorers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scbench.kv import LayerView, Observed, Slots
from scbench.methods import parse
from scbench.methods.compression.adakv import share_left_over, share_slots
from scbench.methods.compression.pyramidkv import PyramidKV
from scbench.methods.compression.snapkv import SnapKV
from scbench.methods.compression.window_voting import bare_votes, head_votes


def view_of(*, seed: int, tokens: int, question_tokens: int | None = None) -> LayerView:
    """A random layer of two KV heads with two query heads each."""
    made = torch.Generator().manual_seed(seed)
    k_HSD, v_HSD = (torch.randn(2, tokens, 8, generator=made) for _ in range(2))
    seen = Observed(window_HGWD=torch.randn(2, 2, 64, 8, generator=made))
    return LayerView(0, 4, Slots.even(k_HSD, v_HSD), seen, 0.5, question_tokens=question_tokens)


def plain_counts(scores: Tensor, room: int, alpha: Fraction) -> list[Fraction]:
    """(1 - alpha) n_h + alpha b, n_h from one sorted list of all heads' scores."""
    heads, slots = scores.shape
    ranked = sorted(
        (-float(scores[head, slot]), head, slot) for head in range(heads) for slot in range(slots)
    )
    won = [0] * heads
    for _, head, _ in ranked[: heads * room]:
        won[head] += 1
    return [(1 - alpha) * count + alpha * room for count in won]


@given(seed=st.integers(0, 99), room=st.integers(1, 20), alpha=st.sampled_from(["0", "1/5", "1/2"]))
def test_heads_get_what_the_released_rule_gives_them_to_within_a_slot(
    seed: int, room: int, alpha: str
) -> None:
    scores = torch.rand(3, 40, generator=torch.Generator().manual_seed(seed))
    kept = share_slots(scores, room, alpha=Fraction(alpha))
    wanted = plain_counts(scores, room, Fraction(alpha))
    assert sum(map(len, kept)) == 3 * room
    assert all(abs(len(own) - count) < 1 for own, count in zip(kept, wanted, strict=True))


def test_the_two_divisions_of_a_budget_differ_and_both_can_be_had() -> None:
    scores = torch.tensor([[99.0, 98, 97, 96, 95, 94, 1, 1], [50.0, 49, 2, 2, 2, 2, 2, 2]])
    lengths_of = [
        [len(own) for own in divide(scores, 4, alpha=Fraction(1, 2))]
        for divide in (share_slots, share_left_over)
    ]
    assert lengths_of == [[5, 3], [6, 2]]
    assert "division=kvpress" in parse("adakv[preset=kvpress]").resolved
    assert "division" not in parse("adakv[preset=paper]").resolved


def test_votes_of_a_group_are_averaged_before_they_are_pooled() -> None:
    view = view_of(seed=4, tokens=80)
    method = SnapKV(budget_tokens=20, window_tokens=8, kernel=7, pooling="max")
    bare = bare_votes(view, 8).mean(dim=1)
    slot = 30
    near = bare[:, slot - 3 : slot + 4].amax(dim=1)
    torch.testing.assert_close(method.group_votes(view)[:, slot], near)
    assert not torch.allclose(method.group_votes(view)[:, :72], method.rank(view)[:, :72])
    mean = replace(method, pooling="avg")
    torch.testing.assert_close(mean.group_votes(view)[:, :72], mean.rank(view)[:, :72])


def test_where_the_question_is_known_its_rows_vote() -> None:
    view = view_of(seed=4, tokens=80)
    method = SnapKV(budget_tokens=40)
    assert method.voters_in(view) == 5
    asked = replace(view, question_tokens=9)
    assert method.voters_in(asked) == 9
    torch.testing.assert_close(method.votes(asked), head_votes(view, 9, kernel=7, pooling="max"))
    literal = replace(method, window_tokens=12)
    assert literal.voters_in(asked) == 12
    assert replace(literal, voters="question").voters_in(asked) == 9


def test_a_questions_voters_are_half_of_what_a_layer_of_a_pyramid_keeps() -> None:
    view = view_of(seed=1, tokens=80, question_tokens=30)
    method = PyramidKV(budget_tokens=20)
    slots = [method.kept_slots(layer=layer, layers=4, tokens=80) for layer in range(4)]
    voters = [method.voters_in(replace(view, index=layer)) for layer in range(4)]
    assert voters == [min(30, kept // 2) for kept in slots]
    assert len(set(slots)) > 1
