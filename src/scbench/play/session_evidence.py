"""The evidence of the turns of one session: who looks on while they are answered, and where what
was seen is kept."""

from __future__ import annotations

from scbench.kv import CacheShape, Stream
from scbench.play.cell import CellPlay
from scbench.play.contract import EvidenceShares
from scbench.play.evidence import EvidenceInMemory, EvidenceMemory, Masses
from scbench.play.gold import DENSE, GoldPass
from scbench.play.rewriting import evidence_left
from scbench.play.talks import Talks
from scbench.play.turn_evidence import TurnEvidence, watched
from scbench.prompts import Rendering


class SessionEvidence:
    """Opens a turn's evidence as its answer begins, and settles it when it was answered. Dense is
    known by the keys of `gold`; without it nobody knows what dense pays."""

    def __init__(
        self,
        talks: Talks,
        shape: CacheShape,
        gold: GoldPass | None,
        memory: EvidenceMemory | None,
    ) -> None:
        self._talks = talks
        self._shape = shape
        self._gold = gold
        self._memory = memory or EvidenceInMemory()

    def watch(self, stream: Stream, cell: CellPlay, talk: Rendering, turn: int | None) -> None:
        """Before the rest of a prompt is fed: what its last token loads is loaded for the
        answer."""
        if turn is not None and talk.context.rests_on(turn):
            watched(stream, cell.method, self._shape)

    def of(self, stream: Stream, cell: CellPlay, talk: Rendering, turn: int) -> TurnEvidence:
        """A turn's evidence as the stream has it now."""
        shown = self._talks.shown(cell.method.generation)
        return TurnEvidence(
            stream,
            talk.context.rests_on(turn),
            evidence_left(self._talks.session, shown, turn),
            method=cell.method,
            shape=self._shape,
            is_dense=cell.cell.method == DENSE,
        )

    def settle(self, cell: CellPlay, turn: int, evidence: TurnEvidence) -> EvidenceShares:
        """Keep what a turn held and loaded; the shares that its record has."""
        if (line := evidence.line()) is not None:
            self._memory.put(cell.cell.key, turn, line)
        return evidence.shares(self._mass(cell, turn))

    def _mass(self, cell: CellPlay, turn: int) -> Masses | None:
        """The attention that dense pays the evidence of a turn; None where it is not known."""
        key = None if self._gold is None else self._gold.dense_key(cell.cell)[0]
        return None if key is None else self._memory.mass(key, turn)
