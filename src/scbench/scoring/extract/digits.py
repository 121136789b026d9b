"""A number in digits, however it is written: in words, in groups, in powers of ten, in digits of
another script.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from scbench.scoring.english import in_digits
from scbench.scoring.extract.sought import AnswerKind, Sought

# Digits said one by one, and groups of three with a blank between: 5 6 3 8 9 4, 563 894.
_SPACED = re.compile(r"(?<![\w.,-])\d(?:[ -]\d){3,}(?![ -]?\w|[.,]\d)")
_GROUPED = re.compile(r"(?<![\w.,])(?<!\d )\d{1,3}(?: \d{3})+(?! ?\d|[.,]\d|\w)")
# 6.204.266 and 6'204'266: one mark alone could be a decimal one.
_MARKED = re.compile(r"(?<![\w.,'’])\d{1,3}(?:(?:\.\d{3}){2,}|(?:['’]\d{3})+)(?![\w'’]|[.,]\d)")
_POWER = re.compile(
    r"(?<![\w.,])(\d{1,15}(?:\.\d{1,15})?)\s*(?:×|x|\*|·|\\times|\\cdot)\s*10"
    r"(?:\s*\^\s*\{?\s*(\d{1,2})\s*\}?|([⁰¹²³⁴-⁹]{1,2}))(?!\d)"
)


def _is_of_digits(sought: Sought) -> bool:
    is_digits = sought.kind is AnswerKind.STRING and sought.wanted.shape == "digits"
    return sought.kind is AnswerKind.NUMBER or is_digits


def in_plain_digits(text: str, sought: Sought) -> str:
    """2.16 × 10^2, 6.204.266 and ٢١٦ as they are written in plain digits."""
    if not _is_of_digits(sought):
        return text
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text
        )
    text = _MARKED.sub(lambda number: re.sub(r"\D", "", number[0]), text)
    return _POWER.sub(_multiplied, text)


def _multiplied(found: re.Match[str]) -> str:
    power = int(found[2] or unicodedata.normalize("NFKC", found[3]))
    return format((Decimal(found[1]) * 10**power).normalize(), "f")


def numbers_in_digits(text: str, sought: Sought) -> str:
    """A number's words as digits, and digits that stand apart joined, where a number is sought."""
    is_number = sought.kind is AnswerKind.NUMBER
    if not _is_of_digits(sought):
        return text
    text = in_digits(text)
    for apart in (_SPACED, _GROUPED) if is_number else ():
        text = apart.sub(_joined, text)
    return text


def _joined(digits: re.Match[str]) -> str:
    """Parts of one number; a number that is only said again stays several."""
    parts = re.split("[ -]", digits[0])
    return "".join(parts) if len(set(parts)) > 1 else digits[0]
