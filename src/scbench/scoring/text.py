"""Readings of a text that several strict rules share: normal form, first line, and which of some
phrases it names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ＇`´"))
_ARTICLES = frozenset({"a", "an", "the"})
_NAME_A = re.compile(r"\S\s+A\s")
_OPENERS, _CLOSERS = "\"'“‘([«", "\"'”’)]»"
_SHORT_FORMS = frozenset(
    ["mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "fig", "e.g", "i.e", "al", "no"]
)
# Signs of scripts that write words without blanks between them, for the sets of patterns.
UNSPACED = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_BORDER = re.compile(
    rf"(?<=[{UNSPACED}])(?=(?![{UNSPACED}])\w)|(?<=\w)(?<![{UNSPACED}])(?=[{UNSPACED}])"
)


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def is_unspaced(text: str) -> bool:
    """Whether a text holds signs of a script that does not part words by blanks."""
    return _UNSPACED.search(text) is not None


def apart(text: str) -> str:
    """The text with a blank where a script without blanks touches one that has them.

    >>> apart("정답은 muddy school입니다")
    '정답은 muddy school 입니다'
    """
    return _BORDER.sub(" ", text)


def norm(text: str) -> str:
    """NFKC and casefold; every character of class P, S, Z or C becomes a space; spaces collapsed,
    none at the ends.
    """
    folded = nfkc(text).casefold()
    return " ".join(
        "".join(" " if unicodedata.category(c)[0] in "PSZC" else c for c in folded).split()
    )


def answer_tokens(text: str, *, names_a: bool = False) -> list[str]:
    """The words that count in a short English answer: apostrophes removed, other marks to spaces,
    articles dropped.

    An article stands before a word: at the end the A of "Vitamin A" is a name, and so is a text
    that is nothing else. With `names_a` an "a" behind the first word is a name as well.
    """
    words = norm(nfkc(text).translate(_APOSTROPHES)).split()
    return [
        word
        for at, word in enumerate(words[:-1])
        if word not in _ARTICLES or (names_a and at and word == "a")
    ] + words[-1:]


def has_name_a(texts: Iterable[str]) -> bool:
    """Whether an accepted answer has an A that is no article: "Vitamin A deficiency".

    >>> has_name_a(["Vitamin A deficiency"]), has_name_a(["A house on a hill", "Plan A"])
    (True, False)
    """
    return any(_NAME_A.search(text) for text in texts)


def head(text: str) -> str:
    """The first non-empty line, stripped; lines that end in a colon are skipped while another
    non-empty line follows.
    """
    lines = [line for line in (raw.strip() for raw in text.splitlines()) if line]
    for line in lines[:-1]:
        if not line.endswith((":", "：")):
            return line
    return lines[-1] if lines else ""


def ends_sentence(word: str, after: str) -> bool:
    """Whether a sentence ends with `word` where `after` is the next one."""
    open_word = word.rstrip(_CLOSERS)
    bare = open_word.rstrip(".!?")
    if (
        len(bare) == len(open_word)
        or not after
        or not (after[0].isupper() or after[0].isdigit() or after[0] in _OPENERS)
    ):
        return False
    start = bare.lstrip(_OPENERS)
    is_short = start.lower() in _SHORT_FORMS or (len(start) == 1 and start.isupper())
    return not (is_short and open_word[len(bare)] == ".")


def bare_name(normal: str) -> str:
    """A normal form without its leading article, unless nothing else is left."""
    first, _, rest = normal.partition(" ")
    return rest if rest and first in _ARTICLES else normal


def named(phrases: Iterable[str], text: str, *, whole_words: bool = True) -> set[str]:
    """Which of the normalised phrases occur in the normalised text; the longest is looked for first
    and its matches are masked.

    So "new york" in the text names "new york" and not also "york". Empty phrases name nothing.
    """
    found: set[str] = set()
    left, right = (r"(?<!\S)", r"(?!\S)") if whole_words else ("", "")
    for phrase in sorted(set(phrases) - {""}, key=lambda p: (-len(p), p)):
        if phrase not in text:
            continue
        masked, hits = re.subn(left + re.escape(phrase) + right, "\x00", text)
        if hits:
            # A mask is no space, or the words beside it could be read as one phrase across it.
            text = masked
            found.add(phrase)
    return found
