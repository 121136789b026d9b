"""The repeat pass: the model is made to say its own context again, and each KV pair is noted by how
much it is then used.

It runs on forks that are thrown away: the snapshot's K and V are read and never written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scbench.engines.packed import Lane, StepPass
from scbench.kernels.column_max import column_max
from scbench.kv import LayerView, Snapshot, Stream
from scbench.prompts import Tokenizer

SINKS = 4  # first tokens: every softmax sees them, and they score 1
MOST_CHUNK_TOKENS, LEAST_CHUNK_TOKENS = 2048, 128
LEAD_TOKENS = 8  # of the previous chunk, quoted so that the model knows where to go on
FIRST = "\n\nRepeat the previous context exactly:\n\n"
NEXT = "\n\nRepeat the part of the previous context exactly that starts after `{lead}`:\n\n"


class RepeatPiece(NamedTuple):
    """Tokens [start, stop) of the context, and what is fed after it to have them said again (the
    request, then the tokens themselves).
    """

    start: int
    stop: int
    ids: list[int]


def pieces(ids: Sequence[int], tokenizer: Tokenizer) -> list[RepeatPiece]:
    """The context in chunks of a quarter of it, at least 128 and at most 2,048 tokens, each with
    its request.
    """
    chunk = min(MOST_CHUNK_TOKENS, max(LEAST_CHUNK_TOKENS, len(ids) // 4))
    found = []
    for start in range(0, len(ids), chunk):
        lead = tokenizer.decode(list(ids[max(0, start - LEAD_TOKENS) : start]))
        request = FIRST if start == 0 else NEXT.format(lead=lead)
        stop = min(start + chunk, len(ids))
        found.append(RepeatPiece(start, stop, [*tokenizer.encode(request).ids, *ids[start:stop]]))
    return found


class RepeatPass(StepPass):
    """Dense attention of one fork, whose queries score the keys of `piece` on their way."""

    def __init__(
        self, snapshot: Snapshot, stream: Stream, piece: RepeatPiece, scores: dict[int, Tensor]
    ) -> None:
        super().__init__([Lane(stream, 0, len(piece.ids))])
        self.snapshot, self.piece, self.scores = snapshot, piece, scores

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        view, (start, stop, _) = self.snapshot.view(layer), self.piece
        if not view.slots.is_even or view.positions_HS is not None:
            self._score_held(view, layer, q_HGND, k_HND, scale)
            return super().attend(layer, q_HGND, k_HND, v_HND, scale)
        k_HSD = view.k_HSD
        sinks = min(SINKS, start)
        restricted = torch.cat([k_HSD[:, :sinks], k_HSD[:, start:stop]], dim=1)
        best = column_max(q_HGND, restricted, k_HND, scale=scale)[:, sinks:]
        if layer not in self.scores:
            self.scores[layer] = torch.ones(
                k_HSD.shape[:2], dtype=torch.float32, device=k_HSD.device
            )
        self.scores[layer][:, max(start, SINKS) : stop] = best[:, max(start, SINKS) - start :]
        return super().attend(layer, q_HGND, k_HND, v_HND, scale)

    def _score_held(
        self, view: LayerView, layer: int, q_HGND: Tensor, k_HND: Tensor, scale: float
    ) -> None:
        """The same where slots were dropped: each head scores what it holds of the piece."""
        start, stop, _ = self.piece
        if layer not in self.scores:
            shape = (view.heads, view.tokens)
            self.scores[layer] = torch.full(shape, float("-inf"), device=k_HND.device)
            for head, count in enumerate(view.slots.counts):
                self.scores[layer][head, :count] = 1.0
        for head in range(view.heads):
            positions = view.slots.positions(head)
            sinks = int((positions < min(SINKS, start)).sum())
            first, last = (int((positions < edge).sum()) for edge in (start, stop))
            k_SD, _ = view.slots.head(head)
            one = slice(head, head + 1)
            restricted = torch.cat([k_SD[:sinks], k_SD[first:last]]).unsqueeze(0)
            best = column_max(q_HGND[one], restricted, k_HND[one], scale=scale)[0, sinks:]
            scored = max(first, int((positions < SINKS).sum()))
            self.scores[layer][head, scored:last] = best[scored - first :]


def passes(
    snapshot: Snapshot, found: Sequence[RepeatPiece], scores: dict[int, Tensor]
) -> Iterator[tuple[RepeatPass, RepeatPiece, Stream]]:
    """One forward to run per piece, each on a fork of its own."""
    for piece in found:
        stream = snapshot.fork()
        yield RepeatPass(snapshot, stream, piece, scores), piece, stream
