"""Clusters of keys: segmented k-means with a fixed beginning, and the slots of each cluster one after the other."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 10  # of k-means


class Clusters(NamedTuple):
    """Per KV head: means of keys and of values (H, C, D), and the slots of cluster c at slots[starts[c] : starts[c + 1]], both int32.

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
    """(start, stop, clusters) of even runs of about `segment_tokens` slots; floor(slots / cluster_tokens) clusters in all."""
    runs = max(1, (2 * slots + segment_tokens) // (2 * segment_tokens))
    bounds = [slots * at // runs for at in range(runs + 1)]
    return [(a, b, b // cluster_tokens - a // cluster_tokens) for a, b in pairwise(bounds)]


def labels_of(x_SD: Tensor, clusters: int) -> Tensor:
    """The cluster of each vector, (S,): Lloyd's k-means by Euclidean distance, begun at evenly spaced vectors. Same input, same output."""
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


def means_of(x_SD: Tensor, labels_S: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Mean vector (C, D) in fp32, zero where there is none, and size (C,). CUDA adds scattered rows in any order, so there it is a product."""
    sizes = torch.bincount(labels_S, minlength=clusters)
    if x_SD.is_cuda:
        sums = (
            labels_S == torch.arange(clusters, device=labels_S.device).unsqueeze(-1)
        ).float() @ x_SD.float()
    else:
        sums = torch.zeros(clusters, x_SD.shape[1]).index_add_(0, labels_S, x_SD.float())
    return sums / sizes.clamp_min(1).unsqueeze(-1), sizes


def clustered(
    k_HSD: Tensor, v_HSD: Tensor, *, cluster_tokens: int, segment_tokens: int
) -> Clusters:
    """Cluster the keys of every KV head, segment by segment."""
    heads, slots, _ = k_HSD.shape
    rows = []
    for head in range(heads):
        labels, centres, values, before = [], [], [], 0
        for start, stop, clusters in segments(slots, segment_tokens, cluster_tokens):
            found = labels_of(k_HSD[head, start:stop], clusters)
            centres.append(means_of(k_HSD[head, start:stop], found, clusters)[0])
            values.append(means_of(v_HSD[head, start:stop], found, clusters)[0])
            labels.append(found + before)
            before += clusters
        label_S = torch.cat(labels)
        starts = torch.cat(
            [label_S.new_zeros(1), torch.bincount(label_S, minlength=before).cumsum(0)]
        )
        order = label_S.argsort(stable=True)
        rows.append(
            (
                torch.cat(centres).to(k_HSD.dtype),
                torch.cat(values).to(v_HSD.dtype),
                order.int(),
                starts.int(),
            )
        )
    return Clusters(*(torch.stack(column) for column in zip(*rows, strict=True)))
