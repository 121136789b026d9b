"""What follows from the statements of a story, in whatever language they were said.

A place is where somebody or something was last said to be. A thing that somebody found, bought,
was given or mended is with that person, and goes where she is next said to be; a thing that was put
down stays there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Said = dict[str, str]  # kind, and a word per slot
_CARRIED = ("finds", "gives", "buys", "mends")
_OPTION = re.compile(r"^([A-D])\. (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class ReadableLanguage:
    """`says` gives what one sentence says, None for scenery; `asks` the same for a question."""

    sentences: Callable[[str], Iterator[str]]
    says: Callable[[str], Said | None]
    asks: Callable[[str], Said | None]


def answer(context: str, question: str, language: ReadableLanguage) -> str | None:
    """None where the question is not understood, or the story has no answer, or several."""
    asked = language.asks(question)
    if asked is None:
        return None
    log = [said for text in language.sentences(context) if (said := language.says(text))]
    found = ANSWERS[asked["kind"]](asked, log)
    return found.pop() if len(found) == 1 else None


def letter(context: str, question: str, language: ReadableLanguage) -> str | None:
    """The letter of the option that is the answer."""
    found = answer(context, question.split("\n")[0], language)
    letters = [name for name, text in _OPTION.findall(question) if text == found]
    return letters[0] if len(letters) == 1 else None


def _place_last(asked: Said, log: list[Said]) -> set[str]:
    place, carrier = "", ""
    for said in log:
        if said.get("o") == asked["o"] and "p" in said:
            place, carrier = said["p"], _carrier(said)
        elif carrier and carrier in (said.get("a"), said.get("b")) and "p" in said:
            place = said["p"]
    return {place} - {""}


def _carrier(said: Said) -> str:
    """Who has the thing after this; nobody where it was put down or sold to a stranger."""
    if said["kind"] not in _CARRIED:
        return ""
    return said["b"] if said["kind"] == "gives" else said["a"]


def _who_gave(asked: Said, log: list[Said]) -> set[str]:
    return {
        said["a"]
        for said in log
        if said["kind"] == "gives" and (said["o"], said["b"]) == (asked["o"], asked["b"])
    }


def _where_before(asked: Said, log: list[Said]) -> set[str]:
    found, place = set[str](), ""
    for said in log:
        if "p" not in said or asked["a"] not in (said.get("a"), said.get("b")):
            continue
        if (said["kind"], said["p"], said["d"]) == ("goes", asked["p"], asked["d"]):
            found.add(place)
        place = said["p"]
    return found - {""}


def _kin(asked: Said, log: list[Said]) -> set[str]:
    people = {asked["a"]}
    for _ in range(int(asked["hops"])):
        people = {said["a"] for said in log if said["kind"] == "mother" and said["b"] in people}
    return people


def _trade_of_finder(asked: Said, log: list[Said]) -> set[str]:
    finders = {said["a"] for said in log if said["kind"] == "finds" and said["o"] == asked["o"]}
    return {said["x"] for said in log if said["kind"] == "trade" and said["a"] in finders}


def _when(asked: Said, log: list[Said]) -> set[str]:
    return {
        said["d"]
        for said in log
        if said["kind"] == "learns" and (said["a"], said["x"]) == (asked["a"], asked["x"])
    }


def _count(asked: Said, log: list[Said]) -> set[str]:
    visits = [
        said
        for said in log
        if said["kind"] == "goes" and (said["a"], said["p"]) == (asked["a"], asked["p"])
    ]
    return {str(len(visits))}


ANSWERS: Mapping[str, Callable[[Said, list[Said]], set[str]]] = {
    "place-last": _place_last,
    "who-gave": _who_gave,
    "where-before": _where_before,
    "kin": _kin,
    "trade-of-finder": _trade_of_finder,
    "when": _when,
    "count": _count,
}
