"""Clusters of keys: segmented k-means with a fixed beginning, and the slots of each cluster one
after the other.

Two kinds. Spherical, RetroInfer's own: directions of keys about their mean. Euclidean: Lloyd's, on
the keys as they are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from scbench.tensors import Tensor, functional, torch

ROUNDS = 10  # of k-means
BLOCK_KEYS = 4096  # keys that look for their cluster at a time


class Clusters(NamedTuple):
    """Per KV head: means of keys and of values (H, C, D), and the slots of cluster c at
    slots[starts[c] : starts[c + 1]], both int32.

    A cluster may be empty; its means are zero.
    """

    centres_HCD: Tensor
    values_HCD: Tensor
    slots_HS: Tensor
    starts_HC: Tensor  # (H, C + 1)

    @property
    def sizes_HC(self) -> Tensor:
        return self.starts_HC.diff(dim=-1)


def segments(slots: int, segment_tokens: int, cluster_tokens: int) -> list[tuple[int, int, int]]:
    """(start, stop, clusters) of even runs of about `segment_tokens` slots; floor(slots /
    cluster_tokens) clusters in all.
    """
    runs = max(1, (2 * slots + segment_tokens) // (2 * segment_tokens))
    bounds = [slots * at // runs for at in range(runs + 1)]
    return [(a, b, b // cluster_tokens - a // cluster_tokens) for a, b in pairwise(bounds)]


def labels_of(x_SD: Tensor, clusters: int) -> Tensor:
    """The cluster of each vector, (S,): Lloyd's k-means by Euclidean distance, begun at evenly
    spaced vectors. Same input, same output.
    """
    x_SD = x_SD.float()
    slots = x_SD.shape[0]
    centres = x_SD[torch.arange(clusters, device=x_SD.device) * slots // clusters]
    labels = torch.zeros(slots, dtype=torch.long, device=x_SD.device)
    for _ in range(ROUNDS):
        nearest = (x_SD @ centres.T - centres.pow(2).sum(-1) / 2).argmax(dim=-1)
        if torch.equal(nearest, labels):
            break
        labels = nearest
        means, sizes = means_of(x_SD, labels, clusters)
        centres = torch.where(
            sizes.unsqueeze(-1) > 0, means, centres
        )  # an empty cluster waits where it was
    return labels


def spherical_labels(x_SD: Tensor, runs: list[tuple[int, int, int]]) -> Tensor:
    """The cluster of each vector, (S,), numbered over all `runs` (start, stop, clusters).

    Source: RetroInfer (arXiv 2505.02922) and its released k-means. Vectors less their mean; within
    each run nine rounds from the vectors in the middle of even steps: every vector joins the
    centroid with the largest inner product, and a centroid becomes the direction of its vectors'
    mean (an empty one waits where it was). Then every vector joins the best centroid of all runs.
    """
    about_mean_SD = x_SD.float() - x_SD.float().mean(dim=0)
    directions = []
    for start, stop, clusters in runs:
        steps = 2 * torch.arange(clusters, device=x_SD.device) + 1
        begun_at = steps * (stop - start) // (2 * clusters)
        run_SD = about_mean_SD[start:stop]
        directions.append(_directions(run_SD, run_SD[begun_at]))
    return _nearest(about_mean_SD, torch.cat(directions))


def _directions(x_SD: Tensor, begun_CD: Tensor) -> Tensor:
    centres_CD = begun_CD
    labels_S = torch.full((len(x_SD),), -1, device=x_SD.device)
    for _ in range(ROUNDS - 1):
        joined_S = _nearest(x_SD, centres_CD)
        if torch.equal(joined_S, labels_S):
            break
        labels_S = joined_S
        means_CD, sizes_C = means_of(x_SD, labels_S, len(centres_CD))
        is_filled = (sizes_C > 0).unsqueeze(-1)
        centres_CD = torch.where(is_filled, functional.normalize(means_CD, dim=-1), centres_CD)
    return centres_CD


def _nearest(x_SD: Tensor, centres_CD: Tensor) -> Tensor:
    """The centroid with the largest inner product, of equals the first: (S,)."""
    return torch.cat(
        [(rows @ centres_CD.T).argmax(dim=-1) for rows in torch.split(x_SD, BLOCK_KEYS)]
    )


def euclidean_labels(x_SD: Tensor, runs: list[tuple[int, int, int]]) -> Tensor:
    """The same by `labels_of`, each run for itself."""
    labels, before = [], 0
    for start, stop, clusters in runs:
        labels.append(labels_of(x_SD[start:stop], clusters) + before)
        before += clusters
    return torch.cat(labels)


def means_of(x_SD: Tensor, labels_S: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Mean vector (C, D) in fp32, zero where there is none, and size (C,). CUDA adds scattered rows
    in any order, so there it is a product.
    """
    sizes = torch.bincount(labels_S, minlength=clusters)
    if x_SD.is_cuda:
        sums = (
            labels_S == torch.arange(clusters, device=labels_S.device).unsqueeze(-1)
        ).float() @ x_SD.float()
    else:
        sums = torch.zeros(clusters, x_SD.shape[1]).index_add_(0, labels_S, x_SD.float())
    return sums / sizes.clamp_min(1).unsqueeze(-1), sizes


def clustered(
    k_HSD: Tensor,
    v_HSD: Tensor,
    *,
    cluster_tokens: int,
    segment_tokens: int,
    clustering: str = "spherical",
) -> Clusters:
    """Cluster the keys of every KV head, segment by segment."""
    heads, slots, _ = k_HSD.shape
    runs = segments(slots, segment_tokens, cluster_tokens)
    clusters = sum(count for _, _, count in runs)
    find_labels = spherical_labels if clustering == "spherical" else euclidean_labels
    rows = []
    for head in range(heads):
        label_S = find_labels(k_HSD[head], runs)
        centres, sizes = means_of(k_HSD[head], label_S, clusters)
        values, _ = means_of(v_HSD[head], label_S, clusters)
        starts = torch.cat([label_S.new_zeros(1), sizes.cumsum(0)])
        order = label_S.argsort(stable=True)
        rows.append((centres.to(k_HSD.dtype), values.to(v_HSD.dtype), order.int(), starts.int()))
    return Clusters(*(torch.stack(column) for column in zip(*rows, strict=True)))
