"""Strict rule of En.Sum: ROUGE-Lsum after both sides are split into sentences, with side values
that tell right facts from right words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from scbench.scoring.rouge import rouge_of, sentences
from scbench.scoring.text import norm
from scbench.types import Score, Wanted

RULE = "strict/1"
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•]|[0-9]+[.)])[ \t]+")
_OPENERS, _CLOSERS = "\"'“‘([«", "\"'”’)]»"
_SHORT_FORMS = frozenset(
    ["mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "fig", "e.g", "i.e", "al", "no"]
)


def split_sentences(text: str) -> str:
    """One sentence a line, list marks at line starts gone.

    Breaks after . ! ? (and closing quotes or brackets) before a capital, digit, quote or bracket,
    unless a single capital or a common short form stands before the full stop.
    """

    lines = (_LIST_MARK.sub("", line) for line in text.split("\n"))
    return "\n".join(_broken(line) for line in lines)


def _broken(line: str) -> str:
    words = line.split()
    ends = (_ends_sentence(word, after) for word, after in pairwise([*words, ""]))
    return "".join(
        word + ("\n" if is_end else " ") for word, is_end in zip(words, ends, strict=True)
    ).rstrip()


def _ends_sentence(word: str, after: str) -> bool:
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


def _strict_rouge(prediction: str, gold: str) -> float:
    return rouge_of(sentences(split_sentences(prediction)), sentences(split_sentences(gold)))


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
    value = max(_strict_rouge(prediction, gold) for gold in wanted.golds)
    return Score(value=value, rule=RULE, read=" ".join(prediction.split())[:200], side=side)


def _occurs(fact: str, padded_words: str) -> bool:
    """As whole words of the normal form; a fact without any word occurs nowhere."""
    return bool(normal := norm(fact)) and f" {normal} " in padded_words
