"""The date family: a stated day and a shift; which date is it? With relabel: two dates; what is the
step between them called?
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from scbench.tasks.draw import Draw
from scbench.tasks.materials.shots.shot import Shot, placed

OPTIONS = 6
FIRST_YEAR, YEARS = 1800, 400
STEPS = (("day", 1), ("day", -1), ("week", 1), ("week", -1), ("year", 1), ("year", -1))
_NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_ANCHORS = (
    "Today is {}.",
    "It is {} today.",
    "The calendar on the wall shows {}.",
    "A letter bears the date {}.",
    "The fair opened on {}.",
)


def written(day: date) -> str:
    """MM/DD/YYYY; isoformat is several times quicker than strftime."""
    iso = day.isoformat()
    return f"{iso[5:7]}/{iso[8:]}/{iso[:4]}"


def moved(day: date, unit: str, count: int) -> date:
    """The date `count` days, weeks or years later; years never meet 29 February here."""
    if unit == "year":
        return day.replace(year=day.year + count)
    return day + timedelta(days=count * (7 if unit == "week" else 1))


def _is_plain(day: date) -> bool:
    """Away from the month's ends, so that a day more or less, or another month, is always a date
    too.
    """
    return 2 <= day.day <= 27


@dataclass(frozen=True, slots=True)
class Dates:
    small: bool
    labels: tuple[
        str, ...
    ] = ()  # made-up names of STEPS, where the options are to be learnt from the shots
    name: str = "date"
    options: int = OPTIONS

    @property
    def kinds(self) -> int:
        return len(STEPS) if self.labels else 1

    def shot(self, draw: Draw, *, right: int, kind: int) -> Shot:
        return self._named(draw, right, kind) if self.labels else self._shifted(draw, right)

    def _anchor(self, draw: Draw) -> date:
        return date(FIRST_YEAR + draw.below(YEARS), 1 + draw.below(12), 2 + draw.below(26))

    def _shifted(self, draw: Draw, right: int) -> Shot:
        while True:
            day, unit = self._anchor(draw), ("day", "week", "year")[draw.below(3)]
            count = (1 + draw.below(9)) * (-1 if draw.below(2) else 1)
            gold, wrong_way = moved(day, unit, count), moved(day, unit, -count)
            if _is_plain(gold):
                break
        plural = unit if abs(count) == 1 else f"{unit}s"
        ask = (
            f"What is the date {_NUMBERS[abs(count)]} {plural} "
            f"{'later' if count > 0 else 'earlier'}?"
        )
        if self.small:
            question = f"Today is {written(day)}. {ask}"
        else:
            stated = (written(day), f"{_MONTHS[day.month - 1]} {day.day}, {day.year}")[
                draw.below(2)
            ]
            question = f"{draw.choice(_ANCHORS).format(stated)} {ask} Give it as MM/DD/YYYY."
        near = _near_misses(draw, gold, wrong_way)
        return Shot(
            question, placed(draw, written(gold), [written(other) for other in near], right), right
        )

    def _named(self, draw: Draw, right: int, kind: int) -> Shot:
        while not _is_plain(moved(day := self._anchor(draw), *STEPS[kind])):
            pass
        then = moved(day, *STEPS[kind])
        question = f"What is the step from {written(day)} to {written(then)} called?"
        others = [label for i, label in enumerate(self.labels) if i != kind]
        return Shot(question, placed(draw, self.labels[kind], others, right), right, kind)


def _near_misses(draw: Draw, gold: date, wrong_way: date) -> list[date]:
    """Five other dates: the shift the wrong way, day and month swapped where that is a date, and
    day, month or year off by one.
    """
    found = {wrong_way: None}
    if gold.day <= 12 and gold.day != gold.month:
        found[gold.replace(day=gold.month, month=gold.day)] = None
    one_off = [
        gold.replace(day=gold.day + 1),
        gold.replace(day=gold.day - 1),
        gold.replace(month=gold.month % 12 + 1),
        gold.replace(month=(gold.month - 2) % 12 + 1),
        gold.replace(year=gold.year + 1),
        gold.replace(year=gold.year - 1),
    ]
    draw.shuffle(one_off)
    for other in one_off:
        found.setdefault(other, None)
    return list(found)[: OPTIONS - 1]
