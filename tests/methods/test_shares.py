"""No loading reads, and no codec holds, more than the share it was given (P24 of the
specification).
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.methods import parse
from scbench.methods.loading.exact_topk import ExactTopK
from scbench.methods.loading.quest import Quest
from scbench.methods.loading.retrieval_attention import RetrievalAttention
from scbench.methods.loading.retroinfer import RetroInfer

SWEEP = ["1/32", "1/16", "1/8", "1/4", "1/2"]
SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=64, dtype_bytes=2
)


def read_tokens(loading: object, tokens: int) -> int:
    match loading:
        case ExactTopK():
            return loading.budget(tokens)
        case Quest():
            page, pages = loading.sizes(tokens)
            return page * pages
        case RetrievalAttention():
            return sum(loading.sizes(tokens))
        case RetroInfer():
            plan = loading.plan(tokens)
            assert plan.read_tokens is not None
            return (
                plan.sink
                + plan.recent
                + max(plan.read_tokens, plan.retrieved * plan.cluster_tokens)
            )
    raise AssertionError(loading)


@pytest.mark.parametrize("name", ["exact-topk", "quest", "retrieval-attention", "retroinfer"])
@pytest.mark.parametrize("tau", SWEEP)
@pytest.mark.parametrize("tokens", [700, 1024, 2048, 2049, 4095, 131_072])
def test_a_loading_reads_no_more_than_its_share_or_refuses(
    name: str, tau: str, tokens: int
) -> None:
    method = parse(f"{name}[tau={tau}]")
    budget = int(Fraction(tau) * tokens + Fraction(1, 2))
    try:
        method.check(shape=SHAPE, tokens=tokens)
    except Mismatch:
        assert budget < 32
        return
    assert read_tokens(method.loading, tokens) <= budget


@pytest.mark.parametrize("name", ["exact-topk", "quest", "retrieval-attention", "retroinfer"])
@pytest.mark.parametrize("tokens", [100, 333, 1024])
def test_the_share_a_refusal_names_is_the_smallest_that_is_taken(name: str, tokens: int) -> None:
    smallest = parse(name).loading.minimum_tokens  # type: ignore[attr-defined]
    least = (smallest - Fraction(1, 2)) / tokens
    parse(f"{name}[tau={least}]").check(shape=SHAPE, tokens=tokens)
    below = least - Fraction(1, 10**6)
    if int(below * tokens + Fraction(1, 2)) < 1:
        return
    with pytest.raises(Mismatch, match=f"tau={least}"):
        parse(f"{name}[tau={below}]").check(shape=SHAPE, tokens=tokens)


@pytest.mark.parametrize(
    "name", ["rtn", "rtn[group=32]", "fp8", "turboquant", "turboquant[variant=inner-product]"]
)
@pytest.mark.parametrize("tau", [*SWEEP, "1"])
@pytest.mark.parametrize("dim", [32, 64, 128])
def test_a_codec_holds_no_more_than_its_share_and_a_twentieth_or_refuses(
    name: str, tau: str, dim: int
) -> None:
    bracket = name.rstrip("]") + ("," if "[" in name else "[")
    codec = parse(f"{bracket}tau={tau}]").codec
    assert codec is not None
    shape = CacheShape.even(
        layers=1, attention_layers=(0,), query_heads=4, kv_heads=2, head_dim=dim, dtype_bytes=2
    )
    try:
        fitted = codec.at(shape=shape.alike, tokens=500)
        codec.check(shape=shape, tokens=500)
    except Mismatch as refusal:
        least = str(refusal).split("use tau=")[1].split()[0]
        parse(f"{bracket}tau={least}]").check(shape=shape, tokens=500)
        assert Fraction(least) > Fraction(tau)
        return
    assert (
        fitted.coded_bytes(shape=shape.alike, slots=500)
        <= Fraction(105, 100) * Fraction(tau) * 4 * 2 * dim * 500
    )
