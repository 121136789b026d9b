"""Numbers written in English words, rewritten in digits where a number is looked for."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise


def _words(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_SMALL = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL_PLACES = _words(
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_CARDINALS = (
    {word: value for value, word in enumerate(_SMALL)}
    | {word: 10 * (2 + place) for place, word in enumerate(_TENS)}
    | _SCALES
    | {"oh": 0}
)
_PLACES = (
    {word: value for value, word in enumerate(_SMALL_PLACES)}
    | {word[:-1] + "ieth": 10 * (2 + place) for place, word in enumerate(_TENS)}
    | {word + "th": value for word, value in _SCALES.items()}
)
_VALUES = _CARDINALS | _PLACES
_CARDINAL = "|".join(sorted(_CARDINALS, key=len, reverse=True))
_PLACE = "|".join(sorted(_PLACES, key=len, reverse=True))
_AFTER_SCALE = "|".join(f"(?<={scale})" for scale in _SCALES)
_AFTER_THOUSANDS = "|".join(f"(?<={scale})" for scale in _SCALES if scale != "hundred")
# "And" and a comma join only what stands behind a scale: "one thousand, two hundred and five".
_JOIN = rf"(?:\s+|-|(?:{_AFTER_SCALE})\s+and\s+|(?:{_AFTER_THOUSANDS}),\s*)"
_RUN = re.compile(
    rf"(?<![\w-])(?:(?P<sign>minus|negative)\s+)?(?P<one>an?\s+(?=(?:hundred|thousand|million)\b))?"
    rf"(?P<words>(?:{_CARDINAL})\b(?:{_JOIN}(?:{_CARDINAL})\b){{0,40}}(?:{_JOIN}(?:{_PLACE})\b)?"
    rf"|(?:{_PLACE})\b)"
    rf"(?P<point>\s+point(?:\s+(?:{'|'.join(_SMALL[:10])})\b){{1,12}})?(?!\w|-[A-Za-z])",
    re.IGNORECASE,
)
_SCALED = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,9})?"
    r"(?:\s?(hundred|thousand|million|billion)\b|(k)\b|\s?([万萬亿億])(?![\d零〇一二三四五六七八九]))",
    re.IGNORECASE,
)
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
# "One" is a pronoun more often than a number: a small word alone stands where a number would.
_SURELY_A_NUMBER = 13
_LONE_BEFORE = re.compile(
    r"(?:^|[:=;,.!?(\n\"'*—–]\s*|\b(?:is|was|are|be|day|number|or|and|then|value)\s+)\Z",
    re.IGNORECASE,
)
_LONE_AFTER = re.compile(r"\s*(?:$|[,;.!?)\n\"'*—–]|(?:or|and|then)\b)", re.IGNORECASE)
_DAY = re.compile(r"\s+days?\b", re.IGNORECASE)
_LOOK_BACK = 12


def in_digits(text: str) -> str:
    """The text with the numbers that it writes in words written in digits.

    >>> in_digits("minus one hundred and three, or twelve thousand; the twenty-first day")
    '-103, or 12000; the 21st day'
    >>> in_digits("The smallest one, second to none, is five six three point five.")
    'The smallest one, second to none, is 563.5.'
    >>> in_digits("12 thousand"), in_digits("1.5万")
    ('12000', '15000')
    """
    return _RUN.sub(_in_digits, _SCALED.sub(_unscaled, text))


def _unscaled(found: re.Match[str]) -> str:
    scale = 1000 if found[4] else _MYRIADS.get(found[5] or "") or _SCALES[found[3].lower()]
    number = Decimal(found[1].replace(",", "") + (found[2] or "")) * scale
    return format(number.normalize(), "f")


def _in_digits(found: re.Match[str]) -> str:
    words = [word for word in re.split(r"[\s,-]+", found["words"].lower()) if word != "and"]
    values = [_VALUES[word] for word in words]
    is_lone = len(words) == 1 and not (found["sign"] or found["one"] or found["point"])
    if is_lone and not _counts_alone(found, words[0], values[0]):
        return found[0]
    digits = _number(values)
    if digits is None:
        return found[0]
    sign = "-" if found["sign"] else ""
    point = found["point"] or ""
    decimals = "".join(str(_VALUES[word]) for word in point.lower().split()[1:])
    end = _ending(digits) if words[-1] in _PLACES else ""
    return f"{sign}{digits}{'.' + decimals if decimals else ''}{end}"


def _counts_alone(found: re.Match[str], word: str, value: int) -> bool:
    """Whether one word alone is a number: "the first day", "It is one."; not "the smallest one"."""
    if word in _PLACES:
        is_all = not found.string.strip(" .\n").lower().removeprefix("the ").replace(word, "", 1)
        return is_all or _DAY.match(found.string, found.end()) is not None
    if word in _SCALES or word == "oh":
        return False
    before = found.string[max(0, found.start() - _LOOK_BACK) : found.start()]
    stands_alone = _LONE_AFTER.match(found.string, found.end()) is not None
    starts = found.start() == 0 or _LONE_BEFORE.search(before) is not None
    return value >= _SURELY_A_NUMBER or (starts and stands_alone)


def _number(values: list[int]) -> str | None:
    """The digits of a run of values; without scales its groups side by side.

    >>> _number([5, 100, 90, 8]), _number([5, 6, 3]), _number([19, 90, 5]), _number([0, 7])
    ('598', '563', '1995', '07')
    """
    if not set(values) & set(_SCALES.values()):
        return "".join(_groups(values))
    total = group = 0
    least = 10**12  # scales only grow smaller: "five hundred six hundred" are two numbers
    room = 100  # the next value must fit in below the last one
    for value in values:
        if value == 100:
            if group >= 100:
                return None
            group = (group or 1) * 100
            room = 100
        elif value >= 1000:
            if value >= least:
                return None
            total += (group or 1) * value
            group = 0
            least = value
            room = 100
        elif value >= room:
            return None
        else:
            group += value
            room = 10 if value >= 20 else 0
    return str(total + group)


def _groups(values: list[int]) -> list[str]:
    """Tens with their units together, all else apart."""
    groups: list[str] = []
    joined = False
    for before, value in pairwise([0, *values]):
        if before >= 20 and 0 < value < 10 and not joined:
            groups[-1] = str(before + value)
            joined = True
        else:
            groups.append(str(value))
            joined = False
    return groups


def _ending(digits: str) -> str:
    """What makes an ordinal of a number: 21st, 12th."""
    if digits[-2:] in ("11", "12", "13"):
        return "th"
    return {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
