"""Laws of what is held and read: at most the share asked for, and what was chosen alone."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from scbench.engines.local import LocalEngine
from scbench.exam.law import (
    CONTEXT_TOKENS,
    Broken,
    Idle,
    context,
    far,
    law,
    need,
    opened,
    read,
)
from scbench.exam.masked_model import held_by
from scbench.exam.pattern_law import keys_read
from scbench.kv import SelectedStore
from scbench.kv.accounting import counted_in
from scbench.kv.chosen import ChosenSlots
from scbench.methods.contract import Stage, is_default
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.types import Accounting

SLACK = Fraction(105, 100)  # of a codec's share: scales and norms come in whole numbers
QUERIES = 5


def asked(stage: Stage, tokens: int) -> int | None:
    """Slots that a share or `budget_tokens` asks for, floor(tau T + 1/2); None where neither was
    given, or where the others are not to make up for exempt layers."""
    if getattr(stage, "count_exempt", True) is False:
        return None
    tau, budget_tokens = (getattr(stage, name, None) for name in ("tau", "budget_tokens"))
    if tau is not None:
        return int(Fraction(tau) * tokens + Fraction(1, 2))
    return None if budget_tokens is None else int(budget_tokens)


@law("held at most the asked share")
def holds_at_most_what_was_asked(engine: LocalEngine, method: Method) -> None:
    looked = [
        _eviction_holds(engine, method),
        _codec_holds(engine, method),
        _selection_reads(engine, method),
        _pattern_reads(engine, method),
    ]
    if not any(looked):
        raise Idle("no stage of it was given a share or a budget")


def _eviction_holds(engine: LocalEngine, method: Method) -> bool:
    slots = None if method.eviction is None else asked(method.eviction, CONTEXT_TOKENS)
    if slots is None or method.codec is not None or not method.reads_all:
        return False
    stream = opened(engine, method)
    counts = [
        len(positions)
        for layer in stream.layers
        for head in held_by(engine, stream, layer)
        for positions in head
    ]
    mean = sum(counts) / len(counts)
    need(
        mean <= min(slots, CONTEXT_TOKENS),
        f"{method} holds {mean:.2f} slots a head of {CONTEXT_TOKENS}, and {slots} were asked for",
    )
    return True


def _codec_holds(engine: LocalEngine, method: Method) -> bool:
    codec = method.codec
    tau = getattr(codec, "tau", None)
    if tau is None or method.eviction is not None:
        return False
    with counted_in(Accounting.BFLOAT16):
        held_bytes = opened(engine, method).accounted_bytes()
    dense_bytes = engine.facts.shape.counted(2).dense_bytes(CONTEXT_TOKENS)
    need(
        held_bytes <= SLACK * tau * dense_bytes,
        f"{method} holds {held_bytes / dense_bytes:.4f} of a 16-bit cache, and tau={tau} was asked",
    )
    return True


def _selection_reads(engine: LocalEngine, method: Method) -> bool:
    if is_default(method.loading) or method.eviction is not None:
        return False
    slots = asked(method.loading, CONTEXT_TOKENS)
    if slots is None:
        return False
    read_by_layer = [
        float(_rows(engine, cache.stores[0], layer).max())
        for layer, cache in opened(engine, method).layers.items()
    ]
    mean = sum(read_by_layer) / len(read_by_layer)
    need(
        mean <= slots,
        f"{method} reads up to {mean:.1f} slots of {CONTEXT_TOKENS} a token, mean over layers; "
        f"{slots} were asked for",
    )
    return True


def _rows(engine: LocalEngine, store: object, layer: int) -> Tensor:
    """Slots that each query head reads for each of some tokens."""
    if not isinstance(store, SelectedStore):
        return torch.tensor([CONTEXT_TOKENS])
    q_HGTD = queries(engine, layer)
    chosen = store.digest.choose(q_HGTD, scale=q_HGTD.shape[-1] ** -0.5)
    if chosen is None:
        return torch.tensor([CONTEXT_TOKENS])
    return visible(chosen, q_HGTD.shape[0], CONTEXT_TOKENS).sum(dim=-1)


def queries(engine: LocalEngine, layer: int, tokens: int = QUERIES) -> Tensor:
    shape = engine.facts.shape.layers[layer]
    draw = torch.Generator().manual_seed(3)
    return 2 * torch.randn(shape.kv_heads, shape.group, tokens, shape.key_dim, generator=draw)


def visible(chosen: ChosenSlots, heads: int, slots: int) -> Tensor:
    """Which slots a choice names, (H, C, T, S) bool."""
    found = chosen.slots_HCTR
    choices, tokens = (1, 1) if found is None else found.shape[1:3]
    mask = torch.zeros(heads, choices, tokens, slots, dtype=torch.bool)
    if found is not None:
        counting = torch.ones_like(found) if chosen.inside_HCTR is None else chosen.inside_HCTR
        counts = torch.zeros(heads, choices, tokens, slots, dtype=torch.long)
        mask = counts.scatter_add_(3, found, counting.long().expand_as(found)) > 0
    for start, stop in chosen.ranges:
        mask[..., start:stop] = True
    return mask


def _pattern_reads(engine: LocalEngine, method: Method) -> bool:
    pattern = method.generation
    if is_default(pattern) or getattr(pattern, "mask", "exact") != "exact":
        return False  # whole tiles are more than was asked for, and said to be
    keys = asked(pattern, CONTEXT_TOKENS)
    if keys is None or pattern.traits.is_rewriting:
        return False
    seen_HGT = keys_read(pattern, engine.facts.shape.alike, CONTEXT_TOKENS).sum(dim=-1)
    middle = float(seen_HGT.float().flatten().median())
    need(
        middle <= keys,
        f"{pattern}: half of the rows read {middle:.0f} keys or more of {CONTEXT_TOKENS}, and "
        f"{keys} were asked for",
    )
    return True


@law("a step reads what was chosen, and nothing else")
def only_what_is_chosen_is_read(engine: LocalEngine, method: Method) -> None:
    if is_default(method.loading):
        raise Idle("every step reads everything")
    snapshot = read(engine, method, context())
    looked = 0
    for layer, cache in fork(snapshot, method).layers.items():
        store = cache.stores[0] if cache.stores else None
        if not isinstance(store, SelectedStore):
            continue
        q_HGTD = queries(engine, layer)
        scale = snapshot.view(layer).scale
        chosen = store.digest.choose(q_HGTD, scale=scale)
        if chosen is None:
            continue
        looked += 1
        found = store.attend(q_HGTD, scale=scale).partial
        wanted = _plainly(store, chosen, q_HGTD, scale)
        worst = far(found.out, wanted)
        if not worst < 1e-4:
            raise Broken(
                f"{method}: layer {layer} attends to something else than the slots it chose "
                f"({worst:.3g})"
            )
    if not looked:
        raise Idle("nothing is chosen of so short a context")


def _plainly(store: SelectedStore, chosen: ChosenSlots, q_HGTD: Tensor, scale: float) -> Tensor:
    """Softmax over the chosen slots, written out, and what the choice itself adds."""
    held = store.base.tensors()
    k_HSD, v_HSD = held["k"], held["v"]
    scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, k_HSD) * scale
    mask = visible(chosen, len(k_HSD), k_HSD.shape[1]).expand_as(scores)
    weights = scores.masked_fill(~mask, float("-inf")).double().exp()
    total = weights.sum(dim=-1)
    out = torch.einsum("hgts,hsd->hgtd", weights, v_HSD.double())
    for part in chosen.parts:
        total = total + part.lse.double().exp()
        out = out + part.out.double() * part.lse.double().exp().unsqueeze(-1)
    return (out / total.unsqueeze(-1)).float()
