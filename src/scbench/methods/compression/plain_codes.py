"""How far numbers may be off once they were coded, worked out from the definitions of codes."""

from __future__ import annotations

import math
from typing import Any

from scbench.kv import LayerCache, Slots
from scbench.methods.invariants import Check, Decoded, Trial, codec_slots, decoded, misses
from scbench.tensors import Tensor, torch

HEADS, CONTEXT, DIM = 2, 200, 64
APPENDED = (17, 1, 42)
# Least mean squared error of b bits for one coordinate of a random direction (TurboQuant).
DISTORTION = {1: 0.363, 2: 0.1175, 3: 0.0345, 4: 0.0095, 5: 0.0025, 6: 6.6e-4, 7: 1.7e-4, 8: 4.4e-5}


def coded(codec: Any) -> tuple[LayerCache, Decoded]:
    """A layer's cache under a codec: a context, and some forwards after it; and what was coded."""
    true = codec_slots(HEADS, CONTEXT + sum(APPENDED), DIM)
    k_HSD, v_HSD = true
    cache: LayerCache = codec.encode(Slots.even(k_HSD[:, :CONTEXT], v_HSD[:, :CONTEXT]))
    at = CONTEXT
    for tokens in APPENDED:
        cache.tail.append(k_HSD[:, at : at + tokens], v_HSD[:, at : at + tokens])
        cache.tail.settle()
        at += tokens
    return cache, true


def come_back_within(codec: Any, bounds: Any) -> Check:
    """A check that numbers come back within `bounds(x_HSD, is_key)` of what they were."""

    def check(trial: Trial) -> str | None:
        cache, true = coded(codec)
        allowed = Decoded(bounds(true.k_HSD, True), bounds(true.v_HSD, False))
        return misses(decoded(cache, true.k_HSD), true, allowed)

    return check


def half_steps(groups: Tensor, bits: int) -> Tensor:
    """Half a step of each group (last axis), and what 16-bit scales and minima are off."""
    low, high = groups.amin(dim=-1, keepdim=True), groups.amax(dim=-1, keepdim=True)
    most = torch.maximum(low.abs(), high.abs())
    bound: Tensor = (high - low) / (2**bits - 1) / 2 + (high - low + most) * 2**-9
    return bound.expand_as(groups)


def token_steps(x_HSD: Tensor, bits: int, group: int) -> Tensor:
    """Bounds where a group is some channels of one token."""
    heads, slots, dim = x_HSD.shape
    return half_steps(x_HSD.reshape(heads, slots, dim // group, group), bits).reshape(x_HSD.shape)


def channel_steps(x_HSD: Tensor, bits: int, group: int) -> Tensor:
    """Bounds where a group is some tokens of one channel; tokens in no whole group are exact."""
    heads, slots, dim = x_HSD.shape
    whole = slots // group * group
    groups = x_HSD[:, :whole].reshape(heads, -1, group, dim).transpose(2, 3)
    bound = torch.zeros_like(x_HSD)
    bound[:, :whole] = half_steps(groups, bits).transpose(2, 3).reshape(heads, whole, dim)
    return bound


def fp8_steps(x_HSD: Tensor, scope: str) -> Tensor:
    """2^-4 of a number, s 2^-10 below; no bound for what a frozen scale does not reach."""
    sizes = x_HSD.abs()
    if scope == "token":
        scale = sizes.amax(dim=2, keepdim=True) / 448
    elif scope == "head":
        scale = sizes[:, :CONTEXT].amax(dim=(1, 2), keepdim=True) / 448
    else:
        scale = sizes[:, :CONTEXT].amax().view(1, 1, 1) / 448
    bound = sizes * (2**-4 + 2**-8) + scale * 2**-10
    return bound.masked_fill(sizes > 448 * scale * 1.01, math.inf)


def full_range(codec: Any) -> Check:
    """A check that the largest number of each token is written as the largest that fp8 has."""

    def check(trial: Trial) -> str | None:
        cache, _ = coded(codec)
        codes = cache.stores[0].tensors()["k_fp8"].view(torch.float8_e4m3fn).float().abs()
        short = int((codes.amax(dim=-1) < 448).sum()) if codec.scale_scope == "token" else 0
        if codec.scale_scope != "token" and float(codes.max()) < 448:
            short = 1
        return f"{short} tokens leave the upper range of fp8 unused" if short else ""

    return check


def distortion_is(codec: Any) -> Check:
    """A check that the squared error, over the squared norm, is that of the codebook's bits."""

    def check(trial: Trial) -> str | None:
        cache, true = coded(codec)
        found = decoded(cache, true.k_HSD)
        low = math.floor(codec.bits)
        for what, back, wanted in zip(("keys", "values"), found, true, strict=True):
            is_unbiased = codec.variant == "inner-product" and what == "keys"
            # The signs of what is missed, one bit of each number, leave pi / 2 of it.
            most = math.pi / 2 * DISTORTION[low - 1] if is_unbiased else DISTORTION[low]
            apart = (back - wanted.double()).pow(2).sum(dim=-1)
            share = float((apart / wanted.double().pow(2).sum(dim=-1)).mean())
            if share > 1.2 * most + 1e-5:
                return f"{what} lose {share:.4f} of their squared norm; {low} bits lose {most:.4f}"
        return ""

    return check
