"""Strict rule of En.MultiChoice and ICL.ManyShot: read the one option an answer chooses, or
none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from scbench.scoring.rules import STRICT
from scbench.scoring.text import UNSPACED, head, named, nfkc, norm
from scbench.types import Score, Wanted

_OPEN, _CLOSE = r"[(\[*\"'`“‘「『]*", r"[)\]*\"'`”’」』.:,]"
_MARKED = re.compile(rf"{_OPEN}([A-Z])(?:$|{_CLOSE}+(?=\s|$)|\s+[-‐‑‒–—―−]+\s)")
_LONE = re.compile(rf"{_OPEN}([a-z]){_CLOSE}*")
# What the answer states follows these words, in the languages that models answer in.
_PHRASE = re.compile(
    r"\b(?:(?:answer|option|choice|letter)\b(?:\s+(?:is|was|would be|should be|must be)\b)?"
    r"|(?:pick|choose|select|go(?:ing)?\s+(?:with|for))\b"
    r"|(?:Antwort|L[öo]sung)\b(?:\s+(?:ist|lautet)\b)?|richtig(?:e[rs]?)?\s+ist\b"
    r"|r[ée]ponse\b(?:\s+correcte\b)?(?:\s+est\b)?(?:\s+l[ae]\b)?|ответ\b(?:\s*[-—–])?"
    r"|(?:respuesta|risposta|resposta)\b(?:\s+corr?ect[ao]\b)?(?:\s+(?:es|è|é)\b)?(?:\s+l[ao]\b)?)"
    r"(?:\s+(?:option|choice|letter|answer)\b)?\s*[:：]?\s*"
    r"|\bit(?:['’]s|\s+is)\s+(?:option\s+)?|^\s*是\s*"
    r"|(?:答案|选项|選項|选择|選擇|选|選|答え|正解|정답)\s*(?:就?是|应?为|應?為|は|은)?\s*[:：]?\s*",
    re.IGNORECASE | re.MULTILINE,
)
_AFTER = re.compile(rf"{_OPEN}([A-Za-z])(?![A-Za-z0-9'’]|-\w|\s*[?？])")
# These name an option, and do not yet choose it.
_WEAK = re.compile(r"option|it|选项|選項", re.IGNORECASE)
_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):]+[ \t]+\S", re.MULTILINE)
_REASONS = "because|since|as|for|is|was"
_ARTICLE = re.compile(rf"\s+(?!(?:{_REASONS})\b)[a-z]")
_SMALL_ENDS = re.compile(rf"\s*(?:$|[)\].,:;!?*\"'`—–-]|[{UNSPACED}]|(?:{_REASONS})\b)")
_ANOTHER = re.compile(
    r"[)\]]?\s*(?:[,/&]|\bor\b|\band\b|,\s*or\b|或者?|和|、)\s*[(\[]?([A-Z])(?![\w'’])"
)
_IS_RIGHT = re.compile(
    r"(?<![\w'’])[(\[]?([A-Z])[)\].:]*\s+(?:is|was|seems)\s+(?:the\s+)?(?:most\s+)?"
    r"(?:correct|right|best|true|answer)\b"
)
_IT_IS = re.compile(
    r"\b(?i:it|this|that)(?:['’]s|\s+(?:is|was|must be|has to be|should be|would be))\s+"
    r"[(\[*\"]*([A-Z])(?=[)\].,:;!*\"]|\s*(?:\n|$)|\s+(?:because|since)\b)"
)
_BRACKETED = re.compile(r"(?<![\w.])\(?([A-Z])\)")
_LISTED = re.compile(r"\(([A-Z])\)[ \t]*(.*?)[ \t]*(?=\n|\([A-Z]\)|$)")
_AFTER_TEXT = frozenset(".,;:!?)]*\"'`")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_BY_PLACE = re.compile(
    r"(?:(?:it(?:['’]s| is)|I(?:['’]d| would)? (?:choose|pick|select|say)"
    r"|(?:the |my )?answer(?: is|:))"
    rf"\s+)?(?:the\s+)?({'|'.join(_ORDINALS)})\s+(?:option|choice|answer|one)"
    r"(?:\s+is\s+(?:correct|right|true))?[.!]?",
    re.IGNORECASE,
)
# "A high probability: B"; not "Wrong: B".
_BEHIND_COLON = re.compile(r"([^:：]*)[:：]\s*[(\[]?([A-Z])[)\]]?[.!]?")
_REJECTS = re.compile(
    r"\b(?:wrong|incorrect|false|not|no|except|excluded?|eliminated?|rejected?|closest|options?"
    r"|candidates?|falsch|faux)\b",
    re.IGNORECASE,
)
CONFLICT = "letter and text disagree"
SEVERAL = "several options"


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
            place = list(options).index(gold)
            return ascii_uppercase[place] if place < 26 else None
    letters = ascii_uppercase[: len(options)] if options else ascii_uppercase
    # Without options a second gold cannot be told from a first that is a text.
    told = golds if options else golds[:1]
    bare = (gold.strip("() ") for gold in told)
    return next((text for text in bare if len(text) == 1 and text in letters), None)


def gold_letters(golds: Sequence[str], options: Sequence[str]) -> set[str]:
    """The letters of all golds; text and letter of one option, as the runner writes them, are one.

    >>> sorted(gold_letters(("Bob", "C"), ("Al", "Ann", "Bob")))
    ['C']
    >>> sorted(gold_letters(("Bob", "Ann"), ("Al", "Ann", "Bob")))
    ['B', 'C']
    """
    first = gold_letter(golds, options)
    if first is None:
        return set()
    if len(golds) == 2 and golds[1].strip("() ") == first:
        return {first}
    return {letter for gold in golds if (letter := gold_letter((gold,), options))}


def choose(prediction: str, wanted: Wanted) -> Score:
    """1 iff the option read from the answer is a gold's. Options come from the turn, else from
    its question.

    ManyShot answers without either are read by letters alone, and `why` says so; a MultiChoice gold
    is a text, so its options are needed.
    """
    options = wanted.options or parse_options(wanted.question)
    golds = gold_letters(wanted.golds, options)
    if not golds:
        what = (
            f"the gold {wanted.golds[0][:80]!r} is neither an option's text nor a letter"
            if options
            else "the options are missing"
        )
        return Score(value=None, rule=STRICT, why=what)
    letter, why = choice(prediction, options)
    note = why if options else "; ".join(filter(None, (why, "option texts unknown, letters only")))
    return Score(value=float(letter in golds), rule=STRICT, read=letter or "", why=note)


def choice(prediction: str, options: Sequence[str]) -> tuple[str | None, str]:
    """The letter chosen, or None, and how it was read; first rule that decides wins.

    The head of an answer may be an option or a marked letter; what follows "the answer is" and its
    like counts wherever it stands; else the head, or else the whole, must name one option. Without
    options every capital letter may be chosen. A letter beside another option's text chooses
    nothing, and neither does an article.
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
    if letter and _are_gone_through(prediction, letters):
        letter = None
    if letter and _is_one_of_several(line, letter, letters):
        return None, SEVERAL
    if is_conflict or letter:
        return letter, CONFLICT if is_conflict else "marked letter"
    results, is_conflict = _after_phrases(prediction, letters, options, normal)
    if is_conflict:
        return None, CONFLICT
    if results:
        return (results.pop(), "after a phrase") if len(results) == 1 else (None, SEVERAL)
    results = _named(line, letters, normal) or _named(prediction, letters, normal)
    if len(results) == 1:
        return results.pop(), "named once"
    if results:
        return None, SEVERAL
    if letter := _by_place(line, letters) or _behind_colon(line, letters):
        return letter, "named once"
    return None, "no option"


