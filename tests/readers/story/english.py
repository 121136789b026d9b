"""What an English sentence of a story says.

Each row is a way to say a kind of statement, as a person would recognise it: some words, with a
person, a thing, a place or a day in their places. Where the day stands does not matter, so it is
taken out of the sentence first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from readers.story.told import ReadableLanguage, Said

_WHO, _PAIR = r"[A-Z][a-z]+(?: [A-Z][a-z]+)?", r"[a-z]+ [a-z]+"
_SLOTS = {
    "A": rf"(?P<a>{_WHO})",
    "B": rf"(?P<b>{_WHO})",
    "O": rf"(?P<o>{_PAIR})",
    "P": rf"(?P<p>{_PAIR})",
    "X": r"(?P<x>[A-Za-z]+|\d{4})",
}
_DAY = re.compile(
    r"(?:It was day (?P<d1>\d+) when |Early on day (?P<d2>\d+), |By noon of day (?P<d3>\d+), "
    r"|,? ?[Oo]n day (?P<d4>\d+)(?:, )?)"
)
_SENTENCE = re.compile(r"[^.\n]+\.")
_HEADING = re.compile(r"^Chapter \d+\. .*$", re.MULTILINE)

# Without the day. Capitals in braces are slots.
_SAYS = """
goes: {A} went to the {P} | {A} came to the {P} | {A} walked all the way to the {P} before supper
goes: {A} arrived at the {P} with tired feet | {A} took the path to the {P} and reached it
goes: {A} had made the trip to the {P}
finds: {A} found the {O} at the {P} | while looking around the {P}, {A} found the {O}
finds: {A} stumbled over the {O} at the {P}
finds: Nobody had missed the {O} until {A} found it at the {P}
finds: At the {P}{A} discovered the {O} under a heap of straw
gives: {A} gave the {O} to {B} at the {P} | {A} gave {B} the {O} at the {P}
gives: at the {P}, {A} handed the {O} over to {B} | {B} was given the {O} by {A} at the {P}
gives: At the {P}, {B} thanked {A} for the gift of the {O}
gives: As a present, {B} received the {O} from {A} at the {P}
puts: {A} put the {O} in the {P} | {A} left the {O} at the {P}
puts: {A} carried the {O} to the {P} and set it down | {A} stored the {O} at the {P} for safety
puts: The {O} was brought to the {P} by {A}
puts: Without a word, {A} placed the {O} in a corner of the {P}
buys: {A} bought the {O} at the {P} | {A} paid a fair price for the {O} at the {P}
buys: {A} became the owner of the {O}, bought at the {P}
buys: After some haggling at the {P}, {A} bought the {O}
buys: At the {P}{A} spent some coins on the {O}
sells: {A} sold the {O} at the {P} | {A} let the {O} go for a few coins at the {P}
sells: {A} parted with the {O}, sold at the {P} | After a long talk at the {P}, {A} sold the {O}
sells: At the {P}{A} offered the {O} for sale and a buyer took it
mends: {A} mended the {O} at the {P} | {A} sat down at the {P} and repaired the {O}
mends: {A} fixed the {O} at the {P} | With borrowed tools, {A} repaired the {O} at the {P}
mends: At the {P}{A} made the broken {O} whole again
meets: {A} met {B} at the {P} | {A} ran into {B} at the {P} | {A} and {B} spoke at the {P}
meets: At the {P}{A} shared a meal with {B}
meets: Quite by chance, {A} crossed the way of {B} at the {P}
learns: {A} learned {X} | after much practice, {A} learned {X} | {A} mastered {X} at last
learns: With patience, {A} picked up {X} | The lessons in {X} ended well for {A}
trade: {A} was a {X} by trade | By trade, {A} was a {X} | {A} earned a living as a {X}
trade: Everyone knew {A} as the {X} of the street | For many years {A} had worked as a {X}
trade: The sign above the door of {A} was that of a {X}
mother: {A} was the mother of {B} | The mother of {B} was {A} | {B} called {A} mother
mother: {B} was a child of {A}, who was a loving mother
mother: {A}, as all the neighbours knew, was the mother of {B}
mother: It was {A} who had given birth to {B}
"""

_ASKS = """
place-last: Where is the {O} at the end of the story?
who-gave: Who gave the {O} to {B}?
where-before: Where was {A} just before going to the {P}?
kin 1: Who is the mother of {A}?
kin 2: Who is the grandmother of {A} on the mother's side?
kin 3: Who is the mother of the grandmother of {A} on the mother's side?
trade-of-finder: What is the trade of the person who found the {O}?
when: On which day did {A} learn {X}?
count: How many times did {A} visit the {P}?
"""


def _rows(table: str) -> list[tuple[str, re.Pattern[str]]]:
    rows = []
    for line in table.strip().splitlines():
        kind, _, ways = line.partition(": ")
        for way in ways.split(" | "):
            pattern = re.escape(way).replace(r"\{", "{").replace(r"\}", "}")
            rows.append((kind, re.compile(pattern.format_map(_SLOTS))))
    return rows


_SAID, _ASKED = _rows(_SAYS), _rows(_ASKS)


def sentences(text: str) -> Iterator[str]:
    """Without headings."""
    for found in _SENTENCE.finditer(_HEADING.sub("", text)):
        yield found[0].strip()


def says(sentence: str) -> Said | None:
    day = _DAY.search(sentence)
    bare = (sentence[: day.start()] + sentence[day.end() :] if day else sentence).rstrip(".")
    if found := _read(bare, _SAID):
        when = next((d for d in day.groups() if d), "") if day else ""
        return {**found, "d": when}
    return None


def asks(question: str) -> Said | None:
    day = re.search(r" on day (\d+)", question)
    bare = question[: day.start()] + question[day.end() :] if day else question
    found = _read(bare, _ASKED)
    if found is None:
        return None
    kind, _, hops = found["kind"].partition(" ")
    return {**found, "kind": kind, "hops": hops, "d": day[1] if day else ""}


def _read(text: str, rows: list[tuple[str, re.Pattern[str]]]) -> Said | None:
    for kind, pattern in rows:
        if match := pattern.fullmatch(text):
            return {"kind": kind, **match.groupdict()}
    return None


LANGUAGE = ReadableLanguage(sentences, says, asks)
