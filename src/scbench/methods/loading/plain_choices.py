"""Which slots a token should choose, worked out from the definitions, in fp64 and plain loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from scbench.kv import Digest, LayerView, Slots
from scbench.kv.chosen import ChosenSlots
from scbench.methods.invariants import Check, Trial, best_slots
from scbench.tensors import Tensor, torch

TOKENS = 3
Wanted = Callable[[Tensor, Tensor], set[int]]  # (G, D) queries and (S, D) keys of a KV head


def some_queries(view: LayerView) -> Tensor:
    """(H, G, T, D) queries of the size of the model's keys; their group is two at least."""
    draw = torch.Generator().manual_seed(7)
    shape = (view.heads, 2, TOKENS, view.k_HSD.shape[-1])
    return torch.randn(*shape, generator=draw) * float(view.k_HSD.std())


def named(chosen: ChosenSlots, head: int, choice: int, token: int) -> list[int]:
    """Slots that one query head reads for a token, each as often as it is named."""
    slots = [at for start, stop in chosen.ranges for at in range(start, stop)]
    if chosen.slots_HCTR is None:
        return slots
    found = chosen.slots_HCTR[head, choice, token]
    if chosen.inside_HCTR is not None:
        found = found[chosen.inside_HCTR[head, min(choice, len(chosen.inside_HCTR[0]) - 1), token]]
    return [*slots, *found.tolist()]


def chooses(digests: Callable[[list[Slots]], list[Digest | None]], wanted: Any) -> Check:
    """A check that a selection names the slots of `wanted(digest, q_GD, k_SD)`, each once.

    Where query heads choose apart, `wanted` is asked for each of them by itself.
    """

    def check(trial: Trial) -> str | None:
        if any(not view.slots.is_even for view in trial.views):
            return None
        made = digests([view.slots for view in trial.views])
        for layer, (view, digest) in enumerate(zip(trial.views, made, strict=True)):
            if digest is None:
                continue
            q_HGTD = some_queries(view)
            chosen = digest.choose(q_HGTD, scale=view.scale)
            if chosen is None:
                continue
            why = _compared(chosen, digest, view, q_HGTD, wanted)
            if why:
                return f"layer {layer}, {why}"
        return ""

    return check


def _compared(
    chosen: ChosenSlots, digest: Digest, view: LayerView, q_HGTD: Tensor, wanted: Any
) -> str:
    choices = 1 if chosen.slots_HCTR is None else chosen.slots_HCTR.shape[1]
    for head, k_SD in enumerate(view.k_HSD.double()):
        for token in range(TOKENS):
            for choice in range(choices):
                members = slice(None) if choices == 1 else slice(choice, choice + 1)
                q_GD = q_HGTD[head, members, token].double()
                found = named(chosen, head, choice, token)
                expected = wanted(digest, head, q_GD, k_SD, view.scale)
                if sorted(found) != sorted(expected):
                    apart = sorted(set(found) ^ set(expected))
                    return (
                        f"head {head}: {len(found)} slots are read and {len(set(expected))} are "
                        f"the right ones; they differ in {apart[:6]}"
                    )
    return ""


def pages(digest: Any, page: int, count: int) -> Any:
    """Quest: the last page, and the pages whose bound is largest over the group."""

    def wanted(_: Any, head: int, q_GD: Tensor, k_SD: Tensor, scale: float) -> list[int]:
        runs = [range(at, min(at + page, len(k_SD))) for at in range(0, len(k_SD), page)]
        bounds = []
        for run in runs:
            keys = k_SD[run.start : run.stop]
            low, high = keys.amin(dim=0), keys.amax(dim=0)
            bounds.append(float(torch.maximum(q_GD * low, q_GD * high).sum(dim=-1).max()))
        bounds[-1] = float("inf")
        best = best_slots(torch.tensor(bounds), count)
        return [at for number in best for at in runs[number]]

    return wanted


def products(count: int, first: int = 0, last: int = 0) -> Any:
    """The first and last slots, and of those between the largest products, most over the group."""

    def wanted(_: Any, head: int, q_GD: Tensor, k_SD: Tensor, scale: float) -> list[int]:
        stop = len(k_SD) - last
        scores_S = (q_GD @ k_SD.T).amax(dim=0)[first:stop]
        found = [at + first for at in best_slots(scores_S, count)]
        return [*range(first), *range(stop, len(k_SD)), *found]

    return wanted


