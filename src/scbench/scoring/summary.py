"""Strict rule of En.Sum: ROUGE-Lsum after both sides are split into sentences, with side values
that tell right facts from right words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from scbench.scoring.rouge import TooManyWords, any_sentences, rouge_of
from scbench.scoring.rules import STRICT
from scbench.scoring.text import ends_sentence, is_unspaced, norm
from scbench.types import Score, Wanted

_CJK_END = re.compile(r"[。！？][”’」』）]*(?=[^\n])")
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•]|[0-9]+[.)])[ \t]+")


def split_sentences(text: str) -> str:
    """One sentence a line, list marks at line starts gone.

    Breaks after . ! ? (and closing quotes or brackets) before a capital, digit, quote or bracket,
    unless a single capital or a common short form stands before the full stop.
    """

    text = _CJK_END.sub(r"\g<0>\n", text)
    lines = (_LIST_MARK.sub("", line) for line in text.split("\n"))
    return "\n".join(_broken(line) for line in lines)


def _broken(line: str) -> str:
    words = line.split()
    ends = (ends_sentence(word, after) for word, after in pairwise([*words, ""]))
    return "".join(
        word + ("\n" if is_end else " ") for word, is_end in zip(words, ends, strict=True)
    ).rstrip()


def _strict_rouge(prediction: str, gold: str) -> float:
    said, wanted = split_sentences(prediction), split_sentences(gold)
    return rouge_of(any_sentences(said), any_sentences(wanted))


@lru_cache(maxsize=1024)
def floor(golds: tuple[str, ...], rival_golds: tuple[str, ...]) -> float:
    """The best score that another report's reference would get for this turn: what the words alone
    are worth.
    """
    return max((_strict_rouge(rival, gold) for rival in rival_golds for gold in golds), default=0.0)


def summary(prediction: str, wanted: Wanted) -> Score:
    """Side values where the turn knows them: `fact_recall` and `floor` as ratios, `leak` as the
    number of other reports' values named.
    """
    side: dict[str, float] = {}
    words = f" {norm(prediction)} "
    if wanted.facts:
        side["fact_recall"] = sum(_occurs(fact, words) for fact in wanted.facts) / len(wanted.facts)
    if wanted.rival_facts:
        own = {norm(fact) for fact in wanted.facts}
        side["leak"] = float(
            sum(_occurs(fact, words) for fact in set(wanted.rival_facts) if norm(fact) not in own)
        )
    if wanted.rival_golds:
        side["floor"] = floor(tuple(wanted.golds), tuple(wanted.rival_golds))
    try:
        value = max(_strict_rouge(prediction, gold) for gold in wanted.golds)
    except TooManyWords as err:
        return Score(value=None, rule=STRICT, why=str(err), side=side)
    return Score(value=value, rule=STRICT, read=" ".join(prediction.split())[:200], side=side)


def _occurs(fact: str, padded_words: str) -> bool:
    """As whole words of the normal form, in scripts without blanks anywhere; a fact without any
    word occurs nowhere.
    """
    normal = norm(fact)
    if not normal:
        return False
    return f" {normal} " in padded_words or (is_unspaced(normal) and normal in padded_words)
