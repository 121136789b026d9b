"""Which keys a row reads under a pattern, worked out from the definitions, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scbench.methods.invariants import Check, Probed, Trial, best_slots, softmax_of

Mask = Callable[[Probed], Tensor]  # (H, G, T, S) bool


def rows_read(mask: Mask) -> Check:
    """A check that a pattern's rows read the keys of `mask`, and no others."""

    def check(trial: Trial) -> str | None:
        found, wanted = trial.probed.mask_HGTS, mask(trial.probed)
        wrong = (found != wanted.expand_as(found)).nonzero()
        if not len(wrong):
            return ""
        head, member, row, key = (int(x) for x in wrong[0])
        does = "reads" if bool(found[head, member, row, key]) else "does not read"
        return (
            f"{len(wrong)} pairs differ; the first: query head {member} of KV head {head} {does} "
            f"key {key} in row {row}"
        )

    return check


def band(tokens: int, init: int, local: int) -> Tensor:
    """Row i sees key j <= i with j < init or i - j < local, (T, S)."""
    rows, keys = torch.arange(tokens).unsqueeze(1), torch.arange(tokens)
    return (keys <= rows) & ((keys < init) | (rows - keys < local))


def with_last_rows(tokens: int, init: int, local: int, last: int) -> Tensor:
    """The same, but the last rows see everything before them."""
    mask = band(tokens, init, local)
    mask[tokens - last :] = torch.ones(tokens, tokens).tril().bool()[tokens - last :]
    return mask


def each_head(probed: Probed, mask: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """`mask` of the queries and keys of every query head."""
    return torch.stack(
        [
            torch.stack([mask(q_TD, k_SD) for q_TD in q_GTD])
            for q_GTD, k_SD in zip(probed.q_HGTD, probed.k_HSD, strict=True)
        ]
    )


def estimates(q_TD: Tensor, k_SD: Tensor, scale: float, rows: int) -> tuple[Tensor, Tensor]:
    """Attention of the last rows by key, and by how far back a key is, (T,) each."""
    tokens = len(k_SD)
    weights_MT = softmax_of(q_TD[tokens - rows :], k_SD, scale)
    offsets_T = torch.zeros(tokens).double()
    for row in range(rows):
        at = tokens - rows + row
        offsets_T[: at + 1] += weights_MT[row, : at + 1].flip(0)
    return weights_MT.sum(dim=0), offsets_T


def vertical_slash(pattern: Any, tokens: int) -> Mask:
    """MInference: the columns and offsets that its last rows attend to most, the first and the
    nearest always."""
    sizes = pattern.pattern(0, 0, tokens)

    def of_head(probed: Probed, q_TD: Tensor, k_SD: Tensor) -> Tensor:
        columns_T, offsets_T = estimates(q_TD, k_SD, probed.scale, pattern.rows(tokens))
        first, near = pattern.forced(sizes, tokens)
        columns_T[:first] = offsets_T[:near] = float("inf")
        columns, offsets = torch.zeros(2, tokens, dtype=torch.bool)
        columns[best_slots(columns_T, sizes.first)] = True
        offsets[best_slots(offsets_T, sizes.second)] = True
        apart = torch.arange(tokens).unsqueeze(1) - torch.arange(tokens)
        found: Tensor = (columns | offsets[apart.clamp(min=0)]) & (apart >= 0)
        return found

    return lambda probed: each_head(probed, lambda q, k: of_head(probed, q, k))


def in_blocks(seen_RC: Tensor, block: int, tokens: int) -> Tensor:
    """Whole blocks of keys for blocks of rows, causal inside, and a row's own block always."""
    rows = torch.arange(tokens) // block
    whole = seen_RC | torch.eye(len(seen_RC), dtype=torch.bool)
    return whole[rows][:, rows] & torch.ones(tokens, tokens).tril().bool()


def antidiagonals(pattern: Any, tokens: int) -> Mask:
    """XAttention: the best blocks by the sums of strided antidiagonals."""
    block, stride, count = pattern.sizes(tokens)
    steps = -(-tokens // block) * (block // stride)

    def of_head(probed: Probed, q_TD: Tensor, k_SD: Tensor) -> Tensor:
        scores = torch.full((steps, steps), float("-inf")).double()
        padded = torch.zeros(2, steps * stride, q_TD.shape[1]).double()
        padded[0, :tokens], padded[1, :tokens] = q_TD.double(), k_SD.double()
        for r in range(stride):
            mine, theirs = padded[0, stride - 1 - r :: stride], padded[1, r::stride]
            scores = torch.where(scores.isinf(), 0.0, scores) + mine @ theirs.T
        scores *= probed.scale / pattern.norm / stride
        future = torch.ones(steps, steps).triu(1).bool()
        weights = torch.softmax(scores.masked_fill(future, float("-inf")), dim=-1)
        weights[-(-tokens // stride) :] = 0.0  # rows that are padding alone
        blocks = len(weights) * stride // block
        mass_RC = weights.view(blocks, block // stride, blocks, block // stride).sum(dim=(1, 3))
        return in_blocks(_best_of_rows(mass_RC, count, pattern.threshold), block, tokens)

    return lambda probed: each_head(probed, lambda q, k: of_head(probed, q, k))


def _best_of_rows(mass_RC: Tensor, count: int | None, threshold: float | None) -> Tensor:
    """The first and the row's own block, and the best of those before it: `count` in all, or the
    fewest that hold `threshold` of the row's mass."""
    seen = torch.zeros_like(mass_RC, dtype=torch.bool)
    for row, mass_C in enumerate(mass_RC):
        ranks_C = mass_C.clone()
        ranks_C[[0, row]] = float("inf")
        order = sorted(range(row + 1), key=lambda at: (-float(ranks_C[at]), at))
        if count is not None:
            seen[row, order[:count]] = True
            continue
        held, wanted = 0.0, (threshold or 0.0) * float(mass_C.sum())
        for at in order:
            if held >= wanted and at not in (0, row):
                break
            seen[row, at] = True
            held += float(mass_C[at])
    return seen


def last_rows_keep(pattern: Any, rows: int, gamma: float) -> Check:
    """A check that the last rows of every head keep `gamma` of their attention."""

    def check(trial: Trial) -> str | None:
        probed = trial.probed
        least = 1.0
        for q_GTD, k_SD, mask_GTS in zip(
            probed.q_HGTD, probed.k_HSD, probed.mask_HGTS, strict=True
        ):
            for q_TD, mask_TS in zip(q_GTD, mask_GTS, strict=True):
                weights = softmax_of(q_TD[len(q_TD) - rows :], k_SD, probed.scale)
                kept = (weights * mask_TS[len(q_TD) - rows :]).sum() / rows
                least = min(least, float(kept))
        if least >= gamma - 1e-6:
            return ""
        return f"the last {rows} rows of a head keep {least:.3f} of their attention, not {gamma}"

    return check
