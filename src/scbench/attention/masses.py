"""Arithmetic on attention masses: which keys have most, how alike sets are, how few hold it all.

Axes as in `kernels`: H KV heads, G query heads of each, T queries, S keys of the context, K keys of
a set. All functions treat heads together.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

# Looked at whatever is asked: the first keys of a prefix, and where a template stands before the
# document, keys of that template (in SmolLM2 three words "the" of the instruction).
SINKS = 4
NEWEST = Fraction(1, 32)  # of a prefix: its last keys, near to every question
ALL, INNER = "all", "inner"


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A run [start, stop) of a context's keys: `all` that turns share, or `inner`, the document
    without its ends and without what a template puts before it.

    >>> inner = KeySpan.inner(context_tokens=1024, document=40)
    >>> inner.start, inner.stop, inner.count(Fraction(1, 32))
    (40, 992, 30)
    """

    name: str
    start: int
    stop: int

    @classmethod
    def all(cls, context_tokens: int) -> KeySpan:
        return cls(ALL, 0, context_tokens)

    @classmethod
    def inner(cls, context_tokens: int, document: int = 0) -> KeySpan:
        """`document` is the first token of the session's own text."""
        stop = context_tokens - max(1, int(NEWEST * context_tokens))
        start = max(SINKS, document)
        return cls(INNER, start, max(start + 1, stop))

    @property
    def keys(self) -> int:
        return self.stop - self.start

    def count(self, share: Fraction) -> int:
        """How many keys are a share of these, at least one."""
        return max(1, int(share * self.keys + Fraction(1, 2)))

    def of(self, x: Tensor) -> Tensor:
        """The part of `x` (..., S) over these keys: a view."""
        return x[..., self.start : self.stop]


def logits(q_HGTD: Tensor, k_HSD: Tensor, *, scale: float) -> Tensor:
    """Scaled products of queries and keys in fp32, (H, G, T, S)."""
    products: Tensor = torch.einsum("hgtd,hsd->hgts", q_HGTD.float(), k_HSD.float())
    return products.mul_(scale)


def overlap(one_HGK: Tensor, other_HGK: Tensor, keys: int) -> Tensor:
    """Share of the slots `other` that are in `one` too, (H, G); both name slots below `keys`.

    >>> one, other = torch.tensor([[[0, 1, 2, 3]]]), torch.tensor([[[2, 3, 4, 5]]])
    >>> overlap(one, other, keys=8).tolist()
    [[0.5]]
    """
    shared_HG: Tensor = marked(one_HGK, keys).gather(-1, other_HGK.long()).float().mean(dim=-1)
    return shared_HG


def marked(slots_HGK: Tensor, keys: int) -> Tensor:
    """Slots as a mask (H, G, S)."""
    mask = torch.zeros((*slots_HGK.shape[:-1], keys), dtype=torch.bool, device=slots_HGK.device)
    return mask.scatter_(-1, slots_HGK.long(), True)


def fewest_keys(p_HGTS: Tensor, part: float) -> Tensor:
    """The fewest keys that hold `part` of each row's mass over all S, (H, G, T).

    >>> fewest_keys(torch.tensor([[[[0.1, 0.7, 0.1, 0.1]]]]), 0.75).tolist()
    [[[2]]]
    """
    ranked = p_HGTS.sort(dim=-1, descending=True).values.cumsum(dim=-1)
    fewer: Tensor = (ranked < part * ranked[..., -1:]).sum(dim=-1)
    return fewer + 1


def entropy(p_HGTS: Tensor) -> Tensor:
    """Of each row's mass over all S, as if it were the whole, in nats, (H, G, T)."""
    shares = p_HGTS / p_HGTS.sum(dim=-1, keepdim=True).clamp_min(1e-30)
    nats: Tensor = torch.special.entr(shares).sum(dim=-1)
    return nats


def best_masses(p_HGTS: Tensor, logits_HGTS: Tensor, *, choices: int) -> Tensor:
    """The mass on the c keys that exact top-k would read, (H, G, T, S + 1), for every c from 0 to
    S.

    With one choice for the query heads of a KV head, keys are ranked by the largest product over
    the group, as `exact-topk` does; with as many choices as heads, each by its own. Equal products
    go to the earlier key.

    >>> products = torch.tensor([[[[0.0, 2.0, 1.0]]]])
    >>> best = best_masses(products.softmax(dim=-1), products, choices=1)
    >>> [round(mass, 3) for mass in best[0, 0, 0, :2].tolist()]
    [0.0, 0.665]
    """
    ranks = logits_HGTS.amax(dim=1, keepdim=True) if choices == 1 else logits_HGTS
    order = ranks.argsort(dim=-1, descending=True, stable=True).expand(logits_HGTS.shape)
    sums = p_HGTS.gather(-1, order).cumsum(dim=-1)
    return torch.cat([torch.zeros_like(sums[..., :1]), sums], dim=-1)
