"""One session under many methods and both modes, from cells to records.

context --read--> snapshot --fork per method--> stream --+-- multi-request: a child per turn;
   |                                                     |   what it adds is thrown away
   +-- + first query (read densely) --> snapshot         +-- multi-turn: questions and history
                                                             stay, each answer in a child
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch

from scbench.engines.contract import Engine
from scbench.engines.lab_models import beyond
from scbench.errors import ReuseBroken
from scbench.methods.contract import Generation
from scbench.methods.method import Method
from scbench.play.cell import CellPlay
from scbench.play.contract import Reply
from scbench.play.decode import Lost
from scbench.play.evidence import EvidenceMemory
from scbench.play.faults import FAULTS, Fault, fault_of
from scbench.play.foreign import ForeignPlayer
from scbench.play.gold import DENSE, GoldPass
from scbench.play.guard import torch_state_kept
from scbench.play.local import LANES, LocalPlayer
from scbench.play.own_forward import own_forward
from scbench.play.record import Needles, answered, failed
from scbench.play.strands import Strand
from scbench.play.talks import Talks
from scbench.play.voices import Voices
from scbench.prompts import Rendering
from scbench.types import Protocol, Record, Session

SAID_IN_FULL = ("refused", "too-long", "changed-shared-cache")  # a traceback would add nothing


class SessionPlay:
    """Plays the cells of one session, those that read the context in the same way together.

    `emit` gets each record as it is made; `on_tokens` is told tokens read and decoded, for
    progress; `keep_trace` keeps a traceback and returns where; `scored` names what scores; `gold`
    feeds the gold answers too; `evidence` keeps what each turn held of its own; `voices` keeps what
    a stranger's method prints. With `debug` the first exception of a method is raised as it is.
    """

    def __init__(
        self,
        engine: Engine,
        session: Session,
        protocol: Protocol,
        *,
        emit: Callable[[Record], None],
        needles: Needles,
        on_tokens: Callable[[int], None] | None = None,
        lanes: int = LANES,
        keep_trace: Callable[[str], str] | None = None,
        scored: str = "",
        debug: bool = False,
        gold: GoldPass | None = None,
        evidence: EvidenceMemory | None = None,
        voices: Voices | None = None,
    ) -> None:
        self.engine = engine
        # A shorter limit only cuts answers: the turns and the golds stay those of the session.
        self.session = capped(session, protocol.max_new_tokens, protocol.answering.least_tokens)
        self.emit = emit
        self.needles = needles
        self.keep_trace = keep_trace
        self.scored = scored
        self.debug = debug
        self.voices = voices
        self.has_gold = gold is not None
        talks = Talks(engine, self.session, protocol)
        self.foreign = ForeignPlayer(talks, emit=self._answered, fail=self._fail, debug=debug)
        self.player = LocalPlayer(
            engine,
            talks,
            emit=self._answered,
            gold=gold,
            evidence=evidence,
            lanes=lanes,
            on_tokens=on_tokens,
            debug=debug,
        )

    def play(self, cells: Sequence[CellPlay]) -> None:
        """A cell that fails becomes records of failure; others go on. Methods that are not ours
        come after ours, one at a time, each from snapshots that are looked at again afterwards."""
        boxes = [cell for cell in cells if cell.method.is_foreign]
        cells = [cell for cell in cells if not cell.method.is_foreign]
        if self.has_gold:  # what dense says is what all others are compared with
            cells = sorted(cells, key=lambda cell: cell.cell.method != DENSE)
        by_generation: dict[Generation, list[CellPlay]] = {}
        for cell in cells:
            by_generation.setdefault(cell.method.generation, []).append(cell)
        for together in by_generation.values():
            reads = self.player.reads
            reads.needs = frozenset().union(*(cell.method.needs for cell in together))
            ours = [cell for cell in together if cell.method.is_ours]
            if self.has_gold:
                self._play_together([cell for cell in ours if cell.cell.method == DENSE])
            self._play_together([cell for cell in ours if cell.todo])
            strangers: dict[Method, list[CellPlay]] = {}
            for cell in together:
                if not cell.method.is_ours:
                    strangers.setdefault(cell.method, []).append(cell)
            for method, its_cells in strangers.items():
                with nullcontext() if self.voices is None else self.voices.of(str(method)):
                    self._play_guarded(its_cells)
            reads.forget()
        for cell in boxes:
            # Nothing is shared with it; what it leaves changed of torch is put back for the others.
            with torch_state_kept():
                torch.manual_seed(seed_of(self.session, cell.method, cell.cell.sample))
                self._ask(cell)

    def _ask(self, cell: CellPlay) -> None:
        """Play a cell by asking somebody's own object, made anew for it."""
        foreign = cell.method.foreign
        assert foreign is not None
        with nullcontext() if self.voices is None else self.voices.of(str(cell.method)):
            try:
                has_forward = foreign.is_cache or foreign.is_patch
                box = own_forward(foreign, self.engine) if has_forward else foreign.make()
            except FAULTS as error:
                if self.debug:
                    raise
                self._fail(cell, fault_of(error), frozenset(cell.todo))
                return
            self.foreign.play(cell, box)

    def _play_guarded(self, cells: Sequence[CellPlay]) -> None:
        """Play one stranger's method; if it wrote into a shared snapshot, its turns are gaps, its
        answers are dropped, and whoever comes next reads anew."""
        turns = {id(cell): frozenset(cell.todo) for cell in cells}
        records: list[Record] = []
        emit = self.emit
        self.emit = records.append
        try:
            with self.player.reads.watched() as whole, torch_state_kept() as changed:
                torch.manual_seed(seed_of(self.session, cells[0].method))
                self._play_together(cells)
        finally:
            self.emit = emit
        if whole == [True] and not changed:
            for record in records:
                emit(record)
            return
        did = f"changed {' and '.join(changed)} of torch" if changed else "wrote into the cache"
        why = ReuseBroken(
            f"{cells[0].method} {did} that it shares with all other methods; its answers are left "
            "out, and the others read the context anew. Work on copies (.clone())"
        )
        self.player.reads.forget_all()
        for cell in cells:
            cell.todo |= turns[id(cell)]
            self._fail(cell, fault_of(why), turns[id(cell)])

    def _play_together(self, cells: Sequence[CellPlay]) -> None:
        strands: list[Strand] = []
        for cell in cells:
            try:
                strands += self.player.strands_of(cell)
            except FAULTS as error:
                if self.debug:
                    raise
                self._fail(cell, fault_of(error), frozenset(cell.todo))
        lost = self.player.run(strands, at_once=self.player.lanes)
        for one in lost:
            if one.is_own:
                self._lose(strands[one.at], one)
        # A shared forward failed: alone, each either works or fails for a reason of its own.
        for at in dict.fromkeys(one.at for one in lost if not one.is_own):
            for again in self.player.run([strands[at]], at_once=1):
                self._lose(strands[at], again)

    def _lose(self, strand: Strand, lost: Lost) -> None:
        """An answer that was put aside fails alone; else what the strand has not answered."""
        turns = strand.turns if lost.turn is None else frozenset({lost.turn})
        self._fail(strand.cell, lost.fault, turns)

    def _answered(self, cell: CellPlay, turn: int, talk: Rendering, reply: Reply) -> None:
        """Score a reply, and write its record."""
        record = answered(
            cell.cell,
            self.session,
            turn,
            reply,
            talk=talk,
            needles=self.needles,
            made=cell.made,
            scored=self.scored,
        )
        cell.answers[turn] = reply.text
        cell.todo.discard(turn)
        self.emit(record)

    def _fail(self, cell: CellPlay, fault: Fault, turns: frozenset[int]) -> None:
        """Failure records for those of `turns` that have none yet: named gaps, the run goes on."""
        failure, facts = fault.failure, self.engine.facts
        if failure.kind == "too-long" and facts.trained_tokens == facts.window_tokens:
            why = f"{failure.why}. {beyond(facts.name, facts.window_tokens)}"
            failure = replace(failure, why=why)
        if self.keep_trace is not None and failure.kind not in SAID_IN_FULL:
            failure = replace(failure, trace=self.keep_trace(fault.trace))
        for turn in sorted(cell.todo & turns):
            self.emit(failed(cell.cell, self.session, turn, failure, cell.made))
        cell.todo -= turns


def seed_of(session: Session, method: Method, sample: int = 0) -> int:
    """Of what a method draws in a session: the same command gives the same answers."""
    text = f"{session.digest} {method}" + (f" {sample}" if sample else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def capped(session: Session, max_new_tokens: int | None, least_tokens: int = 0) -> Session:
    """The session with no turn's limit above `max_new_tokens`, nor below `least_tokens`."""
    if max_new_tokens is None and not least_tokens:
        return session
    limits = [max(turn.max_new_tokens, least_tokens) for turn in session.turns]
    if max_new_tokens is not None:
        limits = [min(limit, max_new_tokens) for limit in limits]
    turns = tuple(
        replace(turn, max_new_tokens=limit)
        for turn, limit in zip(session.turns, limits, strict=True)
    )
    return replace(session, turns=turns)
