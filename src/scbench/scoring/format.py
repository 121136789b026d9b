"""Format failures: an accepted answer stands in the text, and the strict rule could not take it.

Losing the form of an answer is one of the ways in which a method fails, and another than losing
the answer. Told apart here, beside the score and never in it: the score of both is 0.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

from scbench.scoring.choice import gold_letters, parse_options
from scbench.scoring.english import in_digits
from scbench.scoring.extract import MOST_SHORT_CHARS, AnswerKind, Sought, spoken
from scbench.scoring.extract.denials import without_denials
from scbench.scoring.number import numbers
from scbench.scoring.text import norm

_MARKED_LETTER = r"(?<![\w'’])[(\[*]?{}(?:[)\].:,*]|$)"


def is_format_failure(answer: str, sought: Sought) -> bool:
    """Whether an answer that scores 0 holds an accepted one, outside of what it denies.

    A thought that was closed does not count: what was answered behind it is another thing. One
    that never ended does. So do answers that name several things, one of them right: a bound from
    above of what form alone has cost.

    >>> from scbench.types import Wanted
    >>> sought = Sought(AnswerKind.STRING, Wanted(golds=("4821",)))
    >>> is_format_failure("4821 or 4822", sought), is_format_failure("not 4821", sought)
    (True, False)
    """
    said = spoken(answer, sought.is_mark)
    text = answer if said.is_unclosed else said.text
    text = text[-MOST_SHORT_CHARS:]
    if sought.kind is AnswerKind.PROSE:
        return False
    if sought.kind is AnswerKind.CODE:
        tokens = f" {' '.join(text.split())} "
        return any(f" {' '.join(gold.split())} " in tokens for gold in sought.wanted.golds)
    text = without_denials(text, sought)
    if sought.kind is AnswerKind.NUMBER:
        said_numbers = numbers(in_digits(text), ordinals=True)
        asked = numbers(sought.wanted.question, ordinals=True)
        return any(numbers(gold) & said_numbers - asked for gold in sought.wanted.golds)
    asked_text = f" {norm(sought.wanted.question)} "
    return any(_stands(gold, text, asked_text) for gold in _texts(sought)) or any(
        re.search(_MARKED_LETTER.format(letter), text, re.MULTILINE) for letter in _letters(sought)
    )


def _stands(gold: str, text: str, asked: str) -> bool:
    """As whole words; where the gold's script has no blanks, anywhere."""
    bare = norm(gold)
    if not bare or f" {bare} " in asked:
        return False
    return f" {bare} " in f" {norm(text)} " or (not bare.isascii() and bare in norm(text))


def _texts(sought: Sought) -> tuple[str, ...]:
    if sought.kind is not AnswerKind.LETTER:
        return sought.wanted.golds
    options = _options(sought)
    return tuple(options[ascii_uppercase.index(x)] for x in _letters(sought) if options)


def _letters(sought: Sought) -> set[str]:
    if sought.kind is not AnswerKind.LETTER:
        return set()
    return gold_letters(sought.wanted.golds, _options(sought))


def _options(sought: Sought) -> tuple[str, ...]:
    return sought.wanted.options or parse_options(sought.wanted.question)
