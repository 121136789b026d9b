"""What a stage promises beyond the laws that all methods keep: checks that it brings along.

`Stage.invariants()` says them by name; `scbench doctor` plays them on a `Trial`. A check returns ""
where the promise holds, the numbers that show it where it does not, and None where it does not
apply. What a check compares with should be worked out apart from the code it checks: in plain
loops, in fp64, from the definition.

>>> from scbench.methods import parse
>>> sorted(parse("knorm[tau=1/4]").eviction.invariants())[:2]
['a score is the norm of its key, turned over', 'its budget is used up']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from scbench.kv import CacheShape, LayerCache, LayerView, Stream
from scbench.tensors import Tensor, torch

NEAR = 1e-3  # of scores, beside the largest of them


class Passed(NamedTuple):
    """Queries, keys and values of one layer for the tokens of a forward, after RoPE."""

    q_HGTD: Tensor
    k_HTD: Tensor
    v_HTD: Tensor


class Repeated(NamedTuple):
    """A piece of the context, tokens [start, stop), and what the model did while it said it again,
    layer by layer."""

    start: int
    stop: int
    layers: list[Passed]


class Fed(NamedTuple):
    """One forward after the context: what passed, layer by layer, and which positions each KV head
    of each layer held when it was over."""

    layers: list[Passed]
    held: list[list[Tensor]]


class Probed(NamedTuple):
    """Queries and keys that a pattern was given, and how much of each key a row read, which is 0
    where it did not. Patterns that go by head gates were given `gates`, and read as `layer`; those
    that move keys to other distances were given the rotation `turn`."""

    q_HGTD: Tensor
    k_HSD: Tensor
    weights_HGTS: Tensor
    scale: float
    gates: list[list[float]]
    layer: int
    turn: Callable[[Tensor, Tensor], Tensor]

    @property
    def mask_HGTS(self) -> Tensor:
        return self.weights_HGTS != 0


@dataclass(frozen=True)
class Trial:
    """A context of some hundred tokens that a tiny random model has read as the method reads it.

    `views` has one layer each; `stream` is the method's own over it, to which nothing was appended.
    What takes a forward is made when it is asked for, once: `context` is what a dense read of the
    same tokens passes (None where the method does not read densely), `repeats` the context said
    again, `fed` some forwards of the method's own stream, `probed` what a pattern makes of random
    queries and keys. `turn` moves keys (S, D) by (S,) positions, apart from the model's own code.
    """

    shape: CacheShape
    tokens: int
    views: Sequence[LayerView]
    stream: Stream
    evidence: tuple[int, ...]
    text: str
    turn: Callable[[Tensor, Tensor], Tensor]
    makers: Mapping[str, Callable[[], Any]] = field(default_factory=dict)

    @cached_property
    def context(self) -> list[Passed] | None:
        found: list[Passed] | None = self.makers["context"]()
        return found

    @cached_property
    def repeats(self) -> list[Repeated]:
        found: list[Repeated] = self.makers["repeats"]()
        return found

    @cached_property
    def fed(self) -> list[Fed]:
        found: list[Fed] = self.makers["fed"]()
        return found

    @cached_property
    def probed(self) -> Probed:
        found: Probed = self.makers["probed"]()
        return found

    @cached_property
    def blended(self) -> Any:
        """Of a method that blends: `rows` computed in each layer, the keys and values `stored` of
        each layer side by side, and `dense` ones of a whole read."""
        return self.makers["blended"]()

    def held(self, layer: int) -> list[Tensor]:
        """Positions that each KV head of the stream holds, of the context."""
        index = list(self.stream.layers)[layer]
        return [self.stream.positions(index, head) for head in range(self.views[layer].heads)]


Check: TypeAlias = Callable[[Trial], str | None]
Invariants: TypeAlias = dict[str, Check]


def compare(ours: Tensor, plain: Tensor, what: str) -> str:
    """ "" where two tensors of scores agree, infinities and all; else how far they are apart."""
    ours, plain = ours.double(), plain.double()
    fixed = plain.isinf() | ours.isinf()
    if not torch.equal(ours[fixed], plain[fixed]):
        return f"{what}: not the same slots are protected"
    apart = (ours - plain)[~fixed].abs().max() if bool((~fixed).any()) else torch.zeros(())
    size = plain[~fixed].abs().max() if bool((~fixed).any()) else torch.ones(())
    if float(apart) <= NEAR * max(float(size), 1e-12):
        return ""
    return f"{what} are up to {float(apart):.3g} off, of {float(size):.3g}"


def best_slots(ranks_S: Tensor, slots: int) -> list[int]:
    """The slots of the largest ranks, ascending; of equals the first."""
    order = sorted(range(len(ranks_S)), key=lambda at: (-float(ranks_S[at]), at))
    return sorted(order[:slots])


def softmax_of(q_TD: Tensor, k_SD: Tensor, scale: float, *, last: bool = True) -> Tensor:
    """Attention of T tokens to S keys, (T, S) in fp64; the last T keys are the tokens' own, each of
    which sees those up to itself. `last=False`: every token sees every key."""
    tokens, slots = len(q_TD), len(k_SD)
    scores = q_TD.double() @ k_SD.double().T * scale
    if last:
        row = torch.arange(slots - tokens, slots).unsqueeze(1)
        scores = scores.masked_fill(torch.arange(slots) > row, float("-inf"))
    return torch.softmax(scores, dim=-1)


class Decoded(NamedTuple):
    """What a cache gives back of its slots, (H, S, D) each, in fp64."""

    k_HSD: Tensor
    v_HSD: Tensor


SHARP = 24.0  # how long a query is beside its key: other slots get less than e^-100 of it


def decoded(cache: LayerCache, k_HSD: Tensor) -> Decoded:
    """K and V of a cache as attention sees them, recovered through `attend` alone.

    A query along a key less the mean of all, long enough, attends to that slot and to no other: its
    output is the value there. Moved along a channel, its log-sum-exp moves by that channel of the
    key. `k_HSD` are the true keys, of the store's slots and then of the tail's.
    """
    heads, slots, dim = k_HSD.shape
    apart_HSD = k_HSD - k_HSD.mean(dim=1, keepdim=True)
    steps = torch.cat([torch.zeros(1, dim), torch.eye(dim)])
    asked = (apart_HSD.unsqueeze(2) + steps) * SHARP
    asked_HN1D = asked.flatten(1, 2).unsqueeze(2)  # as queries of one group: a tail sees one token
    parts = [store.attend(asked_HN1D, scale=1.0).partial for store in cache.stores]
    if cache.tail.slots:
        parts.append(cache.tail.attend(asked_HN1D, scale=1.0).partial)
    lse = torch.stack([part.lse.double() for part in parts])
    share = torch.softmax(lse, dim=0).unsqueeze(-1)
    out = torch.stack([part.out.double() for part in parts]).mul_(share).sum(dim=0)
    products = lse.logsumexp(dim=0).view(heads, slots, dim + 1) / SHARP
    values = out.view(heads, slots, dim + 1, dim)[:, :, 0]
    return Decoded(products[:, :, 1:] - products[:, :, :1], values)


def codec_slots(heads: int, slots: int, dim: int) -> Decoded:
    """Keys and values as models make them: channels of keys have a size and an offset each."""
    draw = torch.Generator().manual_seed(11)
    sizes_D = 0.75 + torch.rand(dim, generator=draw) * 0.75
    offsets_D = 2 * torch.randn(dim, generator=draw)
    k_HSD = torch.randn(heads, slots, dim, generator=draw) * sizes_D + offsets_D
    return Decoded(k_HSD, torch.randn(heads, slots, dim, generator=draw))


def misses(found: Decoded, true: Decoded, bounds: Decoded) -> str:
    """ "" where keys and values come back within `bounds` (H, S, D) of what they were."""
    for what, back, wanted, bound in zip(("keys", "values"), found, true, bounds, strict=True):
        apart_HSD = (back - wanted.double()).abs()
        over = apart_HSD > bound.double() * 1.01 + 4e-3
        if bool(over.any()):
            head, slot, channel = (int(x) for x in over.nonzero()[0])
            return (
                f"{int(over.sum())} numbers of {what} come back further off than they may: slot "
                f"{slot} of head {head} by {float(apart_HSD[head, slot, channel]):.3g} in channel "
                f"{channel}, where {float(bound[head, slot, channel]):.3g} is allowed"
            )
    return ""
