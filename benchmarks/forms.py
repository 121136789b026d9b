"""What the authors' forms of RetroInfer and Ada-KV change: docs/decisions/0085.

    python benchmarks/forms.py

SmolLM2 reads six contexts and a question. RetroInfer: of the attention that the question's rows pay
outside the steady zone, the share that lies in the best clusters within an eighth of the slots, in
per cent. Ada-KV: slots that both divisions keep, and how far a head's number is off, in per cent.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from statistics import mean

import torch
from torch import Tensor

from scbench.engines.load import load
from scbench.kv import LayerView
from scbench.methods.compression.adakv import AdaKV
from scbench.methods.loading.retroinfer_clusters import clustered
from units import NUMBERS, mark_question, prompt

SINK, RECENT = 4, 16


def views() -> Iterator[LayerView]:
    """Every layer of every context, with the question read."""
    engine = load("smollm2-135m")
    for number in NUMBERS:
        context, question = (engine.tokenizer.encode(text).ids for text in prompt(engine, number))
        base = engine.read(context, needs=("window",))
        whole = engine.read(question, needs=("window",), base=base)
        mark_question(whole, len(question))
        yield from (whole.view(layer) for layer in whole.layers)


def held(view: LayerView, clustering: str, size: int) -> float:
    """Share of the attention between the ends of the store that the best clusters hold."""
    assert view.observed.window_HGWD is not None
    rows_HGTD = view.observed.window_HGWD[:, :, -(view.question_tokens or 1) :]
    stop = view.tokens - RECENT
    k_HSD, v_HSD = view.k_HSD[:, SINK:stop], view.v_HSD[:, SINK:stop]
    found = clustered(k_HSD, v_HSD, cluster_tokens=size, segment_tokens=8192, clustering=clustering)
    weights_HTS = weights(rows_HGTD, k_HSD, view.scale).sum(dim=1)
    ranks_HTC = weights(rows_HGTD, found.centres_HCD, view.scale).sum(dim=1)
    budget = view.tokens // 8
    shares = []
    for head in range(len(k_HSD)):
        slots, starts = found.slots_HS[head].long(), found.starts_HC[head].long()
        for row in range(rows_HGTD.shape[2]):
            best = ranks_HTC[head, row].argsort(descending=True, stable=True)
            total = found.sizes_HC[head].long()[best].cumsum(0)
            chosen = best[: max(1, int((total <= budget).sum()))]
            kept = torch.cat([slots[int(starts[c]) : int(starts[c + 1])] for c in chosen])
            shares.append(float(weights_HTS[head, row, kept].sum() / weights_HTS[head, row].sum()))
    return 100 * mean(shares)


def weights(rows_HGTD: Tensor, keys_HSD: Tensor, scale: float) -> Tensor:
    """Softmax attention of rows to these keys alone, (H, G, T, S)."""
    scores = torch.einsum("hgtd,hsd->hgts", rows_HGTD.float(), keys_HSD.float()) * scale
    return torch.softmax(scores, dim=-1)


def divided(view: LayerView, tau: Fraction, scorer: str) -> tuple[float, float]:
    """(slots in common, how far a head's slots are off) of the two divisions, in per cent."""
    ours, other = (
        AdaKV(tau=tau, scorer=scorer, division=division).keep(view)  # type: ignore[arg-type]
        for division in ("authors", "kvpress")
    )
    common = sum(len(set(a.tolist()) & set(b.tolist())) for a, b in zip(ours, other, strict=True))
    total = sum(map(len, ours))
    off = mean(abs(len(a) - len(b)) for a, b in zip(ours, other, strict=True))
    return 100 * common / total, 100 * off * len(ours) / total


def main() -> None:
    seen = list(views())
    for size in (2, 4, 8, 16):
        found = [mean(held(v, kind, size) for v in seen) for kind in ("euclidean", "spherical")]
        print(
            f"retroinfer, clusters of {size:2}: {found[0]:5.1f} euclidean {found[1]:5.1f} spherical"
        )
    for scorer in ("snapkv[window_tokens=32,kernel=5,pooling=avg]", "snapkv"):
        for tau in (Fraction(1, 4), Fraction(1, 8)):
            pairs = [divided(v, tau, scorer) for v in seen]
            common, off = (mean(pair[at] for pair in pairs) for at in (0, 1))
            print(f"adakv {scorer} {tau}: {common:.1f} in common, heads off by {off:.1f}")


if __name__ == "__main__":
    main()
