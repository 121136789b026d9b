"""Evictions that go on while tokens are appended: bounded for ever, and step by step what their
definition says.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kv import LayerView, Observed, Slots
from scbench.methods import parse
from scbench.methods.compression.rolling_eviction import Rolling, RollingTail
from scbench.methods.fork import fork

engine = cache(tiny)
SPELLINGS = (
    "streaming-llm[budget_tokens=20,rolling=yes]",
    "h2o[budget_tokens=20,rolling=yes]",
    "tova[budget_tokens=20,rolling=yes]",
)
HEADS, GROUP, DIM, SCALE = 2, 2, 8, 0.4


def start(spelling: str, tokens: int = 30) -> RollingTail:
    """A tail over random keys, with queries that made its sums."""
    torch.manual_seed(tokens)
    k, v, q = (
        torch.randn(HEADS, tokens, DIM),
        torch.randn(HEADS, tokens, DIM),
        torch.randn(HEADS, GROUP, tokens, DIM),
    )
    scores = torch.einsum("hgtd,hsd->hgts", q, k) * SCALE
    scores = scores.masked_fill(torch.ones(tokens, tokens, dtype=torch.bool).triu(1), float("-inf"))
    sums = torch.softmax(scores, dim=-1).sum(dim=2).mean(dim=1)
    view = LayerView(0, 1, Slots.even(k, v), Observed(window_HGWD=q, column_sums_HS=sums), SCALE)
    method = parse(spelling).eviction
    assert isinstance(method, Rolling)
    tail = method.cache(view, method.keep(view)).tail
    assert isinstance(tail, RollingTail)
    return tail


def step(tail: RollingTail, tokens: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (
        torch.randn(HEADS, GROUP, tokens, DIM),
        torch.randn(HEADS, tokens, DIM),
        torch.randn(HEADS, tokens, DIM),
    )
    tail.append(k, v)
    tail.attend(q, scale=SCALE)
    tail.settle()
    return q, k, v


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_step_ends_above_the_budget(spelling: str) -> None:
    local, method = engine("gqa"), parse(spelling)
    stream = fork(local.read(context(60), needs=method.needs), method)
    held = stream.held_bytes()
    for at in range(40):
        local.advance([Feed(stream, [at, at + 1, at + 2] if at % 7 == 3 else [at])])
        assert all(
            len(stream.positions(layer, head)) == 20 for layer in stream.layers for head in range(2)
        )
        assert (
            stream.held_bytes()
            == held
            == method.held_bytes(shape=local.facts.shape, tokens=60, appended=at + 1)
        )
    assert stream.logical_tokens == 60 + 40 + 2 * 6


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_prefix_below_the_budget_grows_to_it_and_no_further(spelling: str) -> None:
    local, method = engine("mqa"), parse(spelling)
    stream = fork(local.read(context(12), needs=method.needs), method)
    for at in range(15):
        assert stream.stored_tokens(local.facts.shape) == min(20, 12 + at)
        assert stream.held_bytes() == method.held_bytes(
            shape=local.facts.shape, tokens=12, appended=at
        )
        local.advance([Feed(stream, [at])])


def test_sinks_stay_and_the_rest_slides() -> None:
    tail = start(SPELLINGS[0])
    for _ in range(25):
        step(tail)
    assert tail.positions(0).tolist() == [*range(4), *range(55 - 16, 55)]


def test_h2o_evicts_step_by_step_what_its_sums_say() -> None:
    """The sums, kept as a plain dictionary per head beside the tail."""
    tail = start(SPELLINGS[1])
    assert hasattr(tail, "sums_HS")
    keys = [
        dict(zip(tail.positions(head).tolist(), tail.k_HSD[head], strict=True))
        for head in range(HEADS)
    ]
    sums = [
        dict(zip(tail.positions(head).tolist(), tail.sums_HS[head].tolist(), strict=True))
        for head in range(HEADS)
    ]
    for at in range(30, 50):
        q, k, _ = step(tail)
        for head in range(HEADS):
            keys[head][at], sums[head][at] = k[head, 0], 0.0
            order = sorted(keys[head])
            weights = torch.softmax(
                torch.stack([keys[head][j] for j in order]) @ q[head, :, 0].T * SCALE, dim=0
            ).mean(dim=1)
            for j, weight in zip(order, weights.tolist(), strict=True):
                sums[head][j] += weight
            gone = min((j for j in order if j <= at - 10), key=lambda j, head=head: sums[head][j])
            del keys[head][gone], sums[head][gone]
            assert tail.positions(head).tolist() == sorted(keys[head])
            assert tail.sums_HS[head].tolist() == pytest.approx(
                [sums[head][j] for j in sorted(sums[head])], rel=1e-4
            )


def test_tova_evicts_what_the_newest_query_attends_to_least() -> None:
    tail = start(SPELLINGS[2])
    for at in range(30, 45):
        before, k_before = tail.positions(0).tolist(), tail.k_HSD
        q, k, _ = step(tail)
        scores = torch.einsum("hgd,hsd->hgs", q[:, :, 0], torch.cat([k_before, k], dim=1)) * SCALE
        weights = torch.softmax(scores, dim=-1).mean(dim=(0, 1))[:-1]
        del before[int(weights.argmin())]
        assert tail.positions(0).tolist() == tail.positions(1).tolist() == [*before, at]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_block_sees_all_that_was_held_before_it_and_not_its_own_future(spelling: str) -> None:
    tail = start(spelling)
    torch.manual_seed(1)
    q, k, v = (
        torch.randn(HEADS, GROUP, 6, DIM),
        torch.randn(HEADS, 6, DIM),
        torch.randn(HEADS, 6, DIM),
    )
    one, two = tail.fork(), tail.fork()
    one.append(k, v)
    two.append(k[:, :4], v[:, :4])
    out_one, out_two = (
        one.attend(q, scale=SCALE).partial.out,
        two.attend(q[:, :, :4], scale=SCALE).partial.out,
    )
    torch.testing.assert_close(out_one[:, :, :4], out_two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_fork_rolls_on_its_own(spelling: str) -> None:
    tail = start(spelling)
    seal = {name: x.clone() for name, x in tail.tensors().items()}
    child = tail.fork()
    for _ in range(12):
        step(child)
    assert all(torch.equal(x, seal[name]) for name, x in tail.tensors().items())
    assert tail.positions(0).max() == 29
    assert child.positions(0).max() == 41


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_rolling_notes_no_idle_budget_and_takes_no_codec(spelling: str) -> None:
    local, method = engine("gqa"), parse(spelling)
    assert fork(local.read(context(12), needs=method.needs), method).notes == ()
    with pytest.raises(Mismatch, match="needs plain stores"):
        parse(f"{spelling}+kivi")
    with pytest.raises(Mismatch, match="a scorer that acts once"):
        parse("adakv[scorer=h2o[rolling=yes]]")
