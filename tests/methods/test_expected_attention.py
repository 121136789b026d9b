"""Expected attention is true attention where nothing is uncertain, and an expectation where
something is.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
import torch

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kv import LayerView, Slots, Snapshot
from scbench.methods import parse
from scbench.methods.cards import card
from scbench.methods.compression.expected_attention import (
    ExpectedAttention,
    expected_logits,
    mean_rotation,
)
from scbench.methods.fork import fork

engine = cache(tiny)


@cache
def snapshot(kind: str = "gqa") -> Snapshot:
    return engine(kind).read(context(), needs=["query-moments", "window"])


@pytest.mark.parametrize("kind", ["gqa", "glm", "phi3", "jamba"])
def test_without_spread_and_for_one_position_it_is_the_attention_of_the_mean_query(
    kind: str,
) -> None:
    view = snapshot(kind).view(next(iter(snapshot(kind).layers)))
    mean = view.observed.query_mean_HGD
    scatter = view.observed.query_scatter_HGDD
    assert mean is not None
    assert scatter is not None
    assert view.rotate is not None
    certain = LayerView(
        view.index,
        view.layers,
        Slots.even(view.k_HSD, torch.ones_like(view.v_HSD)),
        replace(view.observed),
        view.scale,
        view.rotate,
    )
    certain.observed.query_scatter_HGDD = torch.zeros_like(scatter)
    scores = ExpectedAttention(future_tokens=1, sink_tokens=0, budget_tokens=8).rank(certain)
    q = view.rotate(mean.unsqueeze(2), torch.tensor([view.tokens])).squeeze(2)
    true = torch.softmax(torch.einsum("hgd,hsd->hgs", q, view.k_HSD) * view.scale, dim=-1).mean(
        dim=1
    )
    torch.testing.assert_close(scores, true * view.v_HSD.shape[-1] ** 0.5, atol=1e-5, rtol=1e-3)


def test_the_expectation_is_that_of_many_drawn_queries() -> None:
    torch.manual_seed(0)
    mean, root, k = torch.randn(1, 1, 6) * 0.5, torch.randn(6, 6) * 0.3, torch.randn(1, 9, 6)
    drawn = mean[0] + torch.randn(400_000, 6) @ root
    want = torch.log(torch.exp(drawn @ k[0].T * 0.4).mean(dim=0))
    found = expected_logits(mean, (root.T @ root)[None, None], k, scale=0.4)[0, 0]
    torch.testing.assert_close(found, want, atol=0.02, rtol=0.02)


def test_the_mean_rotation_damps_and_one_position_does_not() -> None:
    view = snapshot().view(0)
    one, many = mean_rotation(view, 1), mean_rotation(view, 512)
    torch.testing.assert_close(one @ one.T, torch.eye(32), atol=1e-5, rtol=0)
    assert torch.linalg.matrix_norm(many, 2) <= 1 + 1e-5
    assert torch.linalg.matrix_norm(many) < 0.9 * torch.linalg.matrix_norm(one)


def test_scores_are_positive_and_sinks_always_stay() -> None:
    method = ExpectedAttention(tau=Fraction(1, 4))
    for layer in snapshot().layers:
        scores = method.rank(snapshot().view(layer))
        assert (scores > 0).all()
        assert scores[:, :4].isinf().all()
        assert all(
            kept[:4].tolist() == [0, 1, 2, 3] for kept in method.keep(snapshot().view(layer))
        )
    assert ExpectedAttention(budget_tokens=9).rank(snapshot().view(0)).isinf().sum() == 2 * 2


def test_blocks_of_keys_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from scbench.methods.compression import expected_attention

    whole = ExpectedAttention(budget_tokens=8).rank(snapshot().view(1))
    monkeypatch.setattr(expected_attention, "BLOCK_KEYS", 17)
    torch.testing.assert_close(
        whole, ExpectedAttention(budget_tokens=8).rank(snapshot().view(1)), atol=1e-6, rtol=1e-4
    )


def test_too_few_rows_for_a_covariance_are_noted() -> None:
    local = engine("gqa")
    method = parse("expected-attention[budget_tokens=10]")
    few = fork(local.read(context(30), needs=method.needs), method)
    enough = fork(local.read(context(60), needs=method.needs), method)
    assert "expected_attention_covariance_rank_deficient" in few.notes
    assert enough.notes == ()


@pytest.mark.parametrize(
    "bad", ["future_tokens=0", "sink_tokens=-1", "eps=-1", "capacity_tokens=3", "budget_tokens=7"]
)
def test_parameters_that_make_no_sense_are_refused(bad: str) -> None:
    with pytest.raises(Mismatch):
        parse(f"expected-attention[{bad}]")


def test_the_leaderboard_entry_is_adakv_over_it() -> None:
    spelled = "adakv[scorer=expected-attention[eps=0.01],division=kvpress]"
    assert parse("adakv[preset=leaderboard]").resolved == spelled
    assert {"paper", "code"} <= set(card("expected-attention").presets)
