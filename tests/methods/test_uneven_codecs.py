"""Codes of KV heads that keep different numbers of slots: exact where the parts are, counted."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.exam.laws import context
from scbench.kernels import reference
from scbench.kv import Slots, Stream
from scbench.methods import parse
from scbench.methods.compression.coded_store import CodedHeads
from scbench.methods.compression.kivi import UnevenTail
from scbench.methods.fork import fork

engine = cache(tiny)
HEADS = ("mha", "gqa", "mqa")
NEEDS = ["repeat-scores", "window", "head-gates"]


@cache
def snapshot(heads: str):  # type: ignore[no-untyped-def]
    return engine(heads).read(context(), needs=NEEDS)


def opened(heads: str, spelling: str) -> Stream:
    return fork(snapshot(heads), parse(spelling))


def logits(local: LocalEngine, stream: Stream) -> torch.Tensor:
    pieces = (tuple(range(40, 57)), (7,), (8,))
    return torch.stack([local.advance([Feed(stream, ids)])[0] for ids in pieces])


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize(
    ("pair", "part"),
    [
        ("kvzip[budget_tokens=230]+kivi[bits=16]", "dense"),
        ("kvzip[budget_tokens=230]+kivi", "kivi"),
        ("kvzip[tau=1/4]+kivi[bits=16]", "kvzip[tau=1/4]"),
        ("adakv[tau=1/4]+rtn[bits=16]", "adakv[tau=1/4]"),
        ("adakv[budget_tokens=230]+turboquant", "turboquant"),
        ("duo-attention[tau=1/2]+fp8[bits=16]", "duo-attention[tau=1/2]"),
    ],
)
def test_a_part_that_loses_nothing_leaves_the_other_bit_for_bit(
    heads: str, pair: str, part: str
) -> None:
    local = engine(heads)
    ours, alone = (logits(local, opened(heads, spelling)) for spelling in (pair, part))
    assert torch.equal(ours, alone)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("bits", [2, 4])
def test_bytes_of_kvzip_under_kivi_are_counted_by_hand(heads: str, bits: int) -> None:
    local, group, residual, appended = engine(heads), 8, 16, 3
    spelling = f"kvzip[tau=1/4]+kivi[bits={bits},group={group},residual_tokens={residual}]"
    stream, shape = opened(heads, spelling), local.facts.shape
    kept = opened(heads, "kvzip[tau=1/4]").slots_held(shape.kv_heads)
    assert stream.slots_held(shape.kv_heads) == kept
    assert sum(map(sum, kept)) == int(230 * len(kept) * shape.kv_heads / 4)
    for ids in range(appended):
        local.advance([Feed(stream, (ids + 5,))])
    held_bytes = 0
    for counts in kept:
        uneven = len(set(counts)) > 1
        is_stored = any(count - residual >= residual for count in counts)
        held_bytes += 8 * (len(counts) + 1) * (uneven and is_stored)  # where each head begins
        for count in counts:
            slots = count + appended
            plain_keys = slots % residual
            plain_values = min(slots, residual)
            coded = 2 * slots - plain_keys - plain_values
            codes_bytes = coded * shape.head_dim * bits // 8
            scales_bytes = coded * shape.head_dim // group * 2 * 2  # s and m, 16 bits each
            plain_bytes = (plain_keys + plain_values) * shape.head_dim * 4
            held_bytes += codes_bytes + scales_bytes + plain_bytes
    assert stream.held_bytes() == held_bytes
    assert (
        parse(spelling).held_bytes(shape=shape, tokens=230, appended=appended, held=kept)
        == held_bytes
    )


def test_each_head_reads_what_it_would_alone() -> None:
    generator = torch.Generator().manual_seed(2)
    counts = [70, 0, 33]
    heads = [tuple(torch.randn(2, count, 16, generator=generator)) for count in counts]
    positions = [torch.arange(count) * 3 for count in counts]
    slots = Slots.of_heads(heads, positions)  # type: ignore[arg-type]
    codec = parse("kivi[bits=4,group=8,residual_tokens=16]").codec
    assert codec is not None
    cache = codec.encode(slots)
    store, tail = (*cache.stores, cache.tail)
    assert isinstance(store, CodedHeads)
    assert isinstance(tail, UnevenTail)
    q = torch.randn(3, 2, 1, 16, generator=generator)
    new = torch.randn(2, 3, 1, 16, generator=generator)
    tail.append(*new)
    ours = [store.attend(q, scale=0.3).partial, tail.attend(q, scale=0.3).partial]
    for head, count in enumerate(counts):
        one = slice(head, head + 1)
        alone = codec.encode(slots.of_head(head))
        alone.tail.append(new[0][one], new[1][one])
        parts = [part.attend(q[one], scale=0.3).partial for part in (*alone.stores, alone.tail)]
        if len(parts) == 1:  # nothing of this head is in the store
            assert bool(ours[0].lse[one].isneginf().all())
        for mine, wanted in zip(ours[-len(parts) :], parts, strict=True):
            torch.testing.assert_close(mine.out[one], wanted.out, atol=1e-6, rtol=1e-5)
        held = torch.cat([store.positions(head), tail.begun(head)])
        assert torch.equal(held, positions[head])
        assert len(held) == count


def test_a_coded_head_is_near_what_it_was() -> None:
    """Against plain attention, not against ourselves: eight bits lose next to nothing."""
    generator = torch.Generator().manual_seed(4)
    counts = [50, 21]
    heads = [tuple(torch.randn(2, count, 16, generator=generator)) for count in counts]
    positions = [torch.arange(count) for count in counts]
    slots = Slots.of_heads(heads, positions)  # type: ignore[arg-type]
    q = torch.randn(2, 3, 1, 16, generator=generator)
    for spelling in ("rtn[bits=8]", "turboquant[bits=8]", "fp8"):
        codec = parse(spelling).codec
        assert codec is not None
        (store,) = codec.encode(slots).stores
        got = store.attend(q, scale=0.25).partial.out
        for head, (k_SD, v_SD) in enumerate(heads):
            out, _ = reference.attend(q[head : head + 1], k_SD[None], v_SD[None], scale=0.25)
            torch.testing.assert_close(got[head], out[0], atol=0.05, rtol=0.05)


@pytest.mark.parametrize("eviction", ["snapkv[tau=1/4]", "kvzip[tau=1/4]", "adakv[tau=1/2]"])
@pytest.mark.parametrize("codec", ["kivi", "kivi[bits=4,group=8,residual_tokens=8]", "rtn"])
def test_codes_stand_at_the_positions_of_the_slots_that_were_kept(
    eviction: str, codec: str
) -> None:
    plain, coded = opened("gqa", eviction), opened("gqa", f"{eviction}+{codec}")
    local = engine("gqa")
    for ids in ((3, 4, 5), (6,)):
        local.advance([Feed(plain, ids), Feed(coded, ids)])
    for layer in plain.layers:
        for head in range(local.facts.shape.kv_heads):
            assert torch.equal(coded.positions(layer, head), plain.positions(layer, head))


def test_a_head_that_begins_with_nothing_has_room_for_what_is_appended() -> None:
    """A frozen scale of nothing would be zero, and all that is appended with it."""
    codec = parse("fp8[scale_scope=head]").codec
    assert codec is not None
    generator = torch.Generator().manual_seed(4)
    heads = [tuple(torch.randn(2, count, 16, generator=generator)) for count in (9, 0)]
    slots = Slots.of_heads(heads, [torch.arange(9), torch.arange(0)])  # type: ignore[arg-type]
    tail = codec.encode(slots).tail
    new = torch.randn(2, 2, 1, 16, generator=generator) / 2
    tail.append(*new)
    out = tail.attend(torch.ones(2, 1, 1, 16), scale=0.1).partial.out
    torch.testing.assert_close(out[1, 0], new[1][1], atol=0.05, rtol=0.1)
