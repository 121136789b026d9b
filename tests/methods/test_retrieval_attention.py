"""RetrievalAttention: two ends and what is found between them; what a graph misses is told."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch, MissingExtra
from scbench.exam.laws import examine
from scbench.kernels import reference
from scbench.kv import CacheShape, DenseStore, SelectedStore
from scbench.methods import parse
from scbench.methods.loading import retrieval_attention_graph
from scbench.methods.loading.retrieval_attention import RetrievalAttention, SearchDigest, recall

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)
needs_faiss = pytest.mark.skipif(
    importlib.util.find_spec("faiss") is None, reason="faiss-cpu (extra ann) is not installed"
)


def base(slots: int = 90, seed: int = 0) -> DenseStore:
    generator = torch.Generator().manual_seed(seed)
    return DenseStore(*(torch.randn(2, slots, 8, generator=generator) for _ in range(2)))


def queries(tokens: int = 3, seed: int = 9) -> torch.Tensor:
    return torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


def searched(store: DenseStore, **given: object) -> SelectedStore:
    loading = RetrievalAttention(**given)  # type: ignore[arg-type]
    digest = loading.digest(store.slots, layer=0)
    assert digest is not None
    return SelectedStore(store, digest)


@pytest.mark.parametrize(
    ("tokens", "tau", "wanted"),
    [
        (131_072, "1/32", (128, 512, 3456)),
        (4096, "1/32", (4, 16, 108)),
        (2048, "1/32", (4, 8, 52)),
        (1024, "1/8", (4, 16, 108)),
    ],
)
def test_a_share_maps_to_the_sizes_of_the_specification(
    tokens: int, tau: str, wanted: tuple[int, int, int]
) -> None:
    loading = parse(f"retrieval-attention[tau={tau}]").loading
    assert isinstance(loading, RetrievalAttention)
    assert loading.sizes(tokens) == wanted


@settings(deadline=None, max_examples=40)
@given(
    static=st.integers(0, 20),
    recent=st.integers(0, 20),
    k=st.integers(1, 49),
    seed=st.integers(0, 99),
)
def test_the_parts_merge_to_attention_over_their_union(
    static: int, recent: int, k: int, seed: int
) -> None:
    held, q = base(seed=seed), queries(seed=seed + 1)
    store = searched(held, static_tokens=static, recent_tokens=recent, top_tokens=k)
    mask = torch.zeros(2, 2, 3, 90, dtype=torch.bool)
    mask[..., :static], mask[..., 90 - recent :] = True, True
    scores = torch.einsum("hgtd,hsd->hgts", q, held.k_HSD).masked_fill(mask, float("-inf"))
    mask.scatter_(3, scores.topk(k, dim=-1).indices, True)
    assert bool((mask.sum(-1) == static + recent + k).all())
    out, lse = reference.attend(q, held.k_HSD, held.v_HSD, scale=0.4, mask_TS=mask)
    got = store.attend(q, scale=0.4)
    torch.testing.assert_close(got.partial.out, out, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.partial.lse, lse, atol=1e-5, rtol=1e-5)


def test_what_is_loaded_is_the_ends_all_keys_between_and_the_values_found() -> None:
    store, q = searched(base(), static_tokens=4, recent_tokens=6, top_tokens=5), queries()
    assert isinstance(store.digest, SearchDigest)
    slots, loaded = store.digest.best(q), store.attend(q, scale=1.0).loaded_bytes
    assert isinstance(loaded, list)
    for token, loaded_bytes in enumerate(loaded):
        different = sum(len(set(slots[head, :, token].flatten().tolist())) for head in range(2))
        assert loaded_bytes == 32 * (2 * 2 * 10 + 2 * 80 + different)


def test_a_budget_of_everything_is_the_dense_read() -> None:
    held, q = base(), queries()
    store = searched(held, budget_tokens=90)
    assert torch.equal(
        store.attend(q, scale=1.0).partial.out, held.attend(q, scale=1.0).partial.out
    )
    assert recall(store, q) == 1.0


def test_an_exact_search_finds_all() -> None:
    assert (
        recall(searched(base(), static_tokens=4, recent_tokens=4, top_tokens=9), queries()) == 1.0
    )


def test_recall_is_not_asked_of_a_store_that_searches_nothing() -> None:
    with pytest.raises(Mismatch, match="searches nothing"):
        recall(base(), queries())


def test_budgets_that_cannot_be_are_refused() -> None:
    with pytest.raises(Mismatch, match="tau=31/2048"):
        parse("retrieval-attention[tau=1/100]").check(shape=SHAPE, tokens=1024)
    with pytest.raises(Mismatch, match="all 2 attention layers"):
        parse("retrieval-attention[from_layer=2]").check(shape=SHAPE, tokens=1024)
    with pytest.raises(Mismatch, match="at least 0"):
        parse("retrieval-attention[static_tokens=-1]")


def test_a_graph_without_its_package_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrieval_attention_graph.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"scbench\[ann\]"):
        parse("retrieval-attention[search=hnsw]").check(shape=SHAPE, tokens=1024)
    parse("retrieval-attention").check(shape=SHAPE, tokens=1024)


@needs_faiss
def test_a_graph_finds_most_and_with_breadth_all() -> None:
    held, q = base(2000), queries(8)
    narrow = recall(searched(held, top_tokens=50, search="hnsw", links=4, breadth=1), q)
    broad = recall(searched(held, top_tokens=50, search="hnsw", links=32, breadth=1500), q)
    assert 0.5 < narrow < broad
    assert broad > 0.99


@needs_faiss
def test_a_graph_looks_at_part_of_the_keys_and_says_how_many_bytes() -> None:
    held, q = base(4000), queries(1)
    loaded = {}
    for search in ("exact", "hnsw"):
        loaded[search] = (
            searched(
                held, static_tokens=8, recent_tokens=8, top_tokens=10, search=search, breadth=16
            )
            .attend(q, scale=1.0)
            .loaded_bytes[0]
        )  # type: ignore[index]
    assert 0 < loaded["hnsw"] < loaded["exact"] / 2


@needs_faiss
@pytest.mark.parametrize("links", [4, 32])
def test_the_bytes_of_a_graph_are_the_closed_form(links: int) -> None:
    loading = RetrievalAttention(top_tokens=10, search="hnsw", links=links)
    digest = loading.digest(base(1500).slots, layer=0)
    assert digest is not None
    held = sum(x.numel() * x.element_size() for x in digest.tensors().values())
    assert held == loading.index_bytes(shape=SHAPE, slots=1500, layer=0)
    assert held / (2 * (1500 - 640)) == pytest.approx(
        4 * 8 + 8 * links + 12, rel=0.1
    )  # the rule of thumb: 8 bytes a link and level 0


@needs_faiss
def test_the_same_keys_give_the_same_graph() -> None:
    one, other = (searched(base(1500), top_tokens=10, search="hnsw") for _ in range(2))
    for name, x in one.digest.tensors().items():
        assert torch.equal(x, other.digest.tensors()[name]), name


@needs_faiss
@pytest.mark.parametrize(
    "heads", ["gqa", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("mha", "mqa"))]
)
def test_every_law_holds_with_a_graph(heads: str) -> None:
    found = examine(tiny(heads), parse("retrieval-attention[tau=1/4,search=hnsw]"))
    assert not [verdict for verdict in found.values() if verdict.startswith("broken")]
