"""Strict rule of En.MultiChoice and ICL.ManyShot: read the one option an answer chooses, or
none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from scbench.scoring.text import head, named, nfkc, norm
from scbench.types import Score, Wanted

RULE = "strict/1"
_OPEN, _CLOSE = r"[(\[*\"'`]*", r"[)\]*\"'`.:,]"
_MARKED = re.compile(rf"{_OPEN}([A-Z])(?:$|{_CLOSE}+(?=\s|$)|\s+[-‐‑‒–—―−]+\s)")
_LONE = re.compile(rf"{_OPEN}([a-z]){_CLOSE}*")
_PHRASE = re.compile(r"\b(?:answer|option|choice|letter)\b(?:\s+is\b)?\s*[:：]?\s*", re.IGNORECASE)
_REASON = re.compile(rf"{_OPEN}([A-Z]){_CLOSE}*\s+(?:because|since|as|for)\b")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_LISTED = re.compile(r"\(([A-Z])\)[ \t]*(.*?)[ \t]*(?=\n|\([A-Z]\)|$)")
_AFTER_TEXT = frozenset(".,;:!?)]*\"'`")
CONFLICT = "letter and text disagree"


def parse_options(question: str) -> tuple[str, ...]:
    """The option texts of the last run `(A) ...`, `(B) ...` of a question, one a line or one a
    segment; empty if there is none.
    """
    texts: list[str] = []
    for letter, text in _LISTED.findall(question):
        if letter == "A":
            texts = [text]
        elif texts and letter == ascii_uppercase[len(texts) % 26]:
            texts.append(text)
    return tuple(texts)


def gold_letter(golds: Sequence[str], options: Sequence[str]) -> str | None:
    """The letter of the first gold that is an option's text (the first such option, as the runner
    counts), else of one that is a letter.
    """
    for gold in golds:
        if gold in options:
            return (
                ascii_uppercase[list(options).index(gold)]
                if list(options).index(gold) < 26
                else None
            )
    letters = ascii_uppercase[: len(options)] if options else ascii_uppercase
    golds = (
        golds if options else golds[:1]
    )  # without options a second gold cannot be told from a first that is a text
    return next(
        (
            bare
            for bare in (gold.strip("() ") for gold in golds)
            if len(bare) == 1 and bare in letters
        ),
        None,
    )


def choose(prediction: str, wanted: Wanted) -> Score:
    """1 iff the option read from the answer is the gold's. Options come from the turn, else from
    its question.

    ManyShot answers without either are read by letters alone, and `why` says so; a MultiChoice gold
    is a text, so its options are needed.
    """
    options = wanted.options or parse_options(wanted.question)
    gold = gold_letter(wanted.golds, options)
    if gold is None:
        what = (
            f"the gold {wanted.golds[0][:80]!r} is neither an option's text nor a letter"
            if options
            else "the options are missing"
        )
        return Score(value=None, rule=RULE, why=what)
    letter, why = choice(prediction, options)
    note = why if options else "; ".join(filter(None, (why, "option texts unknown, letters only")))
    return Score(value=float(letter == gold), rule=RULE, read=letter or "", why=note)


def choice(prediction: str, options: Sequence[str]) -> tuple[str | None, str]:
    """The letter chosen, or None, and how it was read. Only the head of the prediction is read;
    first rule that decides wins.

    Without options every capital letter may be chosen. A letter beside another option's text
    chooses nothing.
    """
    line = head(prediction)
    letters = ascii_uppercase[: len(options)] if options else ascii_uppercase
    normal = [norm(option) for option in options[:26]]
    same = [letters[i] for i, text in enumerate(normal) if text and text == norm(line)]
    if len(same) == 1:
        return same[0], "option text"
    if lone := _LONE.fullmatch(line):
        letter = lone[1].upper()
        return (letter, "lone letter") if letter in letters else (None, "no such option")
    letter, is_conflict = _marked(line, letters, normal)
    if is_conflict or letter:
        return letter, CONFLICT if is_conflict else "marked letter"
    results, is_conflict = _after_phrases(line, letters, options, normal)
    if is_conflict:
        return None, CONFLICT
    if results:
        return (results.pop(), "after a phrase") if len(results) == 1 else (None, "several options")
    texts = named(normal, norm(line))
    results = {letters[i] for i, text in enumerate(normal) if text in texts} | {
        x for x in _BRACKETED.findall(line) if x in letters
    }
    if len(results) == 1:
        return results.pop(), "named once"
    return None, "several options" if results else "no option"


def _marked(text: str, letters: str, normal: Sequence[str]) -> tuple[str | None, bool]:
    """(letter, whether what follows is another option's text) for a marked letter at the start of
    `text`.
    """
    match = _MARKED.match(text)
    if not match or match[1] not in letters:
        return None, False
    rest = norm(text[match.end() :])
    other = bool(rest) and any(
        rest == option and letters[i] != match[1] for i, option in enumerate(normal)
    )
    own = any(rest == option and letters[i] == match[1] for i, option in enumerate(normal))
    return (None, True) if other and not own else (match[1], False)


def _after_phrases(
    line: str, letters: str, options: Sequence[str], normal: Sequence[str]
) -> tuple[set[str], bool]:
    """The distinct options named right after phrases such as "the answer is", and whether one of
    them contradicts itself.
    """
    results: set[str] = set()
    reach = 200 + 4 * max(
        map(len, options), default=0
    )  # more than any option: a longer rest is equal to none
    for phrase in _PHRASE.finditer(line):
        rest = line[phrase.end() : phrase.end() + reach]
        letter, is_conflict = _marked(rest, letters, normal)
        if is_conflict:
            return set(), True
        if not letter and (reason := _REASON.match(rest)) and reason[1] in letters:
            letter = reason[1]
        letter = letter or _begins_with_option(rest, letters, options)
        if letter:
            results.add(letter)
    return results, False


def _begins_with_option(rest: str, letters: str, options: Sequence[str]) -> str | None:
    """The option whose text stands at the start of `rest`, up to its end or a mark; the longest
    such text.
    """
    start = nfkc(rest).casefold().lstrip("([*\"'` ")
    order = sorted(range(min(len(options), 26)), key=lambda i: -len(options[i]))
    for i in order:
        text = nfkc(options[i]).casefold().strip()
        if (
            text
            and start.startswith(text)
            and (
                len(start) == len(text)
                or start[len(text)] in _AFTER_TEXT
                or norm(start) == norm(text)
            )
        ):
            return letters[i]
    return None
