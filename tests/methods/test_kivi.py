"""KIVI: what a code may lose, what it may not, and that growing token by token equals coding at
once.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kernels import merge, reference
from scbench.kv import CacheShape, LayerCache, Slots
from scbench.methods import parse
from scbench.methods.compression.kivi import (
    CodedStore,
    CodedTail,
    Kivi,
    dequantise,
    keys_of,
    quantise,
    values_of,
)

BITS = st.integers(1, 8)


def kv(
    slots: int, *, heads: int = 2, dim: int = 32, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    k = torch.randn(heads, slots, dim, generator=generator) * torch.linspace(
        0.1, 9, dim
    )  # channels of different size, as real keys have
    return k, torch.randn(heads, slots, dim, generator=generator)


def shape(heads: int = 2, dim: int = 32, dtype_bytes: int = 4) -> CacheShape:
    return CacheShape.even(
        layers=1,
        attention_layers=(0,),
        query_heads=heads,
        kv_heads=heads,
        head_dim=dim,
        dtype_bytes=dtype_bytes,
    )


def held(cache: LayerCache) -> int:
    tensors = [x for holder in (*cache.stores, cache.tail) for x in holder.tensors().values()]
    return sum(x.numel() * x.element_size() for x in tensors)


def decoded(cache: LayerCache, kivi: Kivi) -> tuple[torch.Tensor, torch.Tensor]:
    """K and V as attention sees them, all slots."""
    ks, vs = [], []
    for holder in (*cache.stores, cache.tail):
        if isinstance(holder, CodedStore | CodedTail):
            if holder.keys is not None:
                ks.append(keys_of(holder.keys, kivi, torch.float32))
            if holder.values is not None:
                vs.append(values_of(holder.values, kivi, torch.float32))
    assert isinstance(cache.tail, CodedTail)
    assert cache.tail.k_HRD is not None
    assert cache.tail.v_HRD is not None
    return torch.cat([*ks, cache.tail.k_HRD], dim=1), torch.cat([*vs, cache.tail.v_HRD], dim=1)


def rounding(low: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """What storing m and s in 16 bits can add: half an ulp of m, and of s times the largest
    code.
    """
    ulp = 2.0**-11
    return (
        low.float().abs() * ulp + (2**bits - 1) * (scale.float().abs() * ulp + 2.0**-25) + 2.0**-25
    )


@settings(deadline=None, max_examples=60)
@given(bits=BITS, seed=st.integers(0, 999), size=st.floats(1e-3, 1e3), offset=st.floats(-100, 100))
def test_no_element_is_off_by_more_than_half_a_step_and_its_rounding(
    bits: int, seed: int, size: float, offset: float
) -> None:
    x = torch.randn(7, 32, generator=torch.Generator().manual_seed(seed)) * size + offset
    codes = quantise(x, bits)
    step = codes.scale.float()
    error = (dequantise(codes, bits, torch.float32) - x).abs().amax(dim=-1)
    assert bool(
        (
            error
            <= step.abs() / 2 + rounding(codes.low, codes.scale, bits) + 1e-6 * (size + abs(offset))
        ).all()
    )


@settings(deadline=None, max_examples=40)
@given(bits=BITS, seed=st.integers(0, 999))
def test_a_logit_moves_by_at_most_half_a_step_per_channel(bits: int, seed: int) -> None:
    kivi = Kivi(bits=bits)
    k, v = kv(64, seed=seed)
    cache = kivi.encode(Slots.even(k, v))
    k_coded, _ = decoded(cache, kivi)
    assert isinstance(cache.stores[0], CodedStore)
    steps_HGD = torch.cat([cache.stores[0].keys.scale, cache.tail.keys.scale], dim=1).float()  # type: ignore[attr-defined]
    q = torch.randn(2, 32, generator=torch.Generator().manual_seed(seed + 1))
    moved = torch.einsum("hd,hsd->hs", q, k_coded - k).abs()
    bound = torch.einsum("hd,hgd->hg", q.abs(), steps_HGD / 2 + 0.02).repeat_interleave(
        kivi.group, dim=1
    )
    assert bool((moved <= bound).all())


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1000.0])
def test_a_group_of_one_value_comes_back_as_it_was(bits: int, value: float) -> None:
    x = torch.full((3, 16), value)
    assert torch.equal(dequantise(quantise(x, bits), bits, torch.float32), x)


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_a_group_of_one_value_that_16_bits_cannot_hold_is_finite_and_close(bits: int) -> None:
    x = torch.full((3, 16), 0.1)
    torch.testing.assert_close(
        dequantise(quantise(x, bits), bits, torch.float32), x, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e30])
@pytest.mark.parametrize("side", ["keys", "values"])
def test_what_is_not_finite_is_refused_before_it_spreads(bad: float, side: str) -> None:
    k, v = kv(100)
    (k if side == "keys" else v)[1, 50, 5] = bad
    with pytest.raises(Mismatch, match="not finite"):
        Kivi().encode(Slots.even(k, v))
    with pytest.raises(Mismatch, match="not finite"):
        kivi_after(k, v, 40)


def kivi_after(k: torch.Tensor, v: torch.Tensor, before: int) -> LayerCache:
    cache = Kivi().encode(Slots.even(k[:, :before], v[:, :before]))
    for at in range(before, k.shape[1]):
        cache.tail.append(k[:, at : at + 1], v[:, at : at + 1])
        cache.tail.settle()
    return cache


@settings(deadline=None, max_examples=25)
@given(
    bits=st.sampled_from([1, 2, 3, 4, 8]),
    group=st.sampled_from([8, 16, 32]),
    residuals=st.integers(1, 3),
    before=st.integers(1, 150),
    pieces=st.lists(st.integers(1, 40), max_size=5),
)
def test_growing_in_any_pieces_equals_coding_at_once(
    bits: int, group: int, residuals: int, before: int, pieces: list[int]
) -> None:
    kivi = Kivi(bits=bits, group=group, residual_tokens=group * residuals)
    k, v = kv(before + sum(pieces))
    grown = kivi.encode(Slots.even(k[:, :before], v[:, :before]))
    at = before
    for piece in pieces:
        grown.tail.append(k[:, at : at + piece], v[:, at : at + piece])
        grown.tail.settle()
        at += piece
    for ours, wanted in zip(
        decoded(grown, kivi), decoded(kivi.encode(Slots.even(k, v)), kivi), strict=True
    ):
        assert torch.equal(ours, wanted)
    assert held(grown) == kivi.coded_bytes(shape=shape().alike, slots=at)


@settings(deadline=None, max_examples=40)
@given(
    bits=st.integers(1, 8),
    group=st.sampled_from([8, 16, 32]),
    residuals=st.integers(1, 4),
    slots=st.integers(1, 400),
    half=st.booleans(),
)
def test_bytes_are_the_closed_form_for_any_length(
    bits: int, group: int, residuals: int, slots: int, half: bool
) -> None:
    kivi = Kivi(bits=bits, group=group, residual_tokens=group * residuals)
    dtype = torch.bfloat16 if half else torch.float32
    k, v = (x.to(dtype) for x in kv(slots))
    cache = kivi.encode(Slots.even(k, v))
    assert held(cache) == kivi.coded_bytes(
        shape=shape(dtype_bytes=2 if half else 4).alike, slots=slots
    )
    residual = group * residuals
    coded_k, coded_v = (
        slots - slots % residual,
        max(0, slots - residual),
    )  # the spec's Tq and Tv, for 2 heads of 32 channels
    keys = 2 * 32 * (coded_k * bits / 8 + 4 * coded_k / group) + 2 * 32 * (slots - coded_k) * (
        2 if half else 4
    )
    values = 2 * (coded_v * 32 * bits / 8 + 4 * coded_v * 32 / group) + 2 * min(
        residual, slots
    ) * 32 * (2 if half else 4)
    assert held(cache) == keys + values


@pytest.mark.parametrize("slots", [1, 5, 31, 32, 33])
def test_a_context_shorter_than_the_residual_is_held_as_it_came(slots: int) -> None:
    kivi = Kivi(residual_tokens=64)
    k, v = kv(slots)
    ours_k, ours_v = decoded(kivi.encode(Slots.even(k, v)), kivi)
    assert torch.equal(ours_k, k)
    assert torch.equal(ours_v, v)


def test_the_residual_is_bit_exact() -> None:
    kivi = Kivi(residual_tokens=64)
    k, v = kv(64 * 3 + 10)
    ours_k, ours_v = decoded(kivi.encode(Slots.even(k, v)), kivi)
    assert torch.equal(ours_k[:, 64 * 3 :], k[:, 64 * 3 :])
    assert torch.equal(ours_v[:, -64:], v[:, -64:])
    assert not torch.equal(ours_k[:, : 64 * 3], k[:, : 64 * 3])


@pytest.mark.parametrize("block", [1, 2, 8, 40])
def test_a_block_of_queries_sees_every_key_before_it(block: int) -> None:
    """The published code masks a block with the length of the residual: 8 queries after 1,000
    tokens see 33..40 keys (spec section 9, item 1).
    """
    kivi = Kivi(bits=8)
    k, v = kv(1000 + block)
    cache = kivi.encode(Slots.even(k[:, :1000], v[:, :1000]))
    k_coded, v_coded = decoded(cache, kivi)
    cache.tail.append(k[:, 1000:], v[:, 1000:])
    q = torch.randn(2, 3, block, 32, generator=torch.Generator().manual_seed(2))
    parts = [holder.attend(q, scale=0.1).partial for holder in (*cache.stores, cache.tail)]
    seen = (torch.cat([k_coded, k[:, 1000:]], dim=1), torch.cat([v_coded, v[:, 1000:]], dim=1))
    out, lse = reference.attend(
        q, *seen, scale=0.1, mask_TS=reference.causal_mask(block, 1000 + block)
    )
    torch.testing.assert_close(merge(parts).out, out, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(merge(parts).lse, lse, atol=1e-4, rtol=1e-4)


def test_what_a_forked_tail_codes_its_parent_never_sees() -> None:
    k, v = kv(120)
    parent = Kivi().encode(Slots.even(k[:, :60], v[:, :60])).tail
    before = {name: x.clone() for name, x in parent.tensors().items()}
    child = parent.fork()
    child.append(k[:, 60:], v[:, 60:])
    child.settle()
    assert child.slots == parent.slots + 60
    assert {name: x.tolist() for name, x in parent.tensors().items()} == {
        name: x.tolist() for name, x in before.items()
    }


def test_no_code_is_a_slice_of_a_larger_storage() -> None:
    cache = kivi_after(*kv(150), 70)
    for holder in (*cache.stores, cache.tail):
        for name, x in holder.tensors().items():
            assert x.untyped_storage().nbytes() == x.numel() * x.element_size(), name


@pytest.mark.parametrize(
    ("tau", "bits"), [("3/16", 2), ("1/4", 3), ("5/16", 4), ("1/2", 4), ("9/16", 8), ("1", 8)]
)
def test_a_share_takes_the_most_bits_whose_real_bytes_fit(tau: str, bits: int) -> None:
    codec = parse(f"kivi[tau={tau}]").codec
    assert isinstance(codec, Kivi)
    llama = CacheShape.even(
        layers=32,
        attention_layers=tuple(range(32)),
        query_heads=32,
        kv_heads=8,
        head_dim=128,
        dtype_bytes=2,
    )
    fitted = codec.at(shape=llama.alike, tokens=131_072)
    assert (fitted.bits, fitted.group, fitted.residual_tokens) == (bits, 32, 32)


@pytest.mark.parametrize("tau", ["1/32", "1/16", "1/8"])
def test_a_share_that_two_bits_do_not_fit_is_refused_with_one_that_does(tau: str) -> None:
    with pytest.raises(Mismatch, match=r"use tau=0\.\d+") as refusal:
        parse(f"kivi[tau={tau}]").check(shape=shape(dim=64), tokens=4096)
    least = str(refusal.value).split("use tau=")[1].split()[0]
    parse(f"kivi[tau={least}]").check(shape=shape(dim=64), tokens=4096)


def test_llama_3_1_8b_at_131072_tokens_holds_3_gib() -> None:
    llama = CacheShape.even(
        layers=32,
        attention_layers=tuple(range(32)),
        query_heads=32,
        kv_heads=8,
        head_dim=128,
        dtype_bytes=2,
    )
    assert round(parse("kivi").held_bytes(shape=llama, tokens=131_072) / (1 << 30), 2) == 3.0


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("kivi[bits=0]", "1..8"),
        ("kivi[bits=9]", "1..8"),
        ("kivi[group=12]", "multiple of 8"),
        ("kivi[residual_tokens=48]", "multiple of group"),
        ("kivi[residual_tokens=0]", "multiple of group"),
        ("kivi[tau=0]", "lies in"),
        ("kivi[tau=5/4]", "lies in"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spelling: str, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling)


def test_a_group_that_does_not_divide_the_head_dimension_is_refused() -> None:
    with pytest.raises(Mismatch, match="does not divide the head dimension 80"):
        parse("kivi").check(shape=shape(dim=80), tokens=500)


def test_bytes_under_a_share_are_those_of_the_bits_chosen_when_it_was_coded() -> None:
    """Near the edge of a share, a few more tokens would choose other bits; what is coded stays as
    it is.
    """
    method = parse("kivi[tau=1/2]")
    codec = method.codec
    assert isinstance(codec, Kivi)
    for tokens in range(64, 400, 7):
        try:
            method.check(shape=shape(), tokens=tokens)
        except Mismatch:
            continue
        k, v = kv(tokens + 90)
        cache = codec.encode(Slots.even(k[:, :tokens], v[:, :tokens]))
        cache.tail.append(k[:, tokens:], v[:, tokens:])
        cache.tail.settle()
        assert held(cache) == method.held_bytes(shape=shape(), tokens=tokens, appended=90)


def test_a_codec_is_asked_about_what_an_eviction_leaves() -> None:
    with pytest.raises(Mismatch, match="cannot be reached"):
        parse("streaming-llm[tau=1/32]+kivi[tau=1/4]").check(
            shape=shape(), tokens=1024
        )  # 32 slots are all residual
