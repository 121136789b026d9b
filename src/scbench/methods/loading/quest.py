"""Quest: bounds on q.k per page choose the pages a token reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, ChosenSlots, Digest, Slots
from scbench.kv.accounting import accounted
from scbench.methods.contract import Budgeted, Selection, smallest_share
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.loading import plain_choices
from scbench.methods.traits import Traits
from scbench.methods.units import PAGE, unit
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest(Budgeted, Selection):
    """Each query token reads, per KV head, the pages whose bound is largest; the last page and
    everything appended later are always read.

    Source: Quest (arXiv 2406.10774). The bound of a page is U = sum_c max(q_c max_c, q_c min_c) >=
    q.k for each of its keys. Ours takes the largest U over the group, so it holds for every query
    head that shares the page, and selects per query token (the published code adds up the signs of
    several tokens, which bounds nothing). `exempt_layers` first layers read everything (2 in
    Quest's own paper). With a budget of K tokens (default: 1/32 of the store) pages follow the rule
    of units: near min(T / 128, K / 16), up to 16. What exempt layers read is charged to such a
    budget: of L layers over T slots, s exempt, the others read K' = (L K - s T) / (L - s), so that
    the mean over layers is K; with `count_exempt=no` they read K, and the real share is larger.
    `read_tokens` is the other layers' own size.
    """

    page_tokens: int | None = None
    read_tokens: int | None = None
    exempt_layers: int = 0
    count_exempt: bool = True

    minimum_tokens: ClassVar[int] = 16
    _unit_fields: ClassVar[tuple[str, ...]] = ("page_tokens",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (
            (self.page_tokens is not None and self.page_tokens < 1)
            or (self.read_tokens is not None and self.read_tokens < 1)
            or self.exempt_layers < 0
        ):
            raise Mismatch(
                f"{self}: page_tokens and read_tokens are at least 1 and exempt_layers at least 0"
            )

    def own_tokens(self) -> int | None:
        if not self.read_tokens:
            return None
        page = self.page_tokens or PAGE
        return page * max(3, self.read_tokens // page)

    @property
    def is_own(self) -> bool:
        """Whether its own size, and no budget, is in force."""
        return self.tau is None and self.budget_tokens is None and self.read_tokens is not None

    @property
    def is_charging_exempt(self) -> bool:
        """Whether the other layers make up for what exempt ones read."""
        return self.exempt_layers > 0 and self.count_exempt and not self.is_own

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return Traits(needs_even_layers=self.is_charging_exempt)

    def read_budget(self, tokens: int, layers: int) -> int:
        """K, or K', of a layer that is not exempt, out of `layers` that hold `tokens` slots each;
        below the minimum it may be negative.
        """
        budget = self.budget(tokens)
        if not self.is_charging_exempt or layers <= self.exempt_layers or budget >= tokens:
            return budget
        return (layers * budget - self.exempt_layers * tokens) // (layers - self.exempt_layers)

    def sizes(self, tokens: int, layers: int = 0) -> tuple[int, int]:
        """(page size, pages read) for a store of `tokens` slots in each of `layers` layers; 0: a
        layer by itself, to which nothing is charged.
        """
        budget = self.read_budget(tokens, layers)
        page = self.page_tokens or (PAGE if self.is_own else self._page(tokens, budget))
        if not self.is_own and budget >= tokens:
            return page, math.ceil(tokens / page)  # everything is read
        return page, max(1, budget // page)

    @staticmethod
    def _page(tokens: int, budget: int) -> int:
        return unit(tokens=tokens, budget=budget, most=PAGE)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        return {"page_tokens": self.sizes(tokens, len(shape.attention_layers))[0]}

    def _under_rule(self, tokens: int) -> Self:
        """A size of its own counts as the budget."""
        own = None if self._has_budget else self.own_tokens()
        bare = replace(self, page_tokens=None, read_tokens=None)
        return bare if own is None else replace(bare, budget_tokens=max(own, self.minimum_tokens))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        if self.page_tokens is not None and not self.is_own:
            budget, page = self.budget(tokens), self.page_tokens
            self._check_unit("page_tokens", page, units=2, tokens=tokens, budget=budget)
        if self.exempt_layers >= max(1, len(shape.attention_layers)) and shape.attention_layers:
            raise Mismatch(
                f"{self} exempts all {len(shape.attention_layers)} attention layers of this model; "
                f"exempt fewer"
            )
        layers, exempt, least = (
            len(shape.attention_layers),
            self.exempt_layers,
            min(self.minimum_tokens, tokens),
        )
        if (
            self.is_charging_exempt
            and layers
            and (left := self.read_budget(tokens, layers)) < least
        ):
            share = smallest_share(
                -(-(exempt * tokens + (layers - exempt) * least) // layers), tokens
            )
            raise Mismatch(
                f"{self}: {exempt} of {layers} layers read all {tokens:,} tokens, which leaves the "
                f"others {max(0, left)} each, below the minimum of {least}; use tau={share} (about "
                f"{float(share):.4f}) or more, or count_exempt=no"
            )

    def digest_all(self, layers: Sequence[Slots | None]) -> list[Digest | None]:
        there = [slots for slots in layers if slots is not None]
        if self.is_charging_exempt and len({slots.most for slots in there}) > 1:
            raise Mismatch(
                f"{self} charges what exempt layers read to the others, and here layers hold "
                f"different numbers of slots; use count_exempt=no"
            )
        return [
            None if slots is None else self._paged(slots, layer, len(layers))
            for layer, slots in enumerate(layers)
        ]

    def digest(self, slots: Slots, *, layer: int) -> Digest | None:
        """A layer by itself: nothing is charged to it, as with count_exempt=no."""
        return self._paged(slots, layer, 0)

    def _paged(self, slots: Slots, layer: int, layers: int) -> Digest | None:
        if layer < self.exempt_layers:
            return None
        page, pages = self.sizes(slots.most, layers)
        return PageDigest(slots.k_HSD, page_tokens=page, pages=pages)

    def invariants(self) -> Invariants:
        return {
            "the pages of the largest bounds are read, and the newest": self._reads_best,
            "a page's extremes are those of its keys": self._bounds_its_keys,
        }

    def _bounds_its_keys(self, trial: Trial) -> str:
        made = self.digest_all([view.slots for view in trial.views])
        for layer, (view, digest) in enumerate(zip(trial.views, made, strict=True)):
            if not isinstance(digest, PageDigest):
                continue
            page = digest.page_tokens
            for at in range(0, view.tokens, page):
                keys = view.k_HSD[:, at : at + page]
                low, high = digest.low_HPD[:, at // page], digest.high_HPD[:, at // page]
                if not torch.equal(low, keys.amin(dim=1)) or not torch.equal(high, keys.amax(1)):
                    return f"layer {layer}: the page at slot {at} has other extremes"
        return ""

    def _reads_best(self, trial: Trial) -> str | None:
        layers = len(trial.views) if self.is_charging_exempt else 0
        page, _ = self.sizes(trial.tokens, layers)
        budget = self.read_budget(trial.tokens, layers)
        count = min(max(1, budget // page), -(-trial.tokens // page))
        wanted = plain_choices.pages(self, page, count)
        return plain_choices.chooses(self.digest_all, wanted)(trial)

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        if layer < self.exempt_layers:
            return 0
        page, _ = self.sizes(slots, len(shape.attention_layers))
        own = shape.attending[layer]
        return 2 * own.kv_heads * own.key_dim * -(-slots // page) * own.dtype_bytes


class PageDigest:
    """The elementwise extremes of each page's keys: 2 H P D e bytes.

    A query token looks at all of them, and reads K and V of the pages it chose.
    """

    def __init__(self, k_HSD: Tensor, *, page_tokens: int, pages: int) -> None:
        self.heads, self.slots, _ = k_HSD.shape
        self.page_tokens = page_tokens
        self.low_HPD, self.high_HPD = page_extremes(k_HSD, page_tokens)
        self.pages = min(pages, self.low_HPD.shape[1])
        in_last_page = self.slots - (self.low_HPD.shape[1] - 1) * page_tokens
        self._read_slots = (self.pages - 1) * page_tokens + in_last_page

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots | None:
        if self.pages == self.low_HPD.shape[1]:
            return None  # no bound is read
        slots_HTR, inside_HTR = self.chosen_slots(q_HGTD)
        return ChosenSlots(  # one choice for the queries of a KV head
            slots_HTR.unsqueeze(1),
            inside_HTR.unsqueeze(1),
            rows_T=[self.heads * self._read_slots] * q_HGTD.shape[2],
            digest_bytes=accounted((self.low_HPD, self.high_HPD)),
        )

    def chosen_slots(self, q_HGTD: Tensor) -> tuple[Tensor, Tensor]:
        """Slots each token reads, (H, T, R), and which of them exist (the last page may be partly
        filled).
        """
        bounds_HTP = page_bounds(q_HGTD, self.low_HPD, self.high_HPD)
        bounds_HTP[..., -1] = float("inf")  # the newest page is always read
        pages_HTP = torch.sort(bounds_HTP, dim=-1, descending=True, stable=True).indices[
            ..., : self.pages
        ]
        within = torch.arange(self.page_tokens, device=q_HGTD.device)
        slots = (pages_HTP.unsqueeze(-1) * self.page_tokens + within).flatten(2)
        inside = slots < self.slots
        return slots.clamp_(max=self.slots - 1), inside

    def tensors(self) -> dict[str, Tensor]:
        return {"page_low": self.low_HPD, "page_high": self.high_HPD}

    def detached(self) -> PageDigest:
        return self


def page_extremes(k_HSD: Tensor, page_tokens: int) -> tuple[Tensor, Tensor]:
    """Elementwise smallest and largest key of each page, (H, P, D); the last page may hold fewer
    keys.
    """
    heads, slots, dim = k_HSD.shape
    whole = slots // page_tokens * page_tokens
    pages = k_HSD[:, :whole].reshape(heads, -1, page_tokens, dim)
    low, high = pages.amin(dim=2), pages.amax(dim=2)
    if whole < slots:
        rest = k_HSD[:, whole:]
        low = torch.cat([low, rest.amin(dim=1, keepdim=True)], dim=1)
        high = torch.cat([high, rest.amax(dim=1, keepdim=True)], dim=1)
    return low, high


def page_bounds(q_HGTD: Tensor, low_HPD: Tensor, high_HPD: Tensor) -> Tensor:
    """The most any key of a page could score against each token, largest over the group: (H, T, P).

    sum_c max(q_c high_c, q_c low_c) splits into the positive part of q times high plus the negative
    part times low: two matrix products.
    """
    up, down = q_HGTD.clamp(min=0), q_HGTD.clamp(max=0)
    bounds = torch.einsum("hgtd,hpd->hgtp", up, high_HPD) + torch.einsum(
        "hgtd,hpd->hgtp", down, low_HPD
    )
    return bounds.amax(dim=1)
