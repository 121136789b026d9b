"""Wrong golds, put into sessions on purpose: thirty mistakes over all tasks that a maker of
sessions could make.

A mistake is a function of a session, a turn of it and the turn's gold (as its reader would say it);
it gives another gold, or None where this turn has no room for the mistake.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from readers.code import functions
from scbench.types import Session, Turn

Plant = Callable[[Session, Turn, str], "str | None"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """`part` is the task of the turn it is planted in; `asks` its question must hold."""

    task: str
    part: str
    what: str
    plant: Plant
    asks: str = ""


def _numbers(session: Session) -> list[int]:
    return sorted(map(int, re.findall(r"\d+", session.context)))


def _other_word(session: Session, pattern: str, gold: str) -> str | None:
    """The first match of the text that is not the gold."""
    return next((word for word in re.findall(pattern, session.context) if word != gold), None)


def _sentence_word(session: Session, turn: Turn, pattern: str, gold: str) -> str | None:
    """The same among sentences that share a name with the question."""
    names = re.findall(r"[A-Z][a-z]+(?: [A-Z][a-z]+)?|[a-z]+ [a-z]+(?= at the end)", turn.ask[5:])
    for sentence in re.findall(r"[^.\n]+\.", session.context):
        if any(name in sentence for name in names):
            for word in re.findall(pattern, sentence):
                if word != gold and word not in turn.ask:
                    return str(word)
    return None


def _next_letter(session: Session, turn: Turn, gold: str) -> str:
    return "ABCD"[("ABCD".index(gold) + 1) % 4]


def _bracketed(session: Session, turn: Turn, gold: str) -> str:
    return "(A)" if gold != "(A)" else "(B)"


def _rank(session: Session, turn: Turn, gold: str) -> str | None:
    """One too far into the list of distinct values."""
    values = sorted(set(_numbers(session)))
    at = values.index(int(gold))
    return str(values[at - 1 if at else 1])


def _runner_up(session: Session, turn: Turn, gold: str) -> str:
    return str(Counter(_numbers(session)).most_common(2)[1][0])


def _value_of(session: Session, turn: Turn, gold: str) -> str | None:
    return _other_word(session, r'": "([^"]+)"', gold)


def _other_turn(session: Session, turn: Turn, gold: str) -> str | None:
    for other in session.turns:
        if other is not turn and other.task == turn.task and other.gold != turn.gold:
            return other.wanted.golds[0] if turn.task == "repoqa" else other.gold
    return None


def _other_function(session: Session, turn: Turn, gold: str) -> str | None:
    return next((text for text in functions(session.context) if text != gold), None)


def _altered(session: Session, turn: Turn, gold: str) -> str | None:
    """The function with its last line left out, where it still is one."""
    shorter = gold.rpartition("\n")[0]
    try:
        ast.parse(shorter)
    except SyntaxError:
        return f"{gold}\n    pass"
    return shorter


def _rival_facts(session: Session, turn: Turn, gold: str) -> str:
    return ", ".join(turn.wanted.rival_facts[: len(turn.wanted.facts)])


_NAME, _TWO = r"\b[A-Z][a-z]+\b", r"at the ([a-z]+ [a-z]+)"
_PLACE_ZH = r"在([一-鿿]{3})"

MISTAKES = (
    Mistake("kv", "kv", "the value of another key", _value_of),
    Mistake("kv", "kv", "the key instead of its value", lambda s, t, g: t.ask.split('"')[1]),
    Mistake(
        "kv",
        "kv",
        "a value with two characters swapped",
        lambda s, t, g: g[1] + g[0] + g[2:] if g[0] != g[1] else None,
    ),
    Mistake(
        "prefix_suffix",
        "prefix_suffix",
        "a string with the beginning alone",
        lambda s, t, g: next((w for w in s.context.split() if w[:8] == g[:8] and w != g), None),
    ),
    Mistake(
        "prefix_suffix",
        "prefix_suffix",
        "a string with the end alone",
        lambda s, t, g: next((w for w in s.context.split() if w[-8:] == g[-8:] and w != g), None),
    ),
    Mistake("prefix_suffix", "prefix_suffix", "the string of another turn", _other_turn),
    Mistake("vt", "vt", "the last link left out", lambda s, t, g: ", ".join(g.split(", ")[:-1])),
    Mistake("vt", "vt", "the first link alone", lambda s, t, g: g.split(", ")[0]),
    Mistake(
        "vt",
        "vt",
        "a link of another chain added",
        lambda s, t, g: f"{g}, {(_other_turn(s, t, g) or '').split(', ')[0]}",
    ),
    Mistake("mf", "mf", "the largest but one", _rank, "The largest"),
    Mistake("mf", "mf", "the smallest but one", _rank, "The smallest"),
    Mistake("mf", "mf", "a rank too far", _rank, "distinct"),
    Mistake("mf", "mf", "the second most frequent", _runner_up, "most frequent"),
    Mistake("mf", "mf", "the median of distinct values, or one off", _rank, "median"),
    Mistake(
        "qa_eng",
        "qa_eng",
        "where the thing was before",
        lambda s, t, g: _sentence_word(s, t, _TWO, g),
        "at the end",
    ),
    Mistake(
        "qa_eng",
        "qa_eng",
        "the person who received it",
        lambda s, t, g: t.ask.removesuffix("?").rpartition(" to ")[2],
        "Who gave",
    ),
    Mistake(
        "qa_eng",
        "qa_eng",
        "the place asked about",
        lambda s, t, g: t.ask.rpartition(" to the ")[2].partition(" on day")[0],
        "just before",
    ),
    Mistake(
        "qa_eng",
        "qa_eng",
        "somebody else of the family",
        lambda s, t, g: _sentence_word(s, t, _NAME, g),
        "grandmother",
    ),
    Mistake("qa_eng", "qa_eng", "another day", lambda s, t, g: str(int(g) + 1), "On which day"),
    Mistake(
        "qa_eng",
        "qa_eng",
        "another trade",
        lambda s, t, g: _other_word(s, r"was a ([a-z]+) by trade", g) or "carpenter",
        "trade",
    ),
    Mistake(
        "qa_chn", "qa_chn", "another place", lambda s, t, g: _other_word(s, _PLACE_ZH, g), "在哪里"
    ),
    Mistake(
        "qa_chn", "qa_chn", "the person who received it", lambda s, t, g: t.ask[-4:-1], "是谁把"
    ),
    Mistake("choice_eng", "choice_eng", "the next letter", _next_letter),
    Mistake(
        "choice_eng",
        "choice_eng",
        "the next letter, where the last place is asked",
        _next_letter,
        "at the end",
    ),
    Mistake("many_shot", "many_shot", "another letter", _bracketed),
    Mistake("summary", "summary", "the facts of another report", _rival_facts),
    Mistake("summary", "summary", "one fact left out", lambda s, t, g: g.rpartition(", ")[0]),
    Mistake("summary_with_needles", "passkey", "the key of another", _other_turn),
    Mistake("repoqa", "repoqa", "the first other function", _other_function),
    Mistake("repoqa", "repoqa", "the function of another turn", _other_turn),
    Mistake("repoqa", "repoqa", "the function without its last line", _altered),
    Mistake("repoqa_and_kv", "repoqa", "the first other function", _other_function),
    Mistake("repoqa_and_kv", "kv", "the value of another key", _value_of),
)
