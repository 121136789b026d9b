"""A reader of stories: inverse templates turn prose back into statements, and a solver answers
questions from those alone.

It knows the sentence templates, but nothing of plans, worlds or spans; its rules for answering are
written apart from the generator's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from scbench.tasks.materials.story import terms
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.language import Language
from scbench.tasks.materials.story.names import GIVEN, SURNAMES

Told = dict[str, str]  # kind, and a word per slot


def _slots(language: Language) -> dict[str, str]:
    if language is ENGLISH:
        name, compound = "[A-Z][a-z]+(?: [A-Z][a-z]+)?", "[a-z]+ [a-z]+"
        return {
            "a": name,
            "b": name,
            "o": compound,
            "p": compound,
            "d": r"\d+",
            "x": r"[A-Za-z]+|\d{4}",
        }
    materials, qualities = (
        "".join(pair[1] for pair in table) for table in (terms.MATERIALS, terms.PLACE_QUALITIES)
    )
    name = f"[{SURNAMES}][{GIVEN}]{{2}}"
    return {
        "a": name,
        "b": name,
        "o": f"[{materials}].",
        "p": f"[{qualities}]..",
        "d": r"\d+",
        "x": r".{2,4}",
    }


def _pattern(language: Language, template: str) -> re.Pattern[str]:
    slots, seen = _slots(language), set[str]()

    def group(slot: re.Match[str]) -> str:
        if slot[1] in seen:
            return f"(?P={slot[1]})"
        seen.add(slot[1])
        return f"(?P<{slot[1]}>{slots[slot[1]]})"

    escaped = re.sub(r"\\\{(.)\\\}", r"{\1}", re.escape(template))
    return re.compile(re.sub(r"\{(.)\}", group, escaped))


@cache
def sentence_patterns(language: Language) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (kind, _pattern(language, text))
        for kind, texts in language.templates.items()
        for text in texts
    )


@cache
def question_patterns(language: Language) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, _pattern(language, text)) for kind, text in language.questions.items())


def sentences(text: str, language: Language) -> list[str]:
    heading = re.compile(language.chapter.format(r"\d+", ".*"))
    lines = [line for line in text.split("\n") if line and not heading.fullmatch(line)]
    found = re.findall(r"[^.]+\." if language is ENGLISH else "[^。]+。", "\n".join(lines))
    return [sentence.strip() for sentence in found]


def read(text: str, language: Language) -> list[Told]:
    """All statements in order. A sentence that is neither a statement nor scenery, or that can be
    read in two ways, is an error.
    """
    told: list[Told] = []
    for sentence in sentences(text, language):
        if sentence in language.scenery or re.fullmatch("(Wind|Cold wind).*|风[吹啊]*。", sentence):
            continue
        readings = [
            {"kind": kind, **match.groupdict()}
            for kind, pattern in sentence_patterns(language)
            if (match := pattern.fullmatch(sentence))
        ]
        assert len(readings) == 1, f"{len(readings)} readings of {sentence!r}"
        told += readings
    return told


def understand(ask: str, language: Language) -> tuple[str, Told]:
    found = [
        (kind, match.groupdict())
        for kind, pattern in question_patterns(language)
        if (match := pattern.fullmatch(ask))
    ]
    # The longer question about kin also fits the shorter pattern's name slot in no language; one
    # reading is left.
    assert len(found) == 1, f"{len(found)} readings of {ask!r}"
    return found[0]


def solve(told: Iterable[Told], ask: str, language: Language) -> set[str]:
    """Every answer the statements support."""
    told = list(told)
    kind, q = understand(ask, language)
    if kind == "place-last":
        places = [t["p"] for t in told if t.get("o") == q["o"] and "p" in t]
        return set(places[-1:])
    if kind == "who-gave":
        return {
            t["a"] for t in told if t["kind"] == "gives" and t["o"] == q["o"] and t["b"] == q["b"]
        }
    if kind == "where-before":
        last, answers = "", set[str]()
        for t in told:
            if "p" in t and q["a"] in (t.get("a"), t.get("b")):
                if t["kind"] == "goes" and t["p"] == q["p"] and t["d"] == q["d"] and last:
                    answers.add(last)
                last = t["p"]
        return answers
    if kind.startswith("kin-"):
        line = {q["a"]}
        for _ in range(int(kind[-1])):
            line = {t["a"] for t in told if t["kind"] == "mother" and t["b"] in line}
        return line
    if kind == "trade-of-finder":
        return {
            trade["x"] for find in told for trade in told
            if find["kind"] == "finds" and find["o"] == q["o"] and trade["kind"] == "trade" and trade["a"] == find["a"]
        }  # fmt: skip
    if kind == "when":
        return {
            t["d"] for t in told if t["kind"] == "learns" and t["a"] == q["a"] and t["x"] == q["x"]
        }
    assert kind == "count"
    return {str(sum(t["kind"] == "goes" and t["a"] == q["a"] and t["p"] == q["p"] for t in told))}