def _by_place(line: str, letters: str) -> str | None:
    """The letter of "the second option"."""
    place = _BY_PLACE.fullmatch(line)
    index = _ORDINALS.index(place[1].lower()) if place else len(letters)
    return letters[index] if index < len(letters) else None


def _behind_colon(line: str, letters: str) -> str | None:
    """The letter that a head ends with, behind words that reject nothing."""
    found = _BEHIND_COLON.fullmatch(line)
    if found is None or found[2] not in letters or _REJECTS.search(found[1]):
        return None
    return found[2]


def _are_gone_through(text: str, letters: str) -> bool:
    """Whether lines go through several options, letter by letter: none of these lines chooses."""
    return len(set(_LINE.findall(text)) & set(letters)) > 1


def _named(text: str, letters: str, normal: Sequence[str]) -> set[str]:
    """The options named by their texts or by letters in brackets."""
    texts = named(normal, norm(text))
    by_text = {letters[i] for i, option in enumerate(normal) if option in texts}
    return by_text | {letter for letter in _BRACKETED.findall(text) if letter in letters}


def _is_one_of_several(line: str, letter: str, letters: str) -> bool:
    """Whether the head goes on from its letter to another: "A, B, C, D"."""
    at = line.index(letter) + 1
    other = _ANOTHER.match(line, at)
    return other is not None and other[1] in letters and other[1] != letter


