"""Key facts: what a report's summary must hold. Each is one sentence with one value that stands
nowhere else in the session.

A kind of fact belongs to a section and has eight wordings that share few words. Nothing is said
before a fact that could be copied for its own sake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import words

SECTIONS = ("Background", "Method", "Findings", "Cost", "Advice")
NUMBERS = range(2200, 10000)  # four digits, off the years of dates and the numbers of reports
YEARS = range(1801, 2000)


@dataclass(frozen=True, slots=True)
class FactKind:
    name: str
    section: int
    value: Callable[[Draw], str]
    wordings: tuple[str, ...]  # with {v} for the value and {t} for what the report is about


@dataclass(frozen=True, slots=True)
class Fact:
    kind: int  # in KINDS
    wording: int
    value: str
    sentence: str
    depth: float  # in its report

    @property
    def section(self) -> int:
        return KINDS[self.kind].section


def _number(draw: Draw) -> str:
    return str(draw.between(NUMBERS.start, NUMBERS.stop))


def _date(draw: Draw) -> str:
    return (
        f"{draw.between(1, 29)} {draw.choice(words.MONTHS)} {draw.between(YEARS.start, YEARS.stop)}"
    )


def _name(draw: Draw) -> str:
    family = (
        draw.choice(words.FAMILY_STARTS)
        + draw.choice(words.FAMILY_MIDDLES)
        + draw.choice(words.FAMILY_ENDS)
    )
    return f"{draw.choice(words.GIVEN_NAMES)} {family}"


def _term(draw: Draw) -> str:
    return f"{draw.choice(words.TERM_MARKS)} {draw.choice(words.TERM_HEADS)}"


def _wordings(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


KINDS: tuple[FactKind, ...] = (
    FactKind("begun", 0, _date, _wordings("""
        Work on the {t} began on {v}.
        It was {v} when ground was first broken at the {t}.
        The council gave its consent to our {t} by a letter dated {v}.
        Old maps show no {t} before {v}.
        {v} is the founding day carved above the {t}.
        Our {t} opened its doors to everyone on {v}.
        Records of this {t} reach back as far as {v}.
        A charter signed on {v} brought the {t} into being.
    """)),
    FactKind("head", 0, _name, _wordings("""
        {v} led the team that looked after the {t}.
        The {t} had been placed in the hands of {v}.
        Nobody knew our {t} better than its steward {v}.
        At first {v} alone stood up for saving the {t}.
        Plans for a new {t} came from the desk of {v}.
        All letters about this {t} were addressed to {v}.
        As owner of the {t} they name {v}.
        Credit for founding the {t} belongs to {v}.
    """)),
    FactKind("tool", 1, _term, _wordings("""
        The team studied the {t} with a {v}.
        A {v} was chosen for all tests at our {t}.
        Measuring this {t} called for building one {v}.
        Each survey of the {t} relied upon some {v}.
        We examined every corner of the {t} by means of a {v}.
        Instead of guesswork, a {v} served throughout this {t}.
        Borrowed from sailors, the {v} suited our {t} well.
        No instrument but the {v} entered the {t}.
    """)),
    FactKind("samples", 1, _number, _wordings("""
        In all {v} samples were drawn from the {t}.
        The inspectors filled {v} jars at our {t}.
        {v} photographs of the {t} formed a base for every judgement.
        Our procedure split this {t} into {v} squares.
        People living near the {t} answered {v} letters.
        From the {t} came {v} readings, taken at equal intervals.
        We compared {v} drawings made inside the {t} by hand.
        Testing at the {t} went on for {v} rounds.
    """)),
    FactKind("count", 2, _number, _wordings("""
        The {t} turned out to lose {v} litres each month.
        Counting showed {v} cracks in our {t}.
        Every year {v} travellers make use of the {t}.
        A load of {v} bricks is what this {t} can bear.
        Below the {t} we came upon {v} buried coins.
        {v} swallows nest inside the {t}, more than anyone had thought.
        Output at our {t} rose to {v} crates.
        Damage to the {t} was found at {v} points.
    """)),
    FactKind("cause", 2, _term, _wordings("""
        A broken {v} caused most trouble at the {t}.
        The weak spot of our {t} proved to be its {v}.
        Under the {t} lay a forgotten {v} in good order.
        Noise inside this {t} came only from one {v}.
        What keeps the {t} standing is an ancient {v}.
        Our search of the {t} ended at a jammed {v}.
        Everything at the {t} depends on some hidden {v}.
        To general surprise, the {t} contained a {v}.
    """)),
    FactKind("price", 3, _number, _wordings("""
        The {t} cost {v} crowns in the end.
        A bill of {v} crowns was paid for our {t}.
        Repairs to this {t} swallowed {v} crowns altogether.
        {v} crowns had to be found before the {t} could reopen.
        Lenders put up {v} crowns towards the {t}.
        Each season the {t} consumes {v} crowns.
        For looking after our {t}, townsfolk gave {v} crowns.
        Selling the old {t} would yield {v} crowns.
    """)),
    FactKind("hours", 3, _number, _wordings("""
        It took {v} hours to finish work on the {t}.
        The {t} used up {v} hours of paid labour.
        Volunteers spent {v} hours at our {t}.
        {v} hours went by before this {t} was ready.
        Delays to the {t} added another {v} hours.
        Our books charge {v} hours against the {t}.
        Cleaning the {t} meant {v} hours without pause.
        A budget of {v} hours was agreed for the {t}.
    """)),
    FactKind("next_head", 4, _name, _wordings("""
        The board advises putting {v} in charge of the {t}.
        From now on {v} should keep our {t}.
        We propose handing this {t} over to {v}.
        Only {v} ought to hold keys for the {t}.
        Let {v} decide what becomes of the {t}.
        Ask {v} for help whenever the {t} fails.
        Our wish is that {v} inherits the {t}.
        Training at the {t} is best left with {v}.
    """)),
    FactKind("deadline", 4, _date, _wordings("""
        The {t} should be inspected again on {v}.
        All changes at our {t} must be complete by {v}.
        We advise closing this {t} from {v} onwards.
        A second look at the {t} is due on {v}.
        Wait until {v} before enlarging the {t}.
        After {v} nobody may enter the {t} alone.
        Funds set aside for the {t} lapse on {v}.
        {v} would be a good day to reopen the {t}.
    """)),
)  # fmt: skip


def sentence(kind: int, wording: int, value: str, thing: str) -> str:
    text = KINDS[kind].wordings[wording].format(v=value, t=thing)
    return text[0].upper() + text[1:]


class Values:
    """Draws values that are new and neither hold nor lie in an earlier one."""

    def __init__(self, draw: Draw) -> None:
        self._draw, self._used = draw, list[str]()

    def new(self, kind: int) -> str:
        while True:
            value = KINDS[kind].value(self._draw)
            if not any(value in other or other in value for other in self._used):
                self._used.append(value)
                return value


def kinds_for(depths: Sequence[float], draw: Draw) -> list[int]:
    """A kind for each depth from the section it falls into, no kind twice in a report."""
    chosen: list[int] = []
    for depth in depths:
        section = int(depth * len(SECTIONS))
        free = [k for k, kind in enumerate(KINDS) if k not in chosen]
        chosen.append(draw.choice([k for k in free if KINDS[k].section == section] or free))
    return chosen
