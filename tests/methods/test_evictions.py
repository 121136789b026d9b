"""SnapKV and StreamingLLM keep exactly the slots their papers say; budgets mean what they say."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.kv import CacheShape, DenseStore, LayerView, Observed, RaggedStore, Slots, Snapshot
from scbench.methods import parse
from scbench.methods.compression.snapkv import SnapKV
from scbench.methods.compression.streaming_llm import StreamingLLM
from scbench.methods.contract import Budgeted, Eviction, smallest_share, top_slots
from scbench.methods.fork import NOT_BINDING, fork
from scbench.methods.generation.a_shape import AShape
from scbench.methods.loading.quest import Quest
from scbench.methods.method import Method

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)
engine = cache(tiny)


def view(
    tokens: int, *, heads: int = 2, group: int = 2, dim: int = 8, rows: int = 64, seed: int = 0
) -> LayerView:
    generator = torch.Generator().manual_seed(seed)
    k, v = (torch.randn(heads, tokens, dim, generator=generator) for _ in range(2))
    window = torch.randn(heads, group, min(rows, tokens), dim, generator=generator)
    return LayerView(0, 1, Slots.even(k, v), Observed(window_HGWD=window), 0.4)


def slow_snapkv(
    seen: LayerView, *, budget: int, window: int, kernel: int, pooling: str
) -> list[list[int]]:
    """The paper, one number at a time."""
    heads, tokens, _ = seen.k_HSD.shape
    assert seen.observed.window_HGWD is not None
    queries = seen.observed.window_HGWD[:, :, -window:]
    kept = []
    for head in range(heads):
        votes = [0.0] * (tokens - window)
        for member in range(queries.shape[1]):
            sums = [0.0] * (tokens - window)
            for row in range(window):
                at = tokens - window + row
                scores = [
                    float(queries[head, member, row] @ seen.k_HSD[head, j]) * seen.scale
                    for j in range(at + 1)
                ]
                top = max(scores)
                weights = [math.exp(score - top) for score in scores]
                for j in range(tokens - window):
                    sums[j] += weights[j] / sum(weights)
            for j in range(tokens - window):
                near = [
                    sums[i] if 0 <= i < len(sums) else None
                    for i in range(j - kernel // 2, j + kernel // 2 + 1)
                ]
                inside = [x for x in near if x is not None]
                votes[j] += (
                    sum(inside) / kernel if pooling == "avg" else max(inside)
                ) / queries.shape[1]
        best = sorted(range(len(votes)), key=lambda j: (-votes[j], j))[: budget - window]
        kept.append(sorted(best) + list(range(tokens - window, tokens)))
    return kept


@settings(deadline=None, max_examples=12)
@given(
    tokens=st.integers(20, 40),
    budget=st.integers(8, 19),
    window=st.integers(1, 9),
    kernel=st.sampled_from([1, 3, 5]),
    pooling=st.sampled_from(["avg", "max"]),
    seed=st.integers(0, 999),
)
def test_snapkv_keeps_what_the_paper_keeps(
    tokens: int, budget: int, window: int, kernel: int, pooling: str, seed: int
) -> None:
    method = SnapKV(budget_tokens=budget, window_tokens=window, kernel=kernel, pooling=pooling)  # type: ignore[arg-type]
    seen = view(tokens, seed=seed)
    kept = [slots.tolist() for slots in method.keep(seen)]
    wanted = slow_snapkv(
        seen, budget=budget, window=min(window, budget // 2), kernel=kernel, pooling=pooling
    )
    for ours, theirs in zip(kept, wanted, strict=True):
        assert len(ours) == budget
        assert ours == sorted(set(ours))
        if (
            pooling == "avg"
        ):  # max pooling makes ties of equal floats in both; rounding may tell sums of votes apart
            assert ours == theirs
        else:
            assert len(set(ours) & set(theirs)) >= budget - 1


def test_the_window_that_votes_is_always_kept() -> None:
    for budget in (8, 11, 40, 64):
        method = SnapKV(budget_tokens=budget)
        window = method.window(300)
        for slots in method.keep(view(300)):
            assert slots[-window:].tolist() == list(range(300 - window, 300))


def test_equal_votes_keep_the_lowest_slots() -> None:
    seen = view(40)
    zero = LayerView(
        0,
        1,
        Slots.even(torch.zeros_like(seen.k_HSD), seen.v_HSD),
        Observed(window_HGWD=torch.zeros(2, 2, 40, 8)),
        0.4,
    )
    for slots in SnapKV(budget_tokens=12, kernel=1, window_tokens=4).keep(zero):
        assert slots.tolist() == [*range(8), *range(36, 40)]
    assert top_slots(torch.tensor([[1.0, 3.0, 3.0, 3.0, 1.0]]), 2).tolist() == [[1, 2]]


def test_one_query_head_per_kv_head_votes_as_each_would_alone() -> None:
    seen = view(50, heads=3, group=1)
    assert seen.observed.window_HGWD is not None
    together = SnapKV(budget_tokens=16).keep(seen)
    for head in range(3):
        one = slice(head, head + 1)
        alone = LayerView(
            0,
            1,
            Slots.even(seen.k_HSD[one], seen.v_HSD[one]),
            Observed(window_HGWD=seen.observed.window_HGWD[one]),
            0.4,
        )
        assert torch.equal(SnapKV(budget_tokens=16).keep(alone)[0], together[head])


def test_a_read_in_chunks_observes_the_same_window() -> None:
    local = engine("gqa")
    ids = [(at * 7) % 90 + 33 for at in range(150)]
    whole = local.read(ids, needs={"window"})
    before, local.read_chunk_tokens = local.read_chunk_tokens, 41
    try:
        pieces = local.read(ids, needs={"window"})
        on_top = local.read(
            ids[130:], needs={"window"}, base=local.read(ids[:130], needs={"window"})
        )
    finally:
        local.read_chunk_tokens = before
    for layer, seen in whole.observed.items():
        assert seen.window_HGWD is not None
        assert seen.window_HGWD.shape[2] == 64
        for other in (pieces, on_top):
            window = other.observed[layer].window_HGWD
            assert window is not None
            torch.testing.assert_close(window, seen.window_HGWD, atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    tokens=st.integers(1, 200),
    sink=st.integers(0, 60),
    recent=st.integers(1, 60),
    seed=st.integers(0, 9),
)
def test_streaming_llm_keeps_the_first_and_the_last_whatever_they_are(
    tokens: int, sink: int, recent: int, seed: int
) -> None:
    kept = StreamingLLM(sink_tokens=sink, recent_tokens=recent).keep(view(tokens, seed=seed))
    wanted = [at for at in range(tokens) if at < sink or at >= tokens - recent]
    assert [slots.tolist() for slots in kept] == [wanted, wanted]


TABLE = [  # T, tau, (sink, recent), (snapkv window, prefix), (quest page, pages): spec 6.3
    (131_072, "1/32", (128, 3_968), (32, 4_064), (16, 256)),
    (4_096, "1/32", (4, 124), (16, 112), (8, 16)),
    (2_048, "1/32", (4, 60), (8, 56), (4, 16)),
    (1_024, "1/8", (4, 124), (16, 112), (8, 16)),
]


@pytest.mark.parametrize(("tokens", "tau", "streaming", "snapkv", "quest"), TABLE)
def test_a_share_maps_to_the_parameters_of_the_table(
    tokens: int,
    tau: str,
    streaming: tuple[int, int],
    snapkv: tuple[int, int],
    quest: tuple[int, int],
) -> None:
    share = Fraction(tau)
    assert StreamingLLM(tau=share).sizes(tokens) == streaming
    assert AShape(tau=share).sizes(tokens) == streaming
    voting = SnapKV(tau=share)
    assert (voting.window(tokens), voting.budget(tokens) - voting.window(tokens)) == snapkv
    assert Quest(tau=share).sizes(tokens) == quest


@settings(deadline=None, max_examples=100)
@given(numerator=st.integers(1, 64), tokens=st.integers(1, 200_000))
def test_a_budget_is_the_share_rounded_half_up_and_exactly(numerator: int, tokens: int) -> None:
    budget = SnapKV(tau=Fraction(numerator, 64)).budget(tokens)
    assert budget == (2 * numerator * tokens + 64) // 128


@pytest.mark.parametrize("tau", ["1/32", "1/16", "1/8", "1/4", "1/2"])
@pytest.mark.parametrize("name", ["streaming-llm", "snapkv", "a-shape", "quest"])
def test_the_realised_share_is_never_above_the_one_asked_for(name: str, tau: str) -> None:
    share = Fraction(tau)
    for tokens in range(512, 9000, 331):
        stage = parse(f"{name}[tau={tau}]")
        if name == "quest":
            page, pages = Quest(tau=share).sizes(tokens)
            realised = page * pages
        elif name == "a-shape":
            realised = sum(AShape(tau=share).sizes(tokens))
        else:
            assert stage.eviction is not None
            realised = stage.eviction.kept_slots(layer=0, layers=1, tokens=tokens)
        assert realised <= share * tokens + Fraction(1, 2)


@pytest.mark.parametrize(
    ("name", "minimum"), [("streaming-llm", 8), ("snapkv", 8), ("a-shape", 8), ("quest", 16)]
)
@pytest.mark.parametrize("tokens", [20, 100, 1023, 8192])
def test_a_share_below_the_minimum_is_refused_and_the_smallest_that_is_not_is_named(
    name: str, minimum: int, tokens: int
) -> None:
    least = smallest_share(minimum, tokens)
    parse(f"{name}[tau={least}]").check(shape=SHAPE, tokens=tokens)
    with pytest.raises(Mismatch, match=f"tau={least}"):
        parse(f"{name}[tau={least - Fraction(1, 10**6)}]").check(shape=SHAPE, tokens=tokens)
    with pytest.raises(Mismatch):
        parse(f"{name}[budget_tokens={minimum - 1}]").check(shape=SHAPE, tokens=tokens)


@pytest.mark.parametrize("name", ["streaming-llm", "snapkv", "a-shape", "quest"])
def test_a_context_shorter_than_the_minimum_may_be_kept_whole(name: str) -> None:
    parse(f"{name}[tau=1]").check(shape=SHAPE, tokens=5)
    with pytest.raises(Mismatch, match="tau=9/10"):
        parse(f"{name}[tau=1/2]").check(shape=SHAPE, tokens=5)


@pytest.mark.parametrize("name", ["streaming-llm", "snapkv", "a-shape", "quest"])
@pytest.mark.parametrize("params", ["tau=0", "tau=-1/2", "tau=33/32", "tau=1/2,budget_tokens=64"])
def test_shares_outside_0_to_1_and_two_budgets_are_refused(name: str, params: str) -> None:
    with pytest.raises(Mismatch):
        parse(f"{name}[{params}]")


def test_snapkv_refuses_what_it_cannot_pool_or_observe() -> None:
    for params in ("kernel=4", "kernel=0", "window_tokens=0", "window_tokens=65"):
        with pytest.raises(Mismatch):
            parse(f"snapkv[{params}]")


# -- fork ------------------------------------------------------------------------------------------


class Ragged(Eviction):
    """Head h keeps h + 2 slots; the first layer keeps everything."""

    def own_tokens(self) -> int:
        return 2

    def keep(self, seen: LayerView) -> list[torch.Tensor]:
        if seen.index == 0:
            return [torch.arange(seen.tokens)] * seen.k_HSD.shape[0]
        return [torch.arange(head + 2) for head in range(seen.k_HSD.shape[0])]


def read() -> Snapshot:
    return engine("gqa").read([(at * 7) % 90 + 33 for at in range(100)], needs={"window"})


def test_a_budget_that_keeps_everything_is_noted_and_copies_nothing() -> None:
    snapshot = read()
    stream = fork(snapshot, parse("snapkv[budget_tokens=100]"))
    assert NOT_BINDING in stream.notes
    assert stream.layers[0].stores == snapshot.layers[0]
    assert NOT_BINDING not in fork(snapshot, parse("snapkv[tau=1/2]")).notes


def test_what_is_kept_is_a_copy_so_the_rest_can_be_freed() -> None:
    snapshot = read()
    stream = fork(snapshot, parse("snapkv[tau=1/2]"))
    for store in stream.stores():
        assert isinstance(store, DenseStore)
        assert store.k_HSD.untyped_storage().nbytes() == store.k_HSD.numel() * 4
    snapshot.release()
    assert stream.stored_tokens(snapshot.shape) == 50


def test_heads_may_keep_different_numbers_and_a_layer_may_keep_all() -> None:
    snapshot = read()
    stream = fork(snapshot, Method(compression=(Ragged(),)))
    assert stream.layers[0].stores == snapshot.layers[0]  # its budget does not bind
    assert isinstance(stream.layers[1].stores[0], RaggedStore)
    assert [len(stream.positions(1, head)) for head in (0, 1)] == [2, 3]


def test_ragged_heads_under_codes_hold_what_each_head_keeps() -> None:
    """Whether or not an eviction says of itself that its heads are uneven."""
    method = Method(compression=(Ragged(), *parse("rtn[group=8]").compression))
    stream = fork(read(), method)
    assert [len(stream.positions(1, head)) for head in (0, 1)] == [2, 3]


def test_ragged_heads_under_a_selection_are_refused() -> None:
    with pytest.raises(Mismatch, match="ragged"):
        fork(read(), Method(compression=(Ragged(),), loading=parse("quest").loading))


def test_stages_of_compression_have_one_order() -> None:
    assert str(parse("kivi+snapkv")) == str(parse("snapkv+kivi")) == "snapkv+kivi"


@pytest.mark.parametrize(("tokens", "budget"), [(1, 1), (1024, 32), (131_072, 4096)])
def test_no_budget_at_all_means_one_of_32_tokens(tokens: int, budget: int) -> None:
    assert Budgeted().budget(tokens) == budget
