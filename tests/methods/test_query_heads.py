"""granularity=query_head: every query head keeps slots of its own, as released code does it, and
the bytes say so.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.grid.equal import solve
from scbench.grid.suite import TokenCount
from scbench.kv import QueryHeadStore, Stream
from scbench.methods import parse
from scbench.methods.compression.window_voting import Voting, head_votes
from scbench.methods.contract import top_slots
from scbench.methods.fork import fork
from scbench.tasks import task
from scbench.types import Protocol

engine = cache(tiny)
QUERY = tuple(range(40, 57))
NAMES = ("snapkv", "pyramidkv")
GROUPS = {"mha": 1, "gqa": 2, "mqa": 4}


def opened(heads: str, spelling: str, tokens: int = 100) -> Stream:
    local, method = engine(heads), parse(spelling)
    return fork(local.read(context(tokens), needs=method.needs), method)


def apart(stream: Stream) -> dict[int, QueryHeadStore]:
    return {
        layer: one
        for layer, held in stream.layers.items()
        for one in held.stores
        if isinstance(one, QueryHeadStore)
    }


@pytest.mark.parametrize("name", NAMES)
def test_with_one_query_head_per_kv_head_both_are_the_same_bit_for_bit(name: str) -> None:
    one, two = (opened("mha", f"{name}[tau=1/4{more}]") for more in ("", ",granularity=query_head"))
    assert len(apart(two)) == 3
    for layer in one.layers:
        assert all(
            torch.equal(one.positions(layer, head), two.positions(layer, head)) for head in range(4)
        )
    assert one.held_bytes() == two.held_bytes()
    for piece in (QUERY, (7,)):
        assert torch.equal(
            engine("mha").advance([Feed(one, piece)]), engine("mha").advance([Feed(two, piece)])
        )


@pytest.mark.parametrize("heads", GROUPS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_held_once_per_query_head_and_what_comes_later_once_per_kv_head(
    name: str, heads: str
) -> None:
    local, group = engine(heads), GROUPS[heads]
    one, two = (opened(heads, f"{name}[tau=1/4{more}]") for more in ("", ",granularity=query_head"))
    assert two.held_bytes() == group * one.held_bytes()
    shape = local.facts.shape
    assert two.stored_tokens(shape) == group * one.stored_tokens(shape)
    before = one.held_bytes(), two.held_bytes()
    for stream in (one, two):
        local.advance([Feed(stream, QUERY)])
    assert (
        two.held_bytes() - before[1]
        == one.held_bytes() - before[0]
        == len(QUERY) * local.facts.shape.token_bytes
    )
    for stream in (one, two):
        stream.loaded_bytes = 0
        local.advance([Feed(stream, (7,))])
    assert two.loaded_bytes - one.loaded_bytes == before[1] - before[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("heads", ["gqa", "mqa"])
def test_a_query_head_keeps_what_its_own_votes_say(name: str, heads: str) -> None:
    local, method = engine(heads), parse(f"{name}[tau=1/4,granularity=query_head]")
    snapshot, eviction = local.read(context(100), needs=method.needs), method.eviction
    assert isinstance(eviction, Voting)
    stores, differ = apart(fork(snapshot, method)), 0
    for layer, store in stores.items():
        view = snapshot.view(layer)
        votes = head_votes(view, 3, kernel=7, pooling="max")
        slots = eviction.kept_slots(layer=view.index, layers=view.layers, tokens=100)
        for head in range(view.k_HSD.shape[0]):
            lists = [
                top_slots(votes[head, member : member + 1], slots)[0]
                for member in range(GROUPS[heads])
            ]
            for member, kept in enumerate(lists):
                assert torch.equal(store.own_positions(head, member), kept)
                row = head * GROUPS[heads] + member
                assert torch.equal(store.k_QSD[row], view.k_HSD[head, kept])
                assert torch.equal(store.v_QSD[row], view.v_HSD[head, kept])
            assert store.positions(head).tolist() == sorted(
                {int(at) for kept in lists for at in kept}
            )
            differ += any(not torch.equal(lists[0], kept) for kept in lists[1:])
    assert differ > 0


@pytest.mark.parametrize("heads", GROUPS)
@pytest.mark.parametrize("name", NAMES)
def test_a_full_budget_is_dense_and_holds_no_more(name: str, heads: str) -> None:
    local, full = engine(heads), opened(heads, f"{name}[budget_tokens=100,granularity=query_head]")
    dense = local.read(context(100)).fork()
    assert full.held_bytes() == dense.held_bytes()
    assert torch.equal(local.advance([Feed(full, QUERY)]), local.advance([Feed(dense, QUERY)]))


def test_a_layer_of_the_pyramid_that_keeps_everything_is_held_once() -> None:
    method = parse("pyramidkv[tau=3/4,beta=20,window_tokens=32,granularity=query_head]")
    stream, shape = opened("gqa", str(method)), engine("gqa").facts.shape
    assert sorted(apart(stream)) != sorted(stream.layers)
    assert apart(stream)
    assert stream.held_bytes() == method.held_bytes(shape=shape, tokens=100)


def test_the_released_settings_are_per_query_head_and_stand_alone() -> None:
    for name in NAMES:
        assert "granularity=query_head" in parse(f"{name}[preset=code]").resolved
        assert "granularity" not in parse(f"{name}[preset=paper]").resolved
        for other in ("kivi", "quest"):
            with pytest.raises(Mismatch, match="a cache of its own kind"):
                parse(f"{name}[granularity=query_head]+{other}")
        with pytest.raises(Mismatch, match="per KV head"):
            parse(f"adakv[scorer={name}[granularity=query_head]]")


@pytest.mark.parametrize("name", NAMES)
def test_equal_bytes_gives_it_the_fewer_slots(name: str) -> None:
    local = engine("gqa")
    session = task("kv").make(
        seed="apart:0", target=400, turns=1, count=TokenCount(local.tokenizer)
    )
    methods = [parse(f"{name}[granularity={one}]") for one in ("kv_head", "query_head")]
    found = solve(local, session, methods, "1/4", Protocol())
    shared, own = (parse(str(row.played)).eviction for row in found.rows)
    for row in found.rows:
        assert row.held_bytes is not None
        assert 0 <= found.target_bytes - row.held_bytes < 2 * found.token_bytes
    assert isinstance(shared, Voting)
    assert isinstance(own, Voting)
    assert abs(own.budget(found.context_tokens) - shared.budget(found.context_tokens) / 2) <= 2
