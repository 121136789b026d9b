"""RetroInfer: clusters that cover every slot once, estimates that never claim too much, and reads
that stay within the budget.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kernels import reference
from scbench.kv import CacheShape, DenseStore, SelectedStore
from scbench.kv.store import nbytes
from scbench.methods import parse
from scbench.methods.loading.retroinfer import ClusterDigest, RetroInfer
from scbench.methods.loading.retroinfer_clusters import (
    clustered,
    labels_of,
    segments,
    spherical_labels,
)

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)


def base(slots: int = 300, seed: int = 0, dtype: torch.dtype = torch.float32) -> DenseStore:
    generator = torch.Generator().manual_seed(seed)
    return DenseStore(*(torch.randn(2, slots, 8, generator=generator).to(dtype) for _ in range(2)))


def queries(tokens: int = 3, seed: int = 9) -> torch.Tensor:
    return torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


def stored(store: DenseStore, **given: object) -> SelectedStore:
    digest = RetroInfer(**given).digest(store.slots, layer=0)  # type: ignore[arg-type]
    assert digest is not None
    return SelectedStore(store, digest)


def clusters_of(store: SelectedStore) -> ClusterDigest:
    assert isinstance(store.digest, ClusterDigest)
    return store.digest


def read_slots(
    selected: SelectedStore, q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    store = clusters_of(selected)
    scores = torch.einsum("hgtd,hcd->hgtc", q, store.clusters.centres_HCD)
    return store.slots_of(*store.ranked(scores))


@pytest.mark.parametrize(
    ("tokens", "tau", "steady", "retrieved", "clusters"),
    [
        (131_072, "1/32", (4, 64), 251, 8187),
        (4096, "1/32", (4, 16), 13, 509),
        (2048, "1/32", (4, 8), 13, 509),
        (1024, "1/8", (4, 16), 13, 125),
    ],
)
def test_a_share_maps_to_the_sizes_of_the_specification(
    tokens: int, tau: str, steady: tuple[int, int], retrieved: int, clusters: int
) -> None:
    loading = parse(f"retroinfer[tau={tau}]").loading
    assert isinstance(loading, RetroInfer)
    plan = loading.plan(tokens)
    assert ((plan.sink, plan.recent), plan.retrieved, plan.clusters) == (
        steady,
        retrieved,
        clusters,
    )


def test_own_parameters_are_shares_of_the_clusters() -> None:
    loading = parse("retroinfer[preset=paper]").loading
    assert isinstance(loading, RetroInfer)
    plan = loading.plan(131_072)
    assert (plan.sink, plan.recent, plan.clusters, plan.retrieved, plan.estimated) == (
        4,
        64,
        8187,
        147,
        1899,
    )


@settings(deadline=None, max_examples=60)
@given(slots=st.integers(1, 40_000), segment=st.integers(16, 9000), cluster=st.integers(1, 16))
def test_segments_cover_every_slot_and_share_out_every_cluster(
    slots: int, segment: int, cluster: int
) -> None:
    runs = segments(slots, segment, cluster)
    assert runs[0][0] == 0
    assert runs[-1][1] == slots
    assert all(one[1] == other[0] for one, other in pairwise(runs))
    assert sum(clusters for _, _, clusters in runs) == slots // cluster


@settings(deadline=None, max_examples=30)
@given(
    slots=st.integers(16, 200),
    cluster=st.integers(1, 16),
    segment=st.integers(40, 90),
    seed=st.integers(0, 99),
)
def test_clusters_hold_every_slot_once_and_their_means(
    slots: int, cluster: int, segment: int, seed: int
) -> None:
    held = base(slots, seed)
    found = clustered(held.k_HSD, held.v_HSD, cluster_tokens=cluster, segment_tokens=segment)
    assert found.centres_HCD.shape[1] == slots // cluster
    for head in range(2):
        assert sorted(found.slots_HS[head].tolist()) == list(range(slots))
        assert int(found.sizes_HC[head].sum()) == slots
        for c in range(slots // cluster):
            members = found.slots_HS[
                head, int(found.starts_HC[head, c]) : int(found.starts_HC[head, c + 1])
            ].long()
            if len(members):
                torch.testing.assert_close(
                    found.centres_HCD[head, c], held.k_HSD[head, members].mean(dim=0)
                )
                torch.testing.assert_close(
                    found.values_HCD[head, c], held.v_HSD[head, members].mean(dim=0)
                )


def test_k_means_finds_groups_that_lie_apart() -> None:
    groups = 10 * torch.eye(8)[:5].repeat_interleave(12, dim=0)
    x = groups + 0.1 * torch.randn(60, 8, generator=torch.Generator().manual_seed(3))
    labels = labels_of(x, 5).view(5, 12)
    assert bool((labels == labels[:, :1]).all())
    assert len(set(labels[:, 0].tolist())) == 5


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999))
def test_an_estimate_never_claims_more_than_its_keys_have(seed: int) -> None:
    """Jensen: n exp(q.mean(k)) <= sum exp(q.k)."""
    held, q = base(seed=seed), 2 * queries(seed=seed + 1)
    store = stored(held, retrieve=Fraction(1, 10), estimate=Fraction(1), cluster_tokens=6)
    scores = torch.einsum("hgtd,hcd->hgtc", q, clusters_of(store).clusters.centres_HCD) * 0.5
    order, taken = clusters_of(store).ranked(scores)
    estimate = clusters_of(store).estimated(scores, order, taken, torch.float32).lse
    slots, inside, _ = clusters_of(store).slots_of(order, taken)
    unread = torch.zeros(2, 2, 3, 300, dtype=torch.bool)
    unread[..., clusters_of(store).plan.sink : clusters_of(store).stop] = True
    for head in range(2):
        for token in range(3):
            unread[head, :, token, slots[head, token][inside[head, token]]] = False
    _, true = reference.attend(q, held.k_HSD, held.v_HSD, scale=0.5, mask_TS=unread)
    assert bool((estimate <= true + 1e-5).all())


def test_an_estimate_is_exact_where_the_keys_of_a_cluster_coincide() -> None:
    generator = torch.Generator().manual_seed(4)
    kinds = torch.randn(2, 10, 8, generator=generator)
    held = DenseStore(
        kinds.repeat_interleave(30, dim=1), torch.randn(2, 300, 8, generator=generator)
    )
    store = stored(
        held,
        retrieve=Fraction(1, 20),
        estimate=Fraction(1),
        cluster_tokens=5,
        sink_tokens=0,
        recent_tokens=0,
    )
    q = queries()
    torch.testing.assert_close(
        store.attend(q, scale=0.4).partial.out,
        held.attend(q, scale=0.4).partial.out,
        atol=1e-5,
        rtol=1e-5,
    )
    torch.testing.assert_close(
        store.attend(q, scale=0.4).partial.lse,
        held.attend(q, scale=0.4).partial.lse,
        atol=1e-5,
        rtol=1e-5,
    )


def test_reading_every_cluster_is_dense() -> None:
    held, q = base(), queries()
    store = stored(held, retrieve=Fraction(1), cluster_tokens=7)
    got, wanted = store.attend(q, scale=0.4).partial, held.attend(q, scale=0.4).partial
    torch.testing.assert_close(got.out, wanted.out, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.lse, wanted.lse, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=30)
@given(budget=st.integers(32, 250), seed=st.integers(0, 99))
def test_no_token_reads_more_than_its_budget_but_for_a_first_cluster_that_is_larger(
    budget: int, seed: int
) -> None:
    store = stored(base(seed=seed), budget_tokens=budget)
    q = queries(seed=seed + 1)
    slots, inside, read = read_slots(store, q)
    largest = int(clusters_of(store).clusters.sizes_HC.max())
    allowed = budget - clusters_of(store).plan.sink - clusters_of(store).plan.recent
    assert int(read.max()) <= max(allowed, largest)
    assert bool((inside.sum(-1) == read).all())
    for head in range(2):
        for token in range(3):
            chosen = slots[head, token][inside[head, token]].tolist()
            assert len(set(chosen)) == len(chosen)
            assert all(
                clusters_of(store).plan.sink <= slot < clusters_of(store).stop for slot in chosen
            )


def test_the_best_clusters_are_read_first() -> None:
    held = base()
    store, q = stored(held, budget_tokens=64), 4 * queries()
    slots, inside, _ = read_slots(store, q)
    scores = torch.softmax(
        torch.einsum("hgtd,hcd->hgtc", q, clusters_of(store).clusters.centres_HCD), dim=-1
    ).sum(dim=1)
    for head in range(2):
        for token in range(3):
            best = int(
                scores[head, token]
                .masked_fill(clusters_of(store).clusters.sizes_HC[head] == 0, -1)
                .argmax()
            )
            start, stop = (
                int(clusters_of(store).clusters.starts_HC[head, at]) for at in (best, best + 1)
            )
            members = set(
                (
                    clusters_of(store).clusters.slots_HS[head, start:stop]
                    + clusters_of(store).plan.sink
                ).tolist()
            )
            assert members <= set(slots[head, token][inside[head, token]].tolist())


def test_bytes_loaded_are_means_ends_and_the_slots_read() -> None:
    store, q = stored(base(), budget_tokens=64), queries()
    plan, row = clusters_of(store).plan, 32
    *_, read = read_slots(store, q)
    loaded = store.attend(q, scale=1.0).loaded_bytes
    assert isinstance(loaded, list)
    for token in range(3):
        fixed = 2 * (
            row * (2 * (plan.sink + plan.recent) + plan.clusters + plan.estimated)
            + 4 * (plan.clusters + 1)
        )
        assert loaded[token] == fixed + int(read[:, token].sum()) * (2 * row + 4)


@pytest.mark.parametrize("slots", [60, 300, 2100])
def test_bytes_held_are_the_closed_form(slots: int) -> None:
    loading = RetroInfer(budget_tokens=40)
    digest = loading.digest(base(slots).slots, layer=0)
    held = 0 if digest is None else nbytes(digest.tensors().values())
    assert held == loading.index_bytes(shape=SHAPE, slots=slots, layer=0)


def test_a_store_shorter_than_a_cluster_is_read_whole() -> None:
    held = base(70)
    assert RetroInfer(retrieve=Fraction(1, 10)).digest(held.slots, layer=0) is None
    assert RetroInfer(budget_tokens=70).digest(held.slots, layer=0) is None


def test_bf16_works_and_is_close() -> None:
    held, q = base(dtype=torch.bfloat16), queries().bfloat16()
    store = stored(held, retrieve=Fraction(1), cluster_tokens=7)
    torch.testing.assert_close(
        store.attend(q, scale=0.4).partial.out,
        held.attend(q, scale=0.4).partial.out,
        atol=2e-2,
        rtol=2e-2,
    )


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("retroinfer[retrieve=1/10,tau=1/4]", "give one of them"),
        ("retroinfer[estimate=2]", "lies in"),
        ("retroinfer[cluster_tokens=0]", "at least 1 slot"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spelling: str, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling)


def test_a_budget_below_one_cluster_is_refused_with_the_least_share() -> None:
    with pytest.raises(Mismatch, match="tau=63/2048"):
        parse("retroinfer[tau=1/100]").check(shape=SHAPE, tokens=1024)


# -- the authors' clusters -------------------------------------------------------------


def best_of(centres: list[torch.Tensor], vector: torch.Tensor) -> int:
    """The first centroid with the largest inner product."""
    products = [float(vector @ centre) for centre in centres]
    return products.index(max(products))


def plain_spherical(x: torch.Tensor, runs: list[tuple[int, int, int]]) -> list[int]:
    """The released k-means, vector by vector: less the mean, nine rounds, then all centroids."""
    vectors = [row - x.mean(dim=0) for row in x]
    centres: list[torch.Tensor] = []
    for start, stop, clusters in runs:
        width = (stop - start) / clusters
        own = [vectors[start + int(at * width + width / 2)] for at in range(clusters)]
        for _ in range(9):
            joined = [best_of(own, v) for v in vectors[start:stop]]
            for cluster in range(clusters):
                members = [vectors[start + at] for at, c in enumerate(joined) if c == cluster]
                if members:
                    mean = torch.stack(members).mean(dim=0)
                    own[cluster] = mean / mean.norm()
        centres += own
    return [best_of(centres, vector) for vector in vectors]


@pytest.mark.parametrize(("slots", "cluster", "segment"), [(40, 4, 100), (60, 5, 20), (33, 8, 33)])
def test_clusters_are_those_of_the_released_k_means(slots: int, cluster: int, segment: int) -> None:
    x = base(slots, seed=slots).k_HSD[0].double()
    runs = segments(slots, segment, cluster)
    assert spherical_labels(x, runs).tolist() == plain_spherical(x.float(), runs)


def test_keys_that_share_an_offset_are_clustered_as_without_it() -> None:
    """All keys of a head point one way in real models: about their mean they do not."""
    x, runs = base(64, seed=3).k_HSD[0], segments(64, 64, 4)
    moved = x + 20.0 * torch.ones(8)
    assert torch.equal(spherical_labels(x, runs), spherical_labels(moved, runs))


def test_a_key_may_join_a_cluster_of_another_segment() -> None:
    x = base(64, seed=5).k_HSD[0]
    runs = segments(64, 16, 4)
    run_of = torch.arange(64) // 16
    assert bool((spherical_labels(x, runs) // 4 != run_of).any())


def test_which_k_means_a_method_runs_is_in_its_name() -> None:
    store = base(300)
    ours, other = (
        stored(store, budget_tokens=64, clustering=kind) for kind in ("spherical", "euclidean")
    )
    assert not torch.equal(
        clusters_of(ours).clusters.slots_HS, clusters_of(other).clusters.slots_HS
    )
    assert "clustering=euclidean" in str(parse("retroinfer[clustering=euclidean]"))
