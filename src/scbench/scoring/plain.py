"""Scorers that need nothing but the accepted answers: for tasks of anyone's.

Case, width (NFKC) and runs of blanks never count. Where there are several accepted answers, the
best counts.
"""

from __future__ import annotations

import re

from scbench.scoring.qa import f1 as token_f1
from scbench.scoring.rules import STRICT
from scbench.scoring.text import answer_tokens, has_name_a, head, is_unspaced, nfkc
from scbench.types import Score, Wanted

_AROUND = " \t\"'`“”‘’*.!。！"


def exact(prediction: str, wanted: Wanted) -> Score:
    """1 if the first line is an accepted answer, quotes and a final full stop aside.

    >>> exact('"Lisbon."', Wanted(golds=("lisbon",))).value
    1.0
    """
    said = _folded(head(prediction))
    return Score(
        value=float(any(said == _folded(gold) for gold in wanted.golds)),
        rule=STRICT,
        read=said[:200],
    )


def contains(prediction: str, wanted: Wanted) -> Score:
    """1 if an accepted answer stands in the answer, as whole words.

    In scripts without spaces any place counts.

    >>> contains("It is 12 km.", Wanted(golds=("2 km",))).value
    0.0
    """
    text = _spaced(prediction)
    named = [gold for gold in wanted.golds if _stands_in(_spaced(gold), text)]
    return Score(value=float(bool(named)), rule=STRICT, read=", ".join(named)[:200])


def f1(prediction: str, wanted: Wanted) -> Score:
    """The best F1 of words with an accepted answer; articles and punctuation do not count.

    Characters count in the place of words where an answer has no spaces to part them.
    """
    best = max(_f1(prediction, gold) for gold in wanted.golds)
    return Score(value=best, rule=STRICT, read=" ".join(answer_tokens(prediction))[:200])


def _f1(prediction: str, gold: str) -> float:
    names_a = has_name_a([gold])
    said, right = (answer_tokens(text, names_a=names_a) for text in (prediction, gold))
    if is_unspaced(gold):
        said, right = list("".join(said)), list("".join(right))
    return token_f1(said, right)


def _stands_in(gold: str, text: str) -> bool:
    if not gold:
        return False
    # A border is asked for only where a longer word could go on: "C++" and "12" have one each.
    left = r"(?<!\w)" if _is_word(gold[0]) else ""
    right = r"(?!\w)" if _is_word(gold[-1]) else ""
    return re.search(left + re.escape(gold) + right, text) is not None


def _is_word(sign: str) -> bool:
    return (sign.isalnum() or sign == "_") and not is_unspaced(sign)


def _spaced(text: str) -> str:
    return " ".join(nfkc(text).casefold().split())


def _folded(text: str) -> str:
    return _spaced(text).strip(_AROUND)
