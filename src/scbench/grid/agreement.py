"""Agreement with dense: what dense says next at every token of a gold answer, and how far from it
a method's stream is.

Kept of dense are its `KEPT` likeliest next tokens and one bucket for all others, in
`agreement.jsonl`, so that a resumed or extended run needs no second dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scbench.grid.packed import packed, unpacked
from scbench.ledger.book import TurnBook
from scbench.ledger.lock import Lock
from scbench.play.dense_tokens import DenseTokens

AGREEMENT = "agreement.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseLine:
    """One line of `agreement.jsonl`: a turn of a dense cell. Numbers are packed: int32 and float32,
    little-endian, compressed, in base 64."""

    key: str  # of the dense cell
    turn: int
    tokens: int
    kept: int
    ids: str
    logps: str
    others: str


class DenseBook(TurnBook[DenseLine]):
    """What dense said in a run folder; only places are held in memory."""

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, AGREEMENT, DenseLine, lock, _check)

    def put(self, key: str, turn: int, said: DenseTokens) -> None:
        """Keep what dense said at a turn, unless it is there."""
        if self.has(key, turn):
            return
        line = DenseLine(
            key=key,
            turn=turn,
            tokens=said.ids_TK.shape[0],
            kept=said.ids_TK.shape[1],
            ids=_packed(said.ids_TK),
            logps=_packed(said.logps_TK),
            others=_packed(said.others_T),
        )
        self.add(line)

    def get(self, key: str, turn: int) -> DenseTokens | None:
        """What dense said there; None if nobody kept it."""
        line = self.line(key, turn)
        return None if line is None else _tokens(line)


def _check(line: DenseLine) -> None:
    """Raise BadRecord for a line whose numbers are not those it says it has."""
    _tokens(line)


def _tokens(line: DenseLine) -> DenseTokens:
    shape = (line.tokens, line.kept)
    return DenseTokens(
        _unpacked(line.ids, torch.int32, shape),
        _unpacked(line.logps, torch.float32, shape),
        _unpacked(line.others, torch.float32, shape[:1]),
    )


def _packed(x: Tensor) -> str:
    return packed(x.contiguous().numpy().tobytes())


def _unpacked(text: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    data = unpacked(text, torch.Size(shape).numel() * dtype.itemsize)
    return torch.frombuffer(data, dtype=dtype).view(shape)
