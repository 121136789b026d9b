"""Which keys a row reads under a pattern, worked out from the definitions, row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scbench.methods.invariants import Check, Probed, Trial, best_slots, softmax_of
from scbench.tensors import Tensor, torch

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


def flexible(pattern: Any, tokens: int) -> Mask:
    """FlexPrefill with slashes=tokens and cover=blocks: block heads where pooled keys predict the
    last rows' attention, columns and diagonals of blocks elsewhere."""
    block, least, most, most_of_row = pattern.sizes(tokens)
    rows = pattern.rows(tokens)
    number = -(-tokens // block)

    def of_head(probed: Probed, q_TD: Tensor, k_SD: Tensor) -> Tensor:
        columns_T, offsets_T = estimates(q_TD, k_SD, probed.scale, rows)
        columns_R = (
            torch.zeros(number).double().index_add_(0, torch.arange(tokens) // block, columns_T)
        )
        diagonals_R = _caught(offsets_T, block, number)
        means = [
            torch.stack([x[at : at + block].double().mean(dim=0) for at in range(0, tokens, block)])
            for x in (q_TD, k_SD)
        ]
        last_D = q_TD[tokens - rows :].double().mean(dim=0)
        guess_R = torch.softmax(means[1] @ last_D * probed.scale, dim=0)
        is_block = _apart(columns_R / columns_R.sum(), guess_R) < pattern.tau_js
        sizes = [least, least]
        if not is_block:
            sizes = [_covering(x, pattern.gamma, least, most) for x in (columns_R, diagonals_R)]
        columns_R[0] = diagonals_R[:2] = float("inf")
        places = torch.arange(number)
        apart = places.unsqueeze(1) - places
        columns, diagonals = torch.zeros(2, number, dtype=torch.bool)
        columns[best_slots(columns_R, sizes[0])] = True
        diagonals[best_slots(diagonals_R, max(2, sizes[1]))] = True
        seen = (columns | diagonals[apart.clamp(min=0)]) & (apart >= 0)
        if is_block:
            scores = (means[0] @ means[1].T * probed.scale).masked_fill(apart < 0, float("-inf"))
            seen |= _best_of_map(torch.softmax(scores, dim=-1), pattern.gamma, most_of_row)
        return in_blocks(seen, block, tokens)

    return lambda probed: each_head(probed, lambda q, k: of_head(probed, q, k))


def _caught(offsets_T: Tensor, block: int, number: int) -> Tensor:
    """What each diagonal of blocks catches of the offsets: pairs at offset k b + m lie in diagonal
    k, but for m of every b rows, which reach one block further back."""
    found = torch.zeros(number + 1).double()
    for offset, mass in enumerate(offsets_T.tolist()):
        whole, beyond = divmod(offset, block)
        found[whole] += mass * (block - beyond) / block
        found[whole + 1] += mass * beyond / block
    found[number - 1] += found[number]  # beyond the prefix there is no diagonal
    return found[:number]


def _apart(true_R: Tensor, guess_R: Tensor) -> float:
    """The root of the Jensen-Shannon divergence, in nats."""
    middle_R = (true_R + guess_R) / 2
    total = 0.0
    for side_R in (true_R, guess_R):
        total += sum(
            float(x * (x / y).log()) for x, y in zip(side_R, middle_R, strict=True) if x > 0
        )
    return float(max(0.0, total / 2) ** 0.5)


def _covering(mass_R: Tensor, gamma: float, least: int, most: int | None) -> int:
    """Entries, the first among them, until gamma of the mass is held."""
    count = len(mass_R)
    if gamma < 1:
        order = [0, *sorted(range(1, count), key=lambda at: (-float(mass_R[at]), at))]
        held, count = 0.0, 0
        while count < len(order) and held < gamma * float(mass_R.sum()):
            held += float(mass_R[order[count]])
            count += 1
    return min(max(count, least), len(mass_R) if most is None else most)


def _best_of_map(map_RC: Tensor, gamma: float, most: int | None) -> Tensor:
    """The fewest entries of a map that hold gamma of it, with the first column and the two nearest
    diagonals; of each row the best `most`."""
    number = len(map_RC)
    apart = torch.arange(number).unsqueeze(1) - torch.arange(number)
    forced = (apart == 0) | (apart == 1) | (torch.arange(number) == 0)
    ranked = map_RC.masked_fill(forced, float("inf"))
    order = ranked.flatten().sort(descending=True, stable=True).indices
    held = map_RC.flatten()[order].cumsum(dim=0)
    before = held - map_RC.flatten()[order]
    kept = torch.zeros(number * number, dtype=torch.bool)
    kept[order[before < gamma * map_RC.sum()]] = True
    kept_RC = (kept.view(number, number) | forced | torch.tensor(gamma >= 1)) & (apart >= 0)
    if most is None:
        return kept_RC
    best = torch.zeros_like(kept_RC)
    for row in range(number):
        best[row, best_slots(ranked[row, : row + 1], most)] = True
    return kept_RC & best
