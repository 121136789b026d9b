"""Scores of slots worked out from their definitions, in fp64 and without the code they check."""

from __future__ import annotations

from collections.abc import Callable

from scbench.kv import LayerView
from scbench.methods.invariants import Check, Passed, Trial, compare, softmax_of
from scbench.tensors import Tensor, torch

INF = float("inf")
Plain = Callable[[Trial, int], Tensor | None]  # of a layer: (H, S), or None where nothing is known


def ranks_are(rank: Callable[[LayerView], Tensor], plain: Plain, what: str) -> Check:
    """A check that `rank` gives the scores of `plain`, in every layer."""

    def check(trial: Trial) -> str | None:
        for layer, view in enumerate(trial.views):
            if not view.slots.is_even:
                return None
            wanted = plain(trial, layer)
            if wanted is None:
                return None
            if why := compare(rank(view), wanted, f"layer {layer}: {what}"):
                return why
        return ""

    return check


def window_votes(
    view: LayerView, rows: int, *, kernel: int, pooling: str, group_first: bool
) -> Tensor:
    """Attention of the last `rows` queries to each slot before them, smoothed over `kernel` slots,
    mean over the group (first, or after smoothing): (H, S), inf for the rows themselves."""
    window = view.observed.window_HGWD
    assert window is not None, "the last queries were not observed"
    found = []
    for head, k_SD in enumerate(view.k_HSD):
        votes_GS = torch.stack(
            [
                softmax_of(q_WD[len(q_WD) - rows :], k_SD, view.scale).sum(dim=0)
                for q_WD in window[head]
            ]
        )[:, : view.tokens - rows]
        if group_first:
            votes_GS = votes_GS.mean(dim=0, keepdim=True)
        smooth = torch.stack([_smooth(votes_S, kernel, pooling) for votes_S in votes_GS])
        found.append(torch.cat([smooth.mean(dim=0), torch.full((rows,), INF).double()]))
    return torch.stack(found)


def _smooth(votes_S: Tensor, kernel: int, pooling: str) -> Tensor:
    """Each slot's most, or mean, over itself and its neighbours; beyond the ends there is nothing,
    which a mean counts as 0."""
    side = kernel // 2
    near = [votes_S[max(0, at - side) : at + side + 1] for at in range(len(votes_S))]
    if pooling == "max":
        return torch.stack([run.max() for run in near])
    return torch.stack([run.sum() / kernel for run in near])


def received(layer: Passed, scale: float) -> Tensor:
    """Attention that each key of a context receives over all rows, mean over the group: (H, S)."""
    return torch.stack(
        [
            torch.stack([softmax_of(q_TD, k_SD, scale).sum(dim=0) for q_TD in q_GTD]).mean(dim=0)
            for q_GTD, k_SD in zip(layer.q_HGTD, layer.k_HTD, strict=True)
        ]
    )


def expected(
    view: LayerView, bare_HGTD: Tensor, turn: Callable[[Tensor, Tensor], Tensor], future: int
) -> Tensor:
    """Expected attention of `future` queries to come, times the norm of the value, (H, S).

    `bare_HGTD` are queries before RoPE; a Gaussian of their mean and covariance is turned by the
    mean of the rotations at the positions to come.
    """
    dim = bare_HGTD.shape[-1]
    at = torch.arange(view.tokens, view.tokens + future)
    mean_DD = torch.stack(
        [turn(axis.expand(future, dim), at).double().mean(dim=0) for axis in torch.eye(dim)]
    )
    found = []
    for head, k_SD in enumerate(view.k_HSD.double()):
        shares = []
        for q_TD in bare_HGTD[head].double():
            apart = q_TD - q_TD.mean(dim=0)
            mean_D = q_TD.mean(dim=0) @ mean_DD
            spread_DD = mean_DD.T @ (apart.T @ apart / len(q_TD)) @ mean_DD
            bend_S = ((k_SD @ spread_DD) * k_SD).sum(dim=-1) * view.scale**2 / 2
            shares.append(torch.softmax(k_SD @ mean_D * view.scale + bend_S, dim=0))
        found.append(torch.stack(shares).mean(dim=0) * view.v_HSD[head].double().norm(dim=-1))
    return torch.stack(found)


def repeated(trial: Trial, layer: int, sinks: int) -> Tensor:
    """The most attention each slot gets, over the group and the rows of its own piece being said
    again, in a softmax over the first `sinks` slots, the piece and what is said: (H, S)."""
    view = trial.views[layer]
    scores_HS = torch.ones(view.heads, view.tokens).double()
    for start, stop, layers in trial.repeats:
        first = min(sinks, start)
        said = layers[layer]
        for head, k_SD in enumerate(view.k_HSD):
            keys = torch.cat([k_SD[:first], k_SD[start:stop], said.k_HTD[head]])
            most_GS = torch.stack(
                [softmax_of(q_TD, keys, view.scale).amax(dim=0) for q_TD in said.q_HGTD[head]]
            )
            scores_HS[head, start:stop] = most_GS.amax(dim=0)[first : first + stop - start]
    scores_HS[:, :sinks] = INF
    return scores_HS
