"""RetroInfer: clusters of keys; the best are read, the next are estimated from their means, the
rest is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Literal, NamedTuple, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, ChosenSlots, Digest, Slots
from scbench.methods.contract import Budgeted, Selection, rounded
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.loading import plain_choices
from scbench.methods.loading.plain_stores import row_bytes
from scbench.methods.loading.retroinfer_clusters import clustered
from scbench.methods.units import CLUSTER, recent_of_clusters, unit
from scbench.tensors import Tensor, torch

RECENT_TOKENS = 64  # of the published steady zone


class Plan(NamedTuple):
    """For a store of some length. `read_tokens` caps what is read of clusters; None: `retrieved`
    clusters, whatever they hold.
    """

    sink: int
    recent: int
    cluster_tokens: int
    clusters: int  # 0: the budget covers the store, which is read whole
    retrieved: int  # nominal, where read_tokens is given
    estimated: int
    read_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetroInfer(Budgeted, Selection):
    """Each query token reads, per KV head, both ends of the store (steady zone) and its best
    clusters, and adds an estimate of the next ones.

    Source: RetroInfer (arXiv 2505.02922). Keys are clustered in segments (`segment_tokens`, evened
    out); a cluster is ranked by the softmax of q.c over clusters, summed over the group; an
    estimated one adds n exp(q.c) to the denominator and n exp(q.c) mean(v) to the numerator, with c
    the mean of its keys, so that it never claims more attention than its keys have.
    clustering=spherical is the authors': keys less their mean, nine rounds of spherical k-means
    within each segment from keys in the middle of even steps, and a last assignment among the
    centroids of all segments; clustering=euclidean is Lloyd's k-means on the keys as they are. Ours
    counts the list of slots among the bytes; and keeps what is appended in the steady zone for good
    (a private tail), where theirs clusters it every 1,024 tokens. `retrieve` and `estimate` are
    shares of the clusters. With a budget of K tokens (default: 1/32): clusters by the rule of
    units, near min(T / 128, K / 16) slots up to 16; steady 4 + min(64, K/8); clusters by rank until
    the next would pass K, at least one. Sizes that are spelled out stay as they are.
    """

    retrieve: Fraction | None = None
    estimate: Fraction = Fraction(29, 125)
    cluster_tokens: int | None = None
    segment_tokens: int = 8192
    sink_tokens: int = 4
    recent_tokens: int | None = None
    clustering: Literal["spherical", "euclidean"] = "spherical"

    minimum_tokens: ClassVar[int] = 32
    _unit_fields: ClassVar[tuple[str, ...]] = ("cluster_tokens",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.retrieve is not None and (self.tau is not None or self.budget_tokens is not None):
            raise Mismatch(
                f"{self} was given a share of clusters to retrieve and a budget; give one of them"
            )
        if not (0 <= self.estimate <= 1 and (self.retrieve is None or 0 < self.retrieve <= 1)):
            raise Mismatch(f"{self}: retrieve lies in (0, 1] and estimate in [0, 1]")
        if (
            (cluster := CLUSTER if self.cluster_tokens is None else self.cluster_tokens) < 1
            or self.segment_tokens < cluster
            or min(self.sink_tokens, self.recent_tokens or 0) < 0
        ):
            raise Mismatch(
                f"{self}: a cluster has at least 1 slot, a segment at least a cluster, and the "
                f"steady zone no fewer than 0"
            )

    def lossless(self, tokens: int) -> Self:
        """Every cluster is read, or a budget that covers the store."""
        return replace(self, retrieve=Fraction(1)) if self.retrieve else super().lossless(tokens)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if self.retrieve is None:
            super().check(shape=shape, tokens=tokens)
            plan, budget = self.plan(tokens), self.budget(tokens)
            left = budget - plan.sink - plan.recent
            if budget < tokens and self.cluster_tokens is not None:
                self._check_unit(
                    "cluster_tokens", self.cluster_tokens, units=1, tokens=tokens, budget=left
                )

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        plan = self.plan(tokens)
        return {
            "cluster_tokens": plan.cluster_tokens,
            "sink_tokens": plan.sink,
            "recent_tokens": plan.recent,
        }

    def _under_rule(self, tokens: int) -> Self:
        """A share of the clusters counts as that share of the tokens."""
        bare = replace(self, cluster_tokens=None, retrieve=None)
        if self.retrieve is None:
            return bare
        return replace(bare, budget_tokens=max(32, rounded(self.retrieve * tokens)))

    def plan(self, tokens: int) -> Plan:
        """What is done with a store of `tokens` slots."""
        if self.retrieve is not None:
            budget, recent, size = None, RECENT_TOKENS, CLUSTER
        else:
            budget = self.budget(tokens)
            recent = recent_of_clusters(budget)
            size = unit(tokens=tokens, budget=budget, most=CLUSTER)
        sink, size = self.sink_tokens, self.cluster_tokens or size
        recent = recent if self.recent_tokens is None else self.recent_tokens
        clusters = max(0, tokens - sink - recent) // size
        if not clusters or (budget is not None and budget >= tokens):
            return Plan(sink, recent, size, 0, 0, 0, None)
        if budget is None:
            assert self.retrieve is not None
            retrieved = max(1, rounded(self.retrieve * clusters))
        else:
            retrieved = max(1, (budget - sink - recent) // size)
        estimated = min(rounded(self.estimate * clusters), clusters - retrieved)
        return Plan(
            sink,
            recent,
            size,
            clusters,
            retrieved,
            estimated,
            None if budget is None else budget - sink - recent,
        )

    def digest(self, slots: Slots, *, layer: int) -> Digest | None:
        plan = self.plan(slots.most)
        if not plan.clusters:
            return None
        return ClusterDigest(
            slots, plan, segment_tokens=self.segment_tokens, clustering=self.clustering
        )

    def invariants(self) -> Invariants:
        return {
            "both ends are read, and the clusters that rank best": self._reads_best,
            "clusters cover all slots, and their means are means": self._covers,
        }

    def _reads_best(self, trial: Trial) -> str | None:
        wanted = plain_choices.clusters_read(self.plan(trial.tokens))
        return plain_choices.chooses(self.digest_all, wanted)(trial)

    def _covers(self, trial: Trial) -> str | None:
        plan = self.plan(trial.tokens)
        return plain_choices.clusters_cover(self.digest_all, plan)(trial)

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """H (2 C D e + 4 (C + 1) + 4 S'), S' slots outside the steady zone: means, starts, and the
        list of slots.
        """
        plan = self.plan(slots)
        if not plan.clusters:
            return 0
        own = shape.attending[layer]
        means = plan.clusters * (own.key_dim + own.value_dim) * own.dtype_bytes
        return own.kv_heads * (
            means + 4 * (plan.clusters + 1) + 4 * (slots - plan.sink - plan.recent)
        )


class ClusterDigest:
    """Clusters of a store's keys: their means, the means of their values, and lists of their slots.

    Each query token reads both ends of the store and its best clusters.
    """

    def __init__(self, slots: Slots, plan: Plan, *, segment_tokens: int, clustering: str) -> None:
        self.heads = slots.heads
        self.slots = slots.most
        self.plan = plan
        self.stop = self.slots - plan.recent
        self.row_bytes = row_bytes(slots.k_HSD)
        k_HSD, v_HSD = (x[:, plan.sink : self.stop] for x in (slots.k_HSD, slots.v_HSD))
        self.clusters = clustered(
            k_HSD,
            v_HSD,
            cluster_tokens=plan.cluster_tokens,
            segment_tokens=segment_tokens,
            clustering=clustering,
        )

    def tensors(self) -> dict[str, Tensor]:
        names = ("cluster_keys", "cluster_values", "cluster_slots", "cluster_starts")
        return dict(zip(names, self.clusters, strict=True))

    def detached(self) -> ClusterDigest:
        return self

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots | None:
        scores_HGTC = (
            torch.einsum("hgtd,hcd->hgtc", q_HGTD, self.clusters.centres_HCD).float() * scale
        )
        order_HTC, taken_HT = self.ranked(scores_HGTC)
        slots, inside, read_HT = self.slots_of(order_HTC, taken_HT)
        parts: tuple[Partial, ...] = ()
        if self.plan.estimated:
            parts = (self.estimated(scores_HGTC, order_HTC, taken_HT, q_HGTD.dtype),)
        rows_T = [int(rows) for rows in read_HT.sum(dim=0).tolist()]
        return ChosenSlots(
            slots.unsqueeze(1),
            inside.unsqueeze(1),
            rows_T=rows_T,
            ranges=((0, self.plan.sink), (self.stop, self.slots)),
            parts=parts,
            digest_bytes=[self._looked_at(rows) for rows in rows_T],
        )

    def ranked(self, scores_HGTC: Tensor) -> tuple[Tensor, Tensor]:
        """Clusters best first, (H, T, C), empty ones last, and how many of them each token reads,
        (H, T).
        """
        sizes_HC = self.clusters.sizes_HC
        empty = (sizes_HC == 0)[:, None, None]
        share_HTC = torch.softmax(scores_HGTC.masked_fill(empty, float("-inf")), dim=-1).sum(dim=1)
        order = torch.sort(
            share_HTC.masked_fill(empty[:, 0], -1.0), dim=-1, descending=True, stable=True
        ).indices
        filled_H1 = (sizes_HC > 0).sum(dim=-1, keepdim=True)
        if self.plan.read_tokens is None:
            return order, filled_H1.clamp(max=self.plan.retrieved).expand(order.shape[:2])
        total = self._sizes(order).cumsum(dim=-1)
        fitting = (
            (total <= self.plan.read_tokens).sum(dim=-1).clamp(min=1)
        )  # sizes are not negative: a prefix of the ranks
        return order, torch.minimum(fitting, filled_H1)

    def _sizes(self, order_HTC: Tensor) -> Tensor:
        """Slots of each cluster named, (H, T, C)."""
        head = torch.arange(self.heads, device=order_HTC.device)[:, None, None]
        return self.clusters.sizes_HC.long()[head, order_HTC]

    def slots_of(self, order_HTC: Tensor, taken_HT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Slots (H, T, R) of the clusters each token reads, which of them count, and their number
        (H, T).
        """
        order = order_HTC[..., : int(taken_HT.max())]
        ends = self._sizes(order).cumsum(dim=-1)
        read_HT = ends.gather(2, (taken_HT - 1).unsqueeze(-1)).squeeze(-1)
        at = (
            torch.arange(int(read_HT.max()), device=order.device)
            .expand(*read_HT.shape, -1)
            .contiguous()
        )
        rank = torch.searchsorted(ends, at, right=True).clamp_(max=order.shape[-1] - 1)
        cluster = order.gather(2, rank)
        head = torch.arange(self.heads, device=order.device)[:, None, None]
        within = at - (ends.gather(2, rank) - self._sizes(cluster))
        place = self.clusters.starts_HC.long()[head, cluster] + within
        slots = (
            self.clusters.slots_HS[head, place.clamp_(0, self.stop - self.plan.sink - 1)].long()
            + self.plan.sink
        )
        return slots, at < read_HT.unsqueeze(-1), read_HT

    def estimated(
        self, scores_HGTC: Tensor, order_HTC: Tensor, taken_HT: Tensor, dtype: torch.dtype
    ) -> Partial:
        """Attention as if every key of the clusters after those read were their mean."""
        rank = torch.arange(order_HTC.shape[-1], device=order_HTC.device)
        first = taken_HT.unsqueeze(-1)
        chosen = torch.zeros_like(order_HTC, dtype=torch.bool)
        chosen.scatter_(2, order_HTC, (rank >= first) & (rank < first + self.plan.estimated))
        sizes = self.clusters.sizes_HC.float()[:, None, None]
        scores = (scores_HGTC + sizes.log()).masked_fill(
            ~chosen.unsqueeze(1), float("-inf")
        )  # an empty cluster adds log 0
        lse = torch.logsumexp(scores, dim=-1)
        weights = torch.exp(scores - lse.masked_fill(lse == float("-inf"), 0.0).unsqueeze(-1)).to(
            dtype
        )
        return Partial(torch.einsum("hgtc,hcd->hgtd", weights, self.clusters.values_HCD), lse)

    def _looked_at(self, rows: int) -> int:
        """Every key mean and start, the value means of estimated clusters, and the slots of what is
        read.
        """
        means = self.plan.clusters + self.plan.estimated
        return self.heads * (means * self.row_bytes + 4 * (self.plan.clusters + 1)) + 4 * rows
