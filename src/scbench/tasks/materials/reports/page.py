"""Reports written out: heading, sections, sentences; the key facts among filler; other sentences
put between two of filler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scbench.tasks.build import Mark, Piece, Rendered, Units, spans_of
from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import prose
from scbench.tasks.materials.reports.facts import SECTIONS
from scbench.tasks.materials.reports.plan import Report, ReportPlan, Settled
from scbench.types import Role


@dataclass(frozen=True, slots=True)
class _PageEntry:
    """One sentence and what stands before it."""

    before: str
    text: str
    fact: int | None = None  # in its report
    report: int = 0
    may_precede: bool = False  # filler right after filler: something can be put between them


class Page:
    """The reports of a plan, each with its share of `units` sentences of filler."""

    def __init__(self, plan: ReportPlan, settled: Settled, draw: Draw) -> None:
        self.plan, self.settled, self._draw = plan, settled, draw
        self._dealt = list(
            range(len(plan.reports))
        )  # filler sentence i belongs to the report dealt[i modulo reports]
        draw.child("deal").shuffle(self._dealt)
        self._streams = draw.child("filler").children("unit")
        self._units = Units(self._sentence)
        self._pad_report = draw.child("pad").below(len(plan.reports))
        self._marks = [self._marks_of(i) for i in range(len(plan.reports))]

    def _sentence(self, i: int) -> str:
        """Filler sentence i; asked for in order."""
        stream = next(self._streams)
        report = self._dealt[i % len(self._dealt)]
        thing, is_compact = self.plan.reports[report].thing, self.settled.is_compact
        if self.settled.repeat and stream.unit() < self.settled.repeat:
            return prose.repeated(
                self._draw.child("repeat", str(report)), stream, thing, is_compact=is_compact
            )
        return prose.filler(stream, thing, is_compact=is_compact)

    # --- spans ------------------------------------------------------------------------------------

    def _marks_of(self, report: int) -> list[tuple[Mark, ...]]:
        """For each fact of a report: support and answer where its report is asked for, a near miss
        where another's fact of its kind is.
        """
        rows: list[tuple[Mark, ...]] = []
        for fact in self.plan.reports[report].facts:
            at = fact.sentence.index(fact.value)
            marks: list[Mark] = []
            for turn, asked in enumerate(self.plan.asked):
                if asked == report:
                    marks.append(Mark(0, len(fact.sentence), Role.SUPPORT, turn))
                    marks.append(Mark(at, at + len(fact.value), Role.ANSWER, turn))
                elif any(fact.kind == other.kind for other in self.plan.reports[asked].facts):
                    marks.append(Mark(0, len(fact.sentence), Role.DISTRACTOR, turn))
            rows.append(tuple(marks))
        return rows

    # --- text -------------------------------------------------------------------------------------

    def rendered(self, units: int, padding: int = 0, between: Sequence[Piece] = ()) -> Rendered:
        """`between`: sentences put at the place nearest to their depth that lies between two of
        filler. There must be one.
        """
        entries = list(self._entries(units, padding))
        put = _places(entries, between) if between else {}
        parts: list[str] = []
        starts: list[tuple[int, Piece]] = []
        at = 0
        for i, entry in enumerate(entries):
            for piece in put.get(i, ()):
                starts.append((at + 1, piece))
                parts.append(f" {piece.text}")
                at += len(piece.text) + 1
            if entry.fact is not None:
                starts.append(
                    (
                        at + len(entry.before),
                        Piece(entry.text, 0.0, self._marks[entry.report][entry.fact]),
                    )
                )
            parts.append(entry.before + entry.text)
            at += len(entry.before) + len(entry.text)
        return Rendered("".join(parts) + "\n", spans_of(starts))

    def places(self, units: int) -> int:
        """Between how many pairs of filler sentences something can be put."""
        return sum(entry.may_precede for entry in self._entries(units, 0))

    def _entries(self, units: int, padding: int) -> Iterator[_PageEntry]:
        shares: list[list[str]] = [[] for _ in self.plan.reports]
        for i, text in enumerate(self._units.first(units)):
            shares[self._dealt[i % len(shares)]].append(text)
        for number, (report, share) in enumerate(zip(self.plan.reports, shares, strict=True)):
            if padding and number == self._pad_report:
                share = [*share, prose.pad(padding, self._draw.child("pad", "words"))]
            yield from self._report(number, report, share)

    def _report(self, number: int, report: Report, share: Sequence[str]) -> Iterator[_PageEntry]:
        before = ("\n\n" if number else "") + f"Report {number + 1}: {report.title}\n"
        was_filler = False
        section_now = -1
        for section, _, text, fact in _in_order(report, share):
            opens = section != section_now and (self.settled.headings or section_now < 0)
            if opens:
                before += f"\n{SECTIONS[section]}\n" if self.settled.headings else ""
                if section_now >= 0:
                    before = f"\n\n{SECTIONS[section]}\n"
            section_now = section
            yield _PageEntry(
                before, text, fact, number, may_precede=fact is None and was_filler and not opens
            )
            before, was_filler = " ", fact is None


def _in_order(report: Report, share: Sequence[str]) -> list[tuple[int, float, str, int | None]]:
    """(section, place in the report, sentence, number of the fact): facts stand before filler
    sentence floor(depth * (share + 1)).
    """
    filler = len(share)
    rows: list[tuple[int, float, str, int | None]] = [
        (i * len(SECTIONS) // filler, float(i), text, None) for i, text in enumerate(share)
    ]
    for j, fact in enumerate(report.facts):
        rows.append(
            (
                int(fact.depth * len(SECTIONS)),
                int(fact.depth * (filler + 1)) - 0.5 + j / 100,
                fact.sentence,
                j,
            )
        )
    return sorted(rows, key=lambda row: row[:2])


def _places(entries: Sequence[_PageEntry], between: Sequence[Piece]) -> dict[int, list[Piece]]:
    """For each piece the entry it goes before; different ones while there are enough."""
    starts: list[int] = []
    at = 0
    for entry in entries:
        starts.append(at)
        at += len(entry.before) + len(entry.text)
    every = [i for i, entry in enumerate(entries) if entry.may_precede]
    assert every, "no two sentences of filler stand side by side"
    free: list[int] = []
    put: dict[int, list[Piece]] = {}
    for piece in between:
        free = free or list(every)
        nearest = min(free, key=lambda i: abs(starts[i] - piece.depth * at))
        free.remove(nearest)
        put.setdefault(nearest, []).append(piece)
    return put