def clusters_read(plan: Any) -> Any:
    """RetroInfer: both ends, and the clusters of the largest share of a softmax over means, summed
    over the group, while they fit."""

    def wanted(digest: Any, head: int, q_GD: Tensor, k_SD: Tensor, scale: float) -> list[int]:
        held = digest.tensors()
        starts = held["cluster_starts"][head].tolist()
        lists = held["cluster_slots"][head].tolist()
        runs = [lists[a:b] for a, b in itertools.pairwise(starts)]
        means = held["cluster_keys"][head].double()
        scores = q_GD @ means.T * scale
        empty = torch.tensor([not run for run in runs])
        share_C = torch.softmax(scores.masked_fill(empty, float("-inf")), dim=-1).sum(dim=0)
        filled = [at for at in range(len(runs)) if runs[at]]
        order = sorted(filled, key=lambda at: (-float(share_C[at]), at))
        found, read = [], 0
        for rank, at in enumerate(order):
            fits = (
                rank < plan.retrieved
                if plan.read_tokens is None
                else read + len(runs[at]) <= plan.read_tokens or rank == 0
            )
            if not fits:
                break
            found += [slot + plan.sink for slot in runs[at]]
            read += len(runs[at])
        ends = [*range(plan.sink), *range(len(k_SD) - plan.recent, len(k_SD))]
        return [*ends, *found]

    return wanted


def clusters_cover(digests: Callable[[list[Slots]], list[Digest | None]], plan: Any) -> Check:
    """A check that every slot between the ends is in one cluster, that means are means, that keys
    are with their like, and that an estimate is what n keys at the mean would get."""

    def check(trial: Trial) -> str | None:
        if any(not view.slots.is_even for view in trial.views):
            return None
        made = digests([view.slots for view in trial.views])
        for layer, (view, digest) in enumerate(zip(trial.views, made, strict=True)):
            if digest is None:
                continue
            held = digest.tensors()
            between = view.tokens - plan.sink - plan.recent
            for head in range(view.heads):
                why = _clusters_of(held, head, view, between, plan)
                if why:
                    return f"layer {layer}, head {head}: {why}"
            if why := _estimates(digest, view, plan):
                return f"layer {layer}: {why}"
        return ""

    return check


def _clusters_of(held: Any, head: int, view: LayerView, between: int, plan: Any) -> str:
    lists, starts = held["cluster_slots"][head].long(), held["cluster_starts"][head].tolist()
    if sorted(lists.tolist()) != list(range(between)) or starts[-1] != between:
        return f"clusters hold {len(set(lists.tolist()))} of {between} slots"
    keys, values = (
        x[head, plan.sink : view.tokens - plan.recent].double() for x in (view.k_HSD, view.v_HSD)
    )
    spread = 0.0
    for number, (a, b) in enumerate(itertools.pairwise(starts)):
        if a == b:
            continue
        for x, name in ((keys, "cluster_keys"), (values, "cluster_values")):
            apart = float(
                (x[lists[a:b]].mean(dim=0) - held[name][head, number].double()).abs().max()
            )
            if apart > 1e-3:
                return f"the {name[8:]} of cluster {number} have a mean that is {apart:.3g} off"
        spread += float((keys[lists[a:b]] - keys[lists[a:b]].mean(dim=0)).pow(2).sum())
    whole = float((keys - keys.mean(dim=0)).pow(2).sum())
    # Clusters of keys thrown together at random would keep (n - C) / (n - 1) of the variance.
    random = (between - len(starts) + 1) / (between - 1)
    if spread > 0.97 * random * whole:
        return f"keys of a cluster are no more alike than any: {spread / whole:.3f} of the variance"
    return ""


def _estimates(digest: Any, view: LayerView, plan: Any) -> str:
    q_HGTD = some_queries(view)
    chosen = digest.choose(q_HGTD, scale=view.scale)
    if chosen is None or not chosen.parts:
        return ""
    held = digest.tensors()
    for head in range(view.heads):
        starts = held["cluster_starts"][head].tolist()
        lists = held["cluster_slots"][head].tolist()
        for token in range(TOKENS):
            read = set(named(chosen, head, 0, token))
            open_to = [
                number
                for number, (a, b) in enumerate(itertools.pairwise(starts))
                if a < b and lists[a] + plan.sink not in read
            ]
            q_GD = q_HGTD[head, :, token].double()
            scores_GC = q_GD @ held["cluster_keys"][head].double().T * view.scale
            share_C = torch.softmax(scores_GC, dim=-1).sum(dim=0)
            best = sorted(open_to, key=lambda at: (-float(share_C[at]), at))[: plan.estimated]
            sizes = torch.tensor([starts[at + 1] - starts[at] for at in best]).double()
            lse_G = (scores_GC[:, best] + sizes.log()).logsumexp(dim=-1)
            apart = float((chosen.parts[0].lse[head, :, token].double() - lse_G).abs().max())
            if apart > 1e-3:
                return f"head {head}: an estimate is {apart:.3g} off that of {len(best)} clusters"
    return ""
