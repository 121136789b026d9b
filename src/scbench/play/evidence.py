"""What a stream holds and loads of a turn's evidence, head by head, and how much of that counts.

A head that does not look at a fact when dense gives the answer loses nothing with it; one that does
loses the answer. So tokens count by the attention that the gold answer pays them under dense
(docs/decisions/0103-evidence-by-head.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bits: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.int64]
Masses: TypeAlias = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ByHead:
    """Which of a turn's E evidence tokens are there, in R rows: the KV heads of each attention
    layer, one layer after the other. `bits_RE` is None where only their counts were kept.

    >>> there = ByHead.of(np.array([[True, True], [True, False]]))
    >>> there.counts_R.tolist()
    [2, 1]
    """

    counts_R: Counts
    bits_RE: Bits | None = None

    @classmethod
    def of(cls, bits_RE: Bits) -> ByHead:
        return cls(bits_RE.sum(axis=1), bits_RE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceHeld:
    """What a stream held of a turn's evidence when its answer began, and what the answer loaded.

    `heads` are the KV heads of each attention layer, first to last. `loaded` is None where no
    selection chose, or none that tells: what is held was read. `mass_RE`, of dense alone: the
    attention that the queries which predict the gold answer paid each token, but for those that
    came before a compression acts.
    """

    heads: tuple[int, ...]
    tokens: int
    held: ByHead
    loaded: ByHead | None = None
    mass_RE: Masses | None = None


class EvidenceMemory(Protocol):
    """Where it is kept what each turn held, by cell and turn (`grid/evidence.py` has it on
    disk)."""

    def put(self, key: str, turn: int, evidence: EvidenceHeld) -> None: ...

    def mass(self, key: str, turn: int) -> Masses | None:
        """The attention that a dense cell paid its evidence; None if nobody kept it."""
        ...


class EvidenceInMemory:
    """An EvidenceMemory for as long as a session is played; of what was held it keeps nothing.

    >>> EvidenceInMemory().mass("a cell", 0) is None
    True
    """

    def __init__(self) -> None:
        self._masses: dict[tuple[str, int], Masses] = {}

    def put(self, key: str, turn: int, evidence: EvidenceHeld) -> None:
        if evidence.mass_RE is not None:
            self._masses[key, turn] = evidence.mass_RE

    def mass(self, key: str, turn: int) -> Masses | None:
        return self._masses.get((key, turn))


def counted(there_RE: Bits, mass_RE: Masses | None) -> float | None:
    """The share of the attention `mass_RE` that falls on the tokens that are there: 1 where all
    are, and where none is paid; else None where it is not known.

    >>> there_RE = np.array([[True, False], [True, True]])
    >>> mass_RE = np.array([[0.0, 3.0], [0.5, 0.5]], dtype=np.float16)
    >>> counted(there_RE, mass_RE)  # one token of four is gone, and most looked at it
    0.25
    """
    if there_RE.all():
        return 1.0
    if mass_RE is None or mass_RE.shape != there_RE.shape:
        return None
    weights_RE = mass_RE.astype(np.float64)
    whole = float(weights_RE.sum())
    return float((weights_RE * there_RE).sum()) / whole if whole > 0 else 1.0
