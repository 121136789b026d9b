"""Ada-KV: a layer's budget is shared unevenly between its heads, by any other eviction's scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar, Literal, NoReturn, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerCache, LayerView
from scbench.methods import registry, spelling
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.compression.pyramidkv import shared_out
from scbench.methods.compression.window_voting import WindowVoting
from scbench.methods.contract import (
    ROTATION,
    STARTS_BYTES,
    Eviction,
    Stage,
    check_protected,
    ranks_by_head,
    within,
)
from scbench.methods.invariants import Invariants, Trial, best_slots
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaKV(Eviction):
    """A head keeps (1 - alpha) n_h + alpha b slots, n_h of its own being among the best H b of all
    heads together.

    Source: Ada-KV (arXiv 2407.11550). b = budget - slots the scorer protects. division=authors is
    the released code's: n_h comes from one unrestricted ranking, and where a scorer pools the votes
    of query heads, those of a group are averaged first (`group_votes`); it rounds each head by
    itself, ours by largest remainders, so that heads sum to exactly H times the budget.
    division=kvpress is kvpress's: every head has its own best floor(alpha b), and the slots left
    over go to the best left over. What is dropped is freed (flat storage), where kvpress masks it.
    `scorer` is any eviction that ranks slots, with its own parameters but no budget:
    `adakv[scorer=snapkv[kernel=7,pooling=max],tau=1/8]`; the budget per layer is the scorer's, so
    pyramidkv keeps its pyramid.
    """

    scorer: str = "snapkv"
    alpha: float = 0.2
    division: Literal["authors", "kvpress"] = "authors"

    traits: ClassVar[Traits] = Traits(has_uneven_heads=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha <= 1:
            raise Mismatch(
                f"adakv[alpha={self.alpha}]: the share that every head keeps for itself lies in "
                f"[0, 1]"
            )
        name, params = spelling.read_part(self.scorer)
        found = registry.stage_class(name)
        if not issubclass(found, Eviction) or found.rank is Eviction.rank:
            self._refuse_scorer(name)
        inner = spelling.build(found, params, written=self.scorer)
        if inner.traits.has_uneven_heads:
            self._refuse_scorer(name)
        is_moving = ROTATION in inner.needs
        if inner._has_budget or inner.traits.has_own_cache or is_moving:
            raise Mismatch(
                f"adakv[scorer={self.scorer}]: give the budget to adakv itself, and a scorer that "
                "acts once, per KV head, and moves nothing"
            )

    def again(self, tokens: int) -> Self:
        least = max(self.budget(tokens), self.inner.minimum_tokens)
        return replace(self, tau=None, budget_tokens=least)

    def _refuse_scorer(self, name: str) -> NoReturn:
        raise Mismatch(
            f"adakv[scorer={self.scorer}]: {name} does not rank slots; take snapkv, h2o, tova, "
            "pyramidkv, knorm, keydiff ..."
        )

    @property
    def inner(self) -> Eviction:
        """The scorer, under this budget."""
        name, params = spelling.read_part(self.scorer)
        bare: Eviction = spelling.build(registry.stage_class(name), params, written=self.scorer)
        return bare if self.tau is None and self.budget_tokens is None else self._budgeted(bare)

    def _budgeted(self, bare: Eviction) -> Eviction:
        least = (
            max(self.budget_tokens, bare.minimum_tokens) if self.budget_tokens is not None else None
        )
        return replace(bare, tau=self.tau, budget_tokens=least)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return self.inner.needs

    def parts(self) -> tuple[Stage, ...]:
        return (self, self.inner)

    def budget(self, tokens: int) -> int:
        return self.inner.budget(tokens)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if self.budget_tokens is not None and self.budget_tokens < self.inner.minimum_tokens:
            raise Mismatch(
                f"{self}: {self.scorer} needs a budget of at least {self.inner.minimum_tokens} "
                f"tokens"
            )
        try:
            self.inner.check(shape=shape, tokens=tokens)
        except Mismatch as error:  # said of the scorer: the row is this method's
            raise Mismatch(f"{self}: {error}") from error

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        own = (
            ()
            if self.inner.traits.has_comparable_ranks
            else ("adakv_scores_of_heads_not_comparable",)
        )
        return (*own, *self.inner.notes(shape=shape, tokens=tokens))

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        return self.inner.kept_slots(layer=layer, layers=layers, tokens=tokens)

    def keep(self, view: LayerView) -> list[Tensor]:
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        counts = view.slots.counts
        if slots * view.heads >= sum(counts):
            return view.everything
        inner = self.inner
        is_authors = self.division == "authors"
        rank = inner.rank
        if is_authors and isinstance(inner, WindowVoting):
            rank = inner.group_votes
        is_even = view.slots.is_even
        ranks_HS = rank(view) if is_even else ranks_by_head(view, rank)
        check_protected(ranks_HS, slots, who=self, layer=view.index)
        share = share_slots if is_authors else share_left_over
        kept = share(ranks_HS, slots, alpha=Fraction(str(self.alpha)))
        if is_even:
            return kept
        return filled(within(kept, counts), ranks_HS, slots * view.heads)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        return self.inner.units(shape=shape, tokens=tokens, question_tokens=question_tokens)

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        scorer = replace(self.inner.fixed(shape=shape, tokens=tokens), tau=None, budget_tokens=None)
        return replace(self, scorer=str(scorer))

    def coarse(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        return self.inner.coarse(shape=shape, tokens=tokens)

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        if self.division == "authors":
            found["a head keeps its share of the best of all heads, and its floor"] = self._shares
        if self.division == "authors" and isinstance(self.inner, WindowVoting):
            scorer: Any = self.inner
            found["scores are votes of the group's mean, then pooled"] = ranks_are(
                scorer.group_votes, partial(scorer._plain_votes, group_first=True), "votes"
            )
        return found

    def _shares(self, trial: Trial) -> str | None:
        inner: Any = self.inner
        rank = inner.group_votes if isinstance(inner, WindowVoting) else inner.rank
        for layer, view in enumerate(trial.views):
            slots = self.kept_slots(layer=layer, layers=len(trial.views), tokens=view.tokens)
            if not view.slots.is_even or slots >= view.tokens:
                return None
            held = trial.held(layer)
            if sum(map(len, held)) != slots * view.heads:
                return f"layer {layer}: heads hold {[len(x) for x in held]}, {slots} each are paid"
            ranks_HS = rank(view)
            always = int(ranks_HS.isposinf().sum(dim=1).max())
            own = [sorted(ranks_S.tolist(), reverse=True) for ranks_S in ranks_HS]
            open_to = sorted((x for ranks in own for x in ranks[always:]), reverse=True)
            room = slots - always
            level = open_to[view.heads * room - 1]
            for head, ranks in enumerate(own):
                sure = sum(x > level for x in ranks[always:])
                most = sum(x >= level for x in ranks[always:])
                low, high = ((1 - self.alpha) * n + self.alpha * room for n in (sure, most))
                if not low - 1 < len(held[head]) - always < high + 1:
                    return (
                        f"layer {layer}, head {head} holds {len(held[head]) - always} beside "
                        f"{always}; its share is {low:.1f} to {high:.1f}"
                    )
                if held[head].tolist() != best_slots(ranks_HS[head], len(held[head])):
                    return f"layer {layer}, head {head} does not hold its own best"
        return ""

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return view.cut_ragged(kept)

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        kept = [
            self.kept_slots(layer=layer, layers=layers, tokens=tokens) for layer in range(layers)
        ]
        tables = 0
        if min(kept, default=tokens) < tokens:
            tables = sum(STARTS_BYTES * (layer.kv_heads + 1) for layer in shape.attending)
        return super().held_bytes(shape=shape, tokens=tokens, appended=appended) + tables


def filled(kept: list[Tensor], ranks_HS: Tensor, slots: int) -> list[Tensor]:
    """`kept`, and the best of what is left over up to `slots` slots of all heads: a head that holds
    few slots leaves some of its share to the others."""
    spare = slots - sum(map(len, kept))
    left_HS = ranks_HS.clone()
    for head, own in enumerate(kept):
        left_HS[head, own] = float("-inf")
    order = torch.sort(left_HS.reshape(-1), descending=True, stable=True)
    more = order.indices[:spare][~order.values[:spare].isneginf()]
    tokens = ranks_HS.shape[1]
    return [
        torch.cat([own, more[more // tokens == head] % tokens]).sort().values
        for head, own in enumerate(kept)
    ]


def share_slots(scores_HS: Tensor, slots: int, *, alpha: Fraction) -> list[Tensor]:
    """H * slots slots, ascending per head: what is protected (inf), then the best (1 - alpha) n_h +
    alpha b of each head, b = slots - protected.

    n_h are the head's among the H b best of all heads; ties go to the earlier head and slot.
    """
    heads, tokens = scores_HS.shape
    protected = int(scores_HS.isposinf().sum(dim=1).max())
    room = slots - protected
    order = torch.sort(scores_HS, dim=-1, descending=True, stable=True)
    open_to_all = order.values[:, protected:].reshape(-1)
    best = torch.sort(open_to_all, descending=True, stable=True).indices[: heads * room]
    won_H = torch.bincount(best // max(1, tokens - protected), minlength=heads)
    wanted = [(1 - alpha) * int(won) + alpha * room for won in won_H]
    return [
        order.indices[head, : protected + count].sort().values
        for head, count in enumerate(shared_out(wanted))
    ]


def share_left_over(scores_HS: Tensor, slots: int, *, alpha: Fraction) -> list[Tensor]:
    """H * slots slots, ascending per head: what is protected (inf), the best floor(alpha b) of each
    head, the rest by one ranking of all heads.
    """
    heads, tokens = scores_HS.shape
    protected = int(scores_HS.isposinf().sum(dim=1).max())
    own = protected + int(alpha * (slots - protected))
    order = torch.sort(scores_HS, dim=-1, descending=True, stable=True)
    open_to_all = order.values[:, own:].reshape(-1)
    chosen = torch.sort(open_to_all, descending=True, stable=True).indices[: heads * (slots - own)]
    counts = own + torch.bincount(chosen // max(1, tokens - own), minlength=heads)
    return [order.indices[head, : int(counts[head])].sort().values for head in range(heads)]
