"""Strict rule of En.Sum. Where the facts of a report are known, a summary is worth the facts it
states less the false ones it states; how it says them is worth nothing. Published rows, of which
only a reference is known, are scored by ROUGE-Lsum after both sides are split into sentences.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from scbench.scoring.facts import stated
from scbench.scoring.rouge import TooManyWords, any_sentences, rouge_of
from scbench.scoring.rules import STRICT
from scbench.scoring.text import ends_sentence
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


def summary(prediction: str, wanted: Wanted) -> Score:
    """(right facts - false ones) / facts, at least 0, for generated rows; ROUGE-Lsum for others.

    Side values where the turn knows them: `fact_recall`, `rouge` and `floor` as ratios, `leak` as
    the number of other reports' values named, `invented` as that of numbers no report has. The
    floor is the best score that another report's reference would get.
    """
    read, side = _shown(prediction), _told(prediction, wanted)
    try:
        rouge = max(_strict_rouge(prediction, gold) for gold in wanted.golds)
    except TooManyWords as err:
        return Score(value=None, rule=STRICT, why=str(err), side=side)
    if not (wanted.generated and wanted.facts):
        if wanted.rival_golds:
            side["floor"] = _words_floor(tuple(wanted.golds), tuple(wanted.rival_golds))
        return Score(value=rouge, rule=STRICT, read=read, side=side)
    facts = len(set(wanted.facts))
    rivals = (stated(rival, wanted).value(facts) for rival in wanted.rival_golds)
    side |= {"rouge": rouge, "floor": max(rivals, default=0.0)}
    value = stated(prediction, wanted).value(facts)
    return Score(value=value, rule=STRICT, read=read, side=side)


def _told(prediction: str, wanted: Wanted) -> dict[str, float]:
    if not wanted.facts:
        return {}
    found = stated(prediction, wanted)
    side = {"fact_recall": found.right / len(set(wanted.facts))}
    if wanted.rival_facts:
        side |= {"leak": float(found.leaked), "invented": float(found.invented)}
    return side


def _shown(prediction: str) -> str:
    return " ".join(prediction.split())[:200]


@lru_cache(maxsize=1024)
def _words_floor(golds: tuple[str, ...], rival_golds: tuple[str, ...]) -> float:
    """The best ROUGE of another report's reference: what the words alone are worth."""
    return max((_strict_rouge(rival, gold) for rival in rival_golds for gold in golds), default=0.0)