def _marked(text: str, letters: str, normal: Sequence[str]) -> tuple[str | None, bool]:
    """(letter, whether what follows is another option's text) for a marked letter at the start of
    `text`.
    """
    match = _MARKED.match(text)
    if not match or match[1] not in letters:
        return None, False
    return (None, True) if _is_other(text[match.end() :], match[1], normal) else (match[1], False)


def _is_other(rest: str, letter: str, normal: Sequence[str]) -> bool:
    """Whether what follows a letter is the text of another option, and not of its own too."""
    said = norm(rest)
    same = {ascii_uppercase[i] for i, option in enumerate(normal) if option and option == said}
    return bool(same) and letter not in same


def _after_phrases(
    text: str, letters: str, options: Sequence[str], normal: Sequence[str]
) -> tuple[set[str], bool]:
    """The distinct options named right after phrases such as "the answer is", and whether one of
    them contradicts itself.
    """
    results: set[str] = set()
    only_named: set[str] = set()
    # More than any option: a longer rest is equal to none.
    reach = 200 + 4 * max(map(len, options), default=0)
    for phrase in _PHRASE.finditer(text):
        rest = text[phrase.end() : phrase.end() + reach].split("\n", 1)[0]
        letter = _begins_with_option(rest, letters, options)
        if letter is None:
            letter = _begins_with_letter(rest, letters)
            if letter and _is_other(rest[rest.upper().index(letter) + 1 :], letter, normal):
                return set(), True
        if letter:
            chosen = only_named if _WEAK.match(phrase[0]) else results
            chosen |= {letter} | _others(rest, letter, letters)
    said = (*_IS_RIGHT.findall(text), *_IT_IS.findall(text))
    results |= {letter for letter in said if letter in letters}
    return results or only_named, False


def _others(rest: str, letter: str, letters: str) -> set[str]:
    """The letters joined to the first: "A or B"."""
    at = rest.find(letter)
    other = _ANOTHER.match(rest, at + 1) if at >= 0 else None
    return {other[1]} if other and other[1] in letters else set()


def _begins_with_letter(rest: str, letters: str) -> str | None:
    """The letter at the start of what a phrase is followed by. "A" before a word is an article, "I"
    a person, and a small letter needs an end behind it.
    """
    match = _AFTER.match(rest)
    if match is None or match[1].upper() not in letters:
        return None
    if match[1] in "AI" and _ARTICLE.match(rest, match.end()):
        return None
    if match[1].islower() and not _SMALL_ENDS.match(rest, match.end()):
        return None
    return match[1].upper()


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
