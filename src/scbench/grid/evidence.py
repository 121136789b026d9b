"""What each turn held and loaded of its evidence, head by head, in `evidence.jsonl`.

Beside the records, not in them: a lost file costs no score. Of dense it has the attention paid to
the evidence too, so that a resumed or extended run needs no second dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scbench.errors import BadRecord
from scbench.grid.packed import packed, unpacked
from scbench.ledger.book import TurnBook
from scbench.ledger.lines import read_lines
from scbench.ledger.lock import Lock
from scbench.play.evidence import ByHead, EvidenceHeld, Masses

EVIDENCE = "evidence.jsonl"
MOST_BITS = 1024  # characters of a turn's bit sets; beyond it only counts by layer and head stay


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLine:
    """One line of `evidence.jsonl`: a turn of a cell. `held` and `loaded` are bits by head and
    token, the head's row first, or where these are too many (`is_counted`) int32 counts by head;
    `mass` is float16. All are packed, little-endian; what is absent is empty."""

    key: str
    turn: int
    heads: tuple[int, ...]  # KV heads of each attention layer
    tokens: int
    held: str
    loaded: str = ""
    mass: str = ""
    is_counted: bool = False


class EvidenceBook(TurnBook[EvidenceLine]):
    """What turns held of their evidence, in a run folder; only places are held in memory."""

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, EVIDENCE, EvidenceLine, lock, _check)

    def put(self, key: str, turn: int, evidence: EvidenceHeld) -> None:
        """Keep what a turn held; the newest counts where it was answered again. Dense's, by which
        others count, is on the disk when this returns; the rest need not wait for it."""
        line = line_of(key, turn, evidence)
        if self.line(key, turn) != line:
            self.add(line, sync=evidence.mass_RE is not None)

    def mass(self, key: str, turn: int) -> Masses | None:
        """The attention that a dense cell paid its evidence; None if nobody kept it."""
        line = self.line(key, turn)
        return None if line is None else held_of(line).mass_RE


def read_evidence(folder: str | Path) -> dict[tuple[str, int], EvidenceHeld]:
    """What each turn of a run held, by key and turn; empty for a run from before it was kept.

    Raises BadRecord for a damaged line.
    """
    path = Path(folder) / EVIDENCE
    if not path.exists():
        return {}
    lines = read_lines(path, EvidenceLine, _check)
    return {(line.key, line.turn): held_of(line) for line in lines}


def line_of(key: str, turn: int, evidence: EvidenceHeld) -> EvidenceLine:
    """A turn as it is written: bits, or counts where these would be too long."""
    sides = [evidence.held, *([] if evidence.loaded is None else [evidence.loaded])]
    texts = [_bits(side) for side in sides]
    is_counted = sum(map(len, texts)) > MOST_BITS or not all(texts)
    if is_counted:
        texts = [packed(side.counts_R.astype("<i4").tobytes()) for side in sides]
    return EvidenceLine(
        key=key,
        turn=turn,
        heads=evidence.heads,
        tokens=evidence.tokens,
        held=texts[0],
        loaded=texts[1] if evidence.loaded is not None else "",
        mass="" if evidence.mass_RE is None else packed(evidence.mass_RE.astype("<f2").tobytes()),
        is_counted=is_counted,
    )


def held_of(line: EvidenceLine) -> EvidenceHeld:
    """A line read back. Raises BadRecord where its numbers are not those it says it has."""
    rows = sum(line.heads)
    mass_RE = None
    if line.mass:
        data = unpacked(line.mass, 2 * rows * line.tokens)
        mass_RE = np.frombuffer(data, dtype="<f2").reshape(rows, line.tokens)
    return EvidenceHeld(
        heads=line.heads,
        tokens=line.tokens,
        held=_by_head(line, line.held),
        loaded=_by_head(line, line.loaded) if line.loaded else None,
        mass_RE=mass_RE,
    )


def _by_head(line: EvidenceLine, text: str) -> ByHead:
    rows = sum(line.heads)
    if line.is_counted:
        counts_R = np.frombuffer(unpacked(text, 4 * rows), dtype="<i4").astype(np.int64)
        if ((counts_R < 0) | (counts_R > line.tokens)).any():
            raise BadRecord(f"a head holds 0 to {line.tokens:,} tokens; it has {counts_R.tolist()}")
        return ByHead(counts_R)
    data = np.frombuffer(unpacked(text, -(-rows * line.tokens // 8)), dtype=np.uint8)
    bits_RE = np.unpackbits(data, count=rows * line.tokens).reshape(rows, line.tokens)
    return ByHead.of(bits_RE.astype(np.bool_))


def _bits(side: ByHead) -> str:
    return "" if side.bits_RE is None else packed(np.packbits(side.bits_RE).tobytes())


def _check(line: EvidenceLine) -> None:
    """Raise BadRecord for a line whose numbers are not those it says it has."""
    if line.tokens < 1 or line.turn < 0 or not line.heads or min(line.heads) < 1:
        raise BadRecord(f"{line.tokens} tokens in heads {line.heads} are no evidence")
    held_of(line)
