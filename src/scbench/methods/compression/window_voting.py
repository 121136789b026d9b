"""Evictions by the votes of a window of queries, for each KV head or, as released code does it, for
each query head apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, DenseStore, DenseTail, LayerCache, LayerView, QueryHeadStore
from scbench.methods import units
from scbench.methods.compression import plain_ranks
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.contract import WINDOW, Eviction, check_protected, top_slots
from scbench.methods.eviction_promises import keeps_the_best
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, functional, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting(Eviction):
    """A budget of slots per KV head, by the group's mean votes; or, with `granularity=query_head`,
    per query head by its own votes.

    Released code repeats K and V to query heads before it chooses, so that a budget of K slots
    holds G K: so does `query_head`, and its bytes say so. Tokens appended later are the same for
    all heads of a group and are held once per KV head (there: G times). A layer that keeps
    everything is left as it is. With one query head per KV head both are the same.
    """

    granularity: Literal["kv_head", "query_head"] = "kv_head"

    @property
    def is_per_query_head(self) -> bool:
        """Whether query heads of a group keep different slots."""
        return self.granularity == "query_head"

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return Traits(has_own_cache=self.is_per_query_head)

    def votes(self, view: LayerView) -> Tensor:
        """(H, G, S) in fp32; inf for what always stays."""
        raise NotImplementedError

    def rank(self, view: LayerView) -> Tensor:
        return self.votes(view).mean(dim=1)

    def keep(self, view: LayerView) -> list[Tensor]:
        """As everywhere; one list per query head, group by group, where these choose apart and the
        budget binds.
        """
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        if not self.is_per_query_head or slots >= view.tokens:
            return super().keep(view)
        votes_QS = self.votes(view).flatten(0, 1)
        check_protected(votes_QS, slots, who=self, layer=view.index)
        return list(top_slots(votes_QS, slots))

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        if self.is_per_query_head:  # a head's budget is that of each of its query heads
            del found["its budget is used up"]
            return found
        found["the best ranked slots stay, of equals the first"] = keeps_the_best(self.rank)
        return found

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        if not self.is_per_query_head:
            return view.cut(kept)
        heads, _, dim = view.k_HSD.shape
        if len(kept[0]) == view.tokens:
            return LayerCache((DenseStore(view.k_HSD, view.v_HSD),), DenseTail())
        at_QS = torch.stack(kept)
        index = at_QS.to(view.k_HSD.device).view(heads, -1, 1).expand(-1, -1, dim)
        k_QSD, v_QSD = (
            x.gather(1, index).view(*at_QS.shape, dim) for x in (view.k_HSD, view.v_HSD)
        )
        return LayerCache(
            (QueryHeadStore(k_QSD, v_QSD, at_QS.cpu(), group=len(kept) // heads),), DenseTail()
        )

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        total = 0
        for at, layer in enumerate(shape.attending):
            kept = self.kept_slots(layer=at, layers=layers, tokens=tokens)
            copies = layer.group if self.is_per_query_head and kept < tokens else 1
            total += layer.slot_bytes * (kept * copies + appended)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVoting(Voting):
    """The last queries vote, and stay; what is left open follows the rule of units (docs/units.md).

    The question's rows vote where it has been read, an eighth of the budget up to 32 where it has
    not; votes are pooled over 7 slots by their maximum, SnapKV's and Ada-KV's own setting on
    LongBench. `window_tokens` is a fixed number of rows, capped at half the budget;
    `voters=question` puts the question's rows in its place where they are known.
    """

    window_tokens: int | None = None
    capacity_tokens: int | None = None  # prefix + window
    kernel: int | None = None
    pooling: Literal["avg", "max"] | None = None
    voters: Literal["question", "window"] | None = None  # None: window if window_tokens is given

    needs: ClassVar[frozenset[str]] = frozenset({WINDOW})
    _unit_fields: ClassVar[tuple[str, ...]] = ("window_tokens", "kernel")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel is not None and (self.kernel < 1 or self.kernel % 2 == 0):
            raise Mismatch(f"{self}: kernel is an odd number of slots, 1 for no pooling")
        if self.window_tokens is not None and not 1 <= self.window_tokens <= 64:
            raise Mismatch(
                f"{self}: window_tokens lies in 1..64 (a read observes the last 64 queries)"
            )
        if self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens:
            raise Mismatch(f"{self}: capacity_tokens is at least {self.minimum_tokens}")

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return replace(super().traits, has_comparable_ranks=True)

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    @property
    def is_question_voting(self) -> bool:
        """Whether the question's rows vote where they are known."""
        if self.voters is None:
            return self.window_tokens is None
        return self.voters == "question"

    def window(self, tokens: int, question_tokens: int | None = None) -> int:
        """Rows that vote and stay, of `tokens` tokens of which the last may be a question."""
        budget = self.budget(tokens)
        if question_tokens is not None and self.is_question_voting:
            return units.voting_rows(budget=budget, question_tokens=question_tokens)
        if self.window_tokens is not None:
            return max(1, min(self.window_tokens, budget // 2))
        return units.voting_rows(budget=budget)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        window = self.window(tokens, question_tokens)
        return {"window_tokens": window, "kernel": self.kernel or units.KERNEL}

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        pooling: Any = self.pooling or units.POOLING
        found = super().fixed(shape=shape, tokens=tokens)
        voters: Any = "question" if self.is_question_voting else self.voters
        return replace(found, pooling=pooling, voters=voters)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        if tokens <= self.window(tokens) and self.budget(tokens) < tokens:
            raise Mismatch(
                f"{self} needs more tokens than its window of {self.window(tokens)}, and the "
                f"prompt has {tokens}"
            )

    def votes(self, view: LayerView) -> Tensor:
        kernel, pooling = self.kernel or units.KERNEL, self.pooling or units.POOLING
        return head_votes(view, self.voters_in(view), kernel=kernel, pooling=pooling)

    def group_votes(self, view: LayerView) -> Tensor:
        """Votes averaged over the group before they are pooled, (H, S): what Ada-KV ranks by.

        With pooling=avg it is the mean of `votes`; with pooling=max a slot that only one query head
        looks at lifts its neighbours by its mean vote, and not each head's neighbours apart.
        """
        rows = self.voters_in(view)
        kernel, pooling = self.kernel or units.KERNEL, self.pooling or units.POOLING
        votes_HS = bare_votes(view, rows).mean(dim=1)
        return pooled(votes_HS, rows, kernel=kernel, pooling=pooling)

    def invariants(self) -> Invariants:
        plain = partial(self._plain_votes, group_first=False)
        found = Voting.invariants(self)
        found["scores are the pooled votes of the last queries"] = ranks_are(
            self.rank, plain, "votes"
        )
        return found

    def _plain_votes(self, trial: Trial, layer: int, *, group_first: bool) -> Tensor:
        view = trial.views[layer]
        return plain_ranks.window_votes(
            view,
            self.voters_in(view),
            kernel=self.kernel or units.KERNEL,
            pooling=self.pooling or units.POOLING,
            group_first=group_first,
        )

    def voters_in(self, view: LayerView) -> int:
        """Rows that vote in a layer: a question's rows are half of what the layer keeps at most."""
        if view.question_tokens is None or not self.is_question_voting:
            return min(self.window(view.tokens), view.tokens)
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        return units.voting_rows(budget=slots, question_tokens=view.question_tokens)


def window_votes(view: LayerView, window: int, *, kernel: int, pooling: str) -> Tensor:
    """Smoothed votes of the last `window` queries for the slots before them, mean over the group:
    (H, T) in fp32; inf for the window itself.
    """
    return head_votes(view, window, kernel=kernel, pooling=pooling).mean(dim=1)


def head_votes(view: LayerView, window: int, *, kernel: int, pooling: str) -> Tensor:
    """The same for each query head, (H, G, T)."""
    return pooled(bare_votes(view, window), window, kernel=kernel, pooling=pooling)


def bare_votes(view: LayerView, window: int) -> Tensor:
    """Attention of the last `window` queries to each slot before them, (H, G, T - window)."""
    observed = view.observed.window_HGWD
    assert observed is not None, "the window of queries is needed and the read did not observe it"
    weights_HGS = window_attention(observed[:, :, -window:], view.k_HSD, scale=view.scale)
    return weights_HGS[..., : view.tokens - window]


def pooled(votes_S: Tensor, window: int, *, kernel: int, pooling: str) -> Tensor:
    """Votes smoothed along the slots, and inf for each of the window's, (..., T)."""
    pool = functional.avg_pool1d if pooling == "avg" else functional.max_pool1d
    smooth_S = pool(votes_S, kernel, stride=1, padding=kernel // 2)
    return functional.pad(smooth_S, (0, window), value=float("inf"))


def window_attention(window_HGWD: Tensor, k_HSD: Tensor, *, scale: float) -> Tensor:
    """Softmax attention of the last W queries, summed over them: (H, G, S) in fp32. Query w is the
    token at slot S - W + w.
    """
    rows, slots = window_HGWD.shape[2], k_HSD.shape[1]
    scores = torch.einsum("hgwd,hsd->hgws", window_HGWD.float(), k_HSD.float()) * scale
    at = torch.arange(slots, device=k_HSD.device)
    future = at > (slots - rows + torch.arange(rows, device=k_HSD.device)).unsqueeze(1)
    return torch.softmax(scores.masked_fill_(future, float("-inf")), dim=-1).sum(dim=2)
