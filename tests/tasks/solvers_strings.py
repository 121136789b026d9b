"""Rule-based readers of the string and global tasks: each answers a question from a text alone, as
an ideal model would, or finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from scbench.tasks.materials import figures
from scbench.tasks.materials.shots import translation as german
from scbench.types import Role, Session, Turn

_QUOTED = re.compile(r'"([^"]*)"')
_ASSIGNED = re.compile(r"VAR ([A-Z]{5}) = (?:VAR )?([A-Z]{5}|\d{5})")
_SHOT = re.compile(r"(Question: [^\n]*\nOptions:\n(?:\([A-Z]\) [^\n]*\n)+Answer:) \(([A-Z])\)")
_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4})")
_LONG_DATE = re.compile(r"([A-Z][a-z]+) (\d+), (\d{4})")
_SHIFT = re.compile(r"What is the date (\w+) (day|week|year)s? (later|earlier)\?")
_COUNTS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
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
_HAS = re.compile(
    r"(?:^|, |and |: )([A-Z][a-z]+) (?:has the|holds the|was given the|came with the) ([a-z "
    r"]+?)(?=[,.])"
)
_SWAP = re.compile(r"([A-Z][a-z]+) and ([A-Z][a-z]+) (?:swap|trade|change|exchange)")
_ORDINALS = {word: k for k, word in enumerate(figures.ORDINALS) if word}


def kv(text: str, turn: Turn) -> str | None:
    """The value beside the asked key."""
    key = _QUOTED.findall(turn.ask)[0]
    found = re.findall(rf'"{re.escape(key)}": "([^"]*)"', text)
    return found[0] if len(found) == 1 else None


def prefix_suffix(text: str, turn: Turn) -> str | None:
    """The one word with both the asked start and the asked end."""
    prefix, suffix = _QUOTED.findall(turn.ask)
    found = [word for word in text.split() if word.startswith(prefix) and word.endswith(suffix)]
    return found[0] if len(found) == 1 else None


def vt(text: str, turn: Turn) -> str | None:
    """Every name that comes to the asked value, in the order of the text."""
    value, assigned = re.findall(r"\d{5}", turn.ask)[0], dict(_ASSIGNED.findall(text))

    def end(name: str) -> str:
        while name in assigned:
            name = assigned[name]
        return name

    return ", ".join(name for name in assigned if end(name) == value) or None


def figure_of(ask: str) -> figures.Figure:
    """The statistic a question of Math.Find asks for."""
    if match := re.search(r"first (\d+) in", ask):
        return figures.Figure("first_index", int(match[1]))
    if match := re.search(r"that (\d+) occurs", ask):
        return figures.Figure("count_of", int(match[1]))
    if match := re.search(r"The (\w+) (largest|smallest) distinct number", ask):
        return figures.Figure(f"kth_{match[2]}", _ORDINALS[match[1]])
    kinds = {"smallest": "min", "largest": "max", "median": "median", "most": "mode"}
    return figures.Figure(kinds[ask.split("The ")[1].split()[0]])


def mf(text: str, turn: Turn) -> str | None:
    """The statistic by definition, or for a list too short to have it, the only number."""
    numbers, figure = [int(found) for found in re.findall(r"\d+", text)], figure_of(turn.ask)
    distinct = sorted(set(numbers))
    if figure.kind.startswith("kth") and len(distinct) < figure.k:
        return str(distinct[0]) if len(distinct) == 1 else None
    return str(figures.solve(figure, numbers)) if numbers else None


# --- ICL.ManyShot ---------------------------------------------------------------------------------


def shots(text: str) -> list[tuple[str, str]]:
    """(question up to "Answer:", letter) of every shot."""
    return _SHOT.findall(text)


def options(ask: str) -> dict[str, str]:
    return {text: letter for letter, text in re.findall(r"^\(([A-Z])\) (.*)$", ask, re.MULTILINE)}


def meaning(ask: str) -> str:
    """What the right option stands for: a date, a thing, a type of error, or a step between
    dates.
    """
    if "called?" in ask:
        (first, then) = [date(int(y), int(m), int(d)) for m, d, y in _DATE.findall(ask)]
        days = (then - first).days
        unit = {1: "day", 7: "week"}.get(abs(days), "year")
        return f"{unit} {'later' if days > 0 else 'earlier'}"
    if _SHIFT.search(ask):
        return _shifted(ask)
    return _kept(ask) if "At the end" in ask else _difference(ask)


def _shifted(ask: str) -> str:
    count, unit, way = _SHIFT.findall(ask)[0]
    question = ask.split("\nOptions")[0]
    if long := _LONG_DATE.findall(question):
        start = date(int(long[0][2]), _MONTHS.index(long[0][0]) + 1, int(long[0][1]))
    else:
        month, day, year = map(int, _DATE.findall(question)[0])
        start = date(year, month, day)
    steps = _COUNTS.index(count) * (1 if way == "later" else -1)
    if unit == "year":
        return start.replace(year=start.year + steps).strftime("%m/%d/%Y")
    return (start + timedelta(days=steps * (7 if unit == "week" else 1))).strftime("%m/%d/%Y")


def _kept(ask: str) -> str:
    question = ask.removeprefix("Question: ").split("\nOptions")[0]
    has = dict(_HAS.findall(question))
    for a, b in _SWAP.findall(question):
        has[a], has[b] = has[b], has[a]
    return has[re.findall(r"what does (\w+) have", question)[0]]


def _difference(ask: str) -> str:
    """The slots of both sentences are compared; exactly one differs."""
    said, became = _QUOTED.findall(ask)
    differ: list[str] = []
    for what, table in (
        ("number", german.NUMBERS),
        ("modifier", german.ADJECTIVES),
        ("fact", german.NOUNS),
        ("fact", german.DAYS),
    ):
        if _slot(said, [de for de, _ in table]) != _slot(became, [en for _, en in table]):
            differ.append(what)
    names = _slot(said, german.NAMES) != _slot(became, german.NAMES)
    cities = _slot(said, [de for de, _ in german.CITIES]) != _slot(
        became, [en for _, en in german.CITIES]
    )
    differ += ["named entity"] * (names + cities)
    verb = german.VERBS[_slot(said, [verb[0] for verb in german.VERBS])]
    if "did not" in became or f" {verb[1]} " not in became:
        differ.append("negation or antonym")
    extras = (*german.CLAUSES, *german.ADVERBS)
    extra = extras[_slot(said, [de for de, _ in extras])]
    if extra[1] not in became:
        differ.append("dropped content")
    assert len(differ) == 1, (ask, differ)
    return differ[0]


def _slot(sentence: str, words: list[str]) -> int:
    """Which of the words stands in the sentence; -1 where the sentence has no such slot."""
    found = [i for i, word in enumerate(words) if re.search(rf"(?<!\w){word}(?!\w)", sentence)]
    assert len(found) <= 1, (sentence, found)
    return found[0] if found else -1


def many_shot(text: str, turn: Turn) -> str | None:
    """The letter of the option that means the right thing. Made-up option names are learnt from
    shots of the same meaning, never guessed.
    """
    here, right = options(turn.ask), meaning(turn.ask)
    if right in here:
        return f"({here[right]})"
    names = {
        {letter: name for name, letter in options(ask).items()}[said]
        for ask, said in shots(text)
        if meaning(ask) == right
    }
    return f"({here[names.pop()]})" if len(names) == 1 else None


SOLVERS: dict[str, Callable[[str, Turn], str | None]] = {
    "kv": kv,
    "prefix_suffix": prefix_suffix,
    "vt": vt,
    "mf": mf,
    "many_shot": many_shot,
}


def split(session: Session, turn: Turn) -> tuple[str, str]:
    """The turn's support, and the context without it."""
    inside, outside, at = [], [], 0
    for span in sorted(
        (span for span in turn.evidence if span.role is Role.SUPPORT), key=lambda span: span.start
    ):
        inside.append(session.context[span.start : span.stop])
        outside.append(session.context[at : span.start])
        at = span.stop
    return "\n".join(inside), "".join([*outside, session.context[at:]])
