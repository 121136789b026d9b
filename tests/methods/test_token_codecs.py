"""RTN and fp8: what a code may lose, that each token is coded by itself, and that only codes are
read.
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
from scbench.methods.compression import coded_store
from scbench.methods.compression.coded_store import CodedStore, TokenTail
from scbench.methods.compression.fp8 import FP8, from_fp8, largest_scale, to_fp8
from scbench.methods.compression.rtn import RTN
from scbench.methods.contract import Codec

CODECS = [
    "rtn",
    "rtn[bits=1]",
    "rtn[bits=3,group=8]",
    "rtn[bits=8,group=16]",
    "fp8",
    "fp8[scale_scope=head]",
    "fp8[scale_scope=tensor]",
    "turboquant",
    "turboquant[bits=1,rotation=dense]",
    "turboquant[bits=2.5]",
    "turboquant[bits=4,variant=inner-product]",
]
PER_TOKEN = [
    spelling for spelling in CODECS if "scope" not in spelling and "2.5" not in spelling
]  # the others freeze something first


def codec_of(spelling: str) -> Codec:
    codec = parse(spelling).codec
    assert codec is not None
    return codec


def edge_of(spelling: str) -> float:
    """How far two ways to decode may be apart: a matrix product rounds by the number of its
    rows.
    """
    return 2e-5 if "dense" in spelling or "inner" in spelling else 0.0


def kv(
    slots: int, *, heads: int = 2, dim: int = 32, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    k = torch.randn(heads, slots, dim, generator=generator) * torch.linspace(0.1, 9, dim)
    return k.to(dtype), torch.randn(heads, slots, dim, generator=generator).to(dtype)


def shape(dim: int = 32, dtype_bytes: int = 4) -> CacheShape:
    return CacheShape.even(
        layers=1,
        attention_layers=(0,),
        query_heads=4,
        kv_heads=2,
        head_dim=dim,
        dtype_bytes=dtype_bytes,
    )


def decoded(cache: LayerCache) -> tuple[torch.Tensor, torch.Tensor]:
    """K and V as attention sees them, in the original basis."""
    pieces = []
    for holder in (*cache.stores, cache.tail):
        assert isinstance(holder, CodedStore | TokenTail)
        if holder.keys:
            slots = holder.slots if isinstance(holder, TokenTail) else holder.positions_HS.shape[1]
            k, v = holder.coders.block(holder.keys, holder.values, 0, slots, torch.float32)
            pieces.append((holder.coders.keys.turn_back(k), holder.coders.values.turn_back(v)))
    return torch.cat([k for k, _ in pieces], dim=1), torch.cat([v for _, v in pieces], dim=1)


def grown(
    codec: Codec, k: torch.Tensor, v: torch.Tensor, before: int, pieces: list[int]
) -> LayerCache:
    cache = codec.encode(Slots.even(k[:, :before], v[:, :before]))
    at = before
    for piece in pieces:
        cache.tail.append(k[:, at : at + piece], v[:, at : at + piece])
        cache.tail.settle()
        at += piece
    return cache


@settings(deadline=None, max_examples=40)
@given(bits=st.integers(1, 8), group=st.sampled_from([8, 16, 32]), seed=st.integers(0, 999))
def test_rtn_is_off_by_half_a_step_of_its_group_at_most(bits: int, group: int, seed: int) -> None:
    k, v = kv(20, seed=seed)
    for ours, x in zip(
        decoded(RTN(bits=bits, group=group).encode(Slots.even(k, v))), (k, v), strict=True
    ):
        groups = x.view(2, 20, -1, group)
        step = (groups.amax(-1) - groups.amin(-1)) / (2**bits - 1)
        slack = 2.0**-10 * groups.abs().amax(-1) * 2 + 1e-6  # s and m are held in 16 bits
        assert bool(((ours - x).view_as(groups).abs().amax(-1) <= step / 2 + slack).all())


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 999), size=st.floats(1e-4, 1e4))
def test_fp8_is_off_by_a_sixteenth_for_normal_numbers(seed: int, size: float) -> None:
    x = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(seed)) * size
    scale = largest_scale(x, (2,))
    ours = from_fp8(to_fp8(x, scale), scale, torch.float32)
    is_normal = x.abs() >= scale.float() * 2.0**-6
    assert bool((((ours - x).abs() / x.abs())[is_normal] <= 2.0**-4 + 1e-6).all())
    assert bool(((ours - x).abs() <= scale.float() * 2.0**-10 * 1.001)[~is_normal].all())


def test_fp8_keeps_zeros_and_saturates_beyond_a_frozen_scale() -> None:
    k, v = torch.zeros(2, 4, 32), torch.ones(2, 4, 32)
    cache = FP8(scale_scope="tensor").encode(Slots.even(k, v))
    ours_k, ours_v = decoded(cache)
    assert torch.equal(ours_k, k)
    torch.testing.assert_close(ours_v, v, rtol=2**-4, atol=0)
    cache.tail.append(torch.zeros(2, 1, 32), torch.full((2, 1, 32), 1e30))
    assert bool(torch.isfinite(decoded(cache)[1]).all())
    torch.testing.assert_close(decoded(cache)[1][:, 4:], torch.ones(2, 1, 32), rtol=2**-4, atol=0)


def test_fp8_scales_have_the_scope_asked_for() -> None:
    k, v = kv(5)
    k[1] *= 100
    scales = {
        scope: codec_of(f"fp8[scale_scope={scope}]")
        .encode(Slots.even(k, v))
        .stores[0]
        .tensors()["k_scale"]
        for scope in ("token", "head", "tensor")
    }
    assert {scope: tuple(scale.shape) for scope, scale in scales.items()} == {
        "token": (2, 5, 1),
        "head": (2, 1, 1),
        "tensor": (1, 1, 1),
    }
    assert float(scales["head"][1]) > 50 * float(scales["head"][0])


@pytest.mark.parametrize("spelling", CODECS)
@settings(deadline=None, max_examples=10)
@given(before=st.integers(1, 40), pieces=st.lists(st.integers(1, 9), max_size=5))
def test_growing_in_any_pieces_gives_the_codes_of_one_piece(
    spelling: str, before: int, pieces: list[int]
) -> None:
    codec, (k, v) = codec_of(spelling), kv(before + sum(pieces))
    ours = grown(codec, k, v, before, pieces)
    at_once = (
        codec.encode(Slots.even(k, v))
        if spelling in PER_TOKEN
        else grown(codec, k, v, before, [sum(pieces)] if pieces else [])
    )
    for one, other in zip(decoded(ours), decoded(at_once), strict=True):
        torch.testing.assert_close(one, other, atol=edge_of(spelling), rtol=0)
    held = [x for holder in (*ours.stores, ours.tail) for x in holder.tensors().values()]
    assert sum(x.numel() * x.element_size() for x in held) == codec.coded_bytes(
        shape=shape().alike, slots=k.shape[1]
    )


@pytest.mark.parametrize("spelling", CODECS)
@pytest.mark.parametrize("tokens", [1, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_that_over_what_the_codes_say(
    spelling: str, tokens: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coded_store, "BLOCK_SLOTS", 16)  # several blocks
    k, v = kv(50 + tokens, dtype=dtype)
    cache = grown(codec_of(spelling), k, v, 40, [10])
    cache.tail.append(k[:, 50:], v[:, 50:])
    q = torch.randn(2, 3, tokens, 32, generator=torch.Generator().manual_seed(5)).to(dtype)
    out, lse = merge(
        [holder.attend(q, scale=0.1).partial for holder in (*cache.stores, cache.tail)]
    )
    mask = reference.causal_mask(tokens, 50 + tokens)
    wanted, wanted_lse = reference.attend(
        q, *(x.to(dtype) for x in decoded(cache)), scale=0.1, mask_TS=mask
    )
    tolerance = 1e-4 if dtype == torch.float32 else 4e-2
    torch.testing.assert_close(out, wanted, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(lse, wanted_lse, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("spelling", PER_TOKEN)
def test_the_code_of_a_token_does_not_depend_on_the_tokens_around_it(spelling: str) -> None:
    codec, (k, v) = codec_of(spelling), kv(12)
    alone = decoded(codec.encode(Slots.even(k[:, 3:4], v[:, 3:4])))
    k[:, 4:] *= 50
    among = decoded(codec.encode(Slots.even(k, v)))
    for one, other in zip(alone, among, strict=True):
        torch.testing.assert_close(one[:, 0], other[:, 3], atol=edge_of(spelling), rtol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("spelling", CODECS)
def test_what_is_not_finite_is_refused_in_the_context_and_after_it(
    spelling: str, bad: float
) -> None:
    k, v = kv(8)
    cache = codec_of(spelling).encode(Slots.even(k, v))
    v = v.clone()
    v[1, 3, 5] = bad
    with pytest.raises(Mismatch, match="not finite"):
        codec_of(spelling).encode(Slots.even(k, v))
    with pytest.raises(Mismatch, match="not finite"):
        cache.tail.append(k, v)


@pytest.mark.parametrize("spelling", CODECS)
def test_a_forked_tail_grows_on_its_own(spelling: str) -> None:
    k, v = kv(20)
    cache = grown(codec_of(spelling), k, v, 8, [4])
    before = decoded(cache)
    child = cache.tail.fork()
    child.append(k[:, 12:], v[:, 12:])
    assert (child.slots, cache.tail.slots) == (12, 4)
    assert torch.equal(decoded(cache)[0], before[0])


@pytest.mark.parametrize(
    ("tau", "dim", "bits"),
    [
        ("1/8", 128, None),
        ("1/7", 128, 2),
        ("1/4", 128, 3),
        ("1/2", 128, 8),
        ("1/2", 32, 4),
        ("1", 32, 8),
    ],
)
def test_rtn_takes_the_most_bits_a_share_allows(tau: str, dim: int, bits: int | None) -> None:
    codec = codec_of(f"rtn[tau={tau}]")
    if bits is None:
        with pytest.raises(Mismatch, match=r"use tau=0\.134"):
            codec.at(shape=shape(dim).alike, tokens=100)
        codec_of("rtn[tau=0.134]").at(shape=shape(dim).alike, tokens=100)
    else:
        fitted = codec.at(shape=shape(dim).alike, tokens=100)
        assert isinstance(fitted, RTN)
        assert fitted.bits == bits
        real = fitted.coded_bytes(shape=shape(dim, 2).alike, slots=100) / (4 * 2 * dim * 100)
        assert real <= 1.05 * float(eval(tau))


@pytest.mark.parametrize(("dim", "fits"), [(128, True), (64, True), (32, False), (16, False)])
def test_fp8_fits_half_where_heads_are_wide_enough(dim: int, fits: bool) -> None:
    codec = codec_of("fp8[tau=1/2]")
    if fits:
        codec.check(shape=shape(dim), tokens=100)
    else:
        with pytest.raises(Mismatch, match=r"use tau=0\.5"):
            codec.check(shape=shape(dim), tokens=100)
    with pytest.raises(Mismatch, match="cannot be reached"):
        codec_of("fp8[tau=1/4]").check(shape=shape(dim), tokens=100)


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("rtn[bits=9]", "1..8"),
        ("rtn[group=12]", "multiple of 8"),
        ("rtn[tau=2]", "lies in"),
        ("fp8[tau=2]", "lies in"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spelling: str, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling)


def test_a_group_that_does_not_divide_the_head_dimension_is_refused() -> None:
    with pytest.raises(Mismatch, match="do not divide the head dimension 80"):
        parse("rtn[group=32]").check(shape=shape(80), tokens=50)
    parse("rtn").check(shape=shape(80), tokens=50)
