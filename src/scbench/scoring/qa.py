"""Strict rules of En.QA and Zh.QA: F1 for published rows, a closed vocabulary for generated
ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from scbench.scoring.chinese import simplified
from scbench.scoring.number import numbers
from scbench.scoring.published import normal_chinese
from scbench.scoring.rules import STRICT
from scbench.scoring.text import (
    answer_tokens,
    apart,
    bare_name,
    has_name_a,
    is_unspaced,
    named,
    nfkc,
    norm,
)
from scbench.types import Score, Wanted

_KIN = (
    "wife|husband|spouse|brother|sister|son|daughter|mother|father|parent|child|uncle|aunt|cousin"
    "|nephew|niece|friend|neighbour|neighbor|servant|grandmother|grandfather|widow|partner"
)
_KIN_CHINESE = "妻子|丈夫|哥哥|弟弟|姐姐|妹妹|兄弟|姐妹|儿子|女儿|母亲|父亲|妈妈|爸爸|朋友|邻居|外婆|奶奶|爷爷|叔叔"


def f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over multisets of tokens; 0 where nothing is shared."""
    common = (Counter(prediction) & Counter(gold)).total()
    return 2 * common / (len(prediction) + len(gold)) if common else 0.0


def english(prediction: str, wanted: Wanted) -> Score:
    """Published rows: token F1, side values `em` and `contains` (whole words). Generated rows: see
    `closed`.
    """
    if wanted.generated and (wanted.vocabulary or wanted.numeric):
        return closed(prediction, wanted)
    names_a = has_name_a(wanted.golds)
    words = answer_tokens(prediction, names_a=names_a)
    golds = [answer_tokens(gold, names_a=names_a) for gold in wanted.golds]
    if is_unspaced("".join(wanted.golds)):
        # No blanks part the words of an accepted answer: its signs are compared.
        words, golds = list("".join(words)), [list("".join(gold)) for gold in golds]
    inside = any(gold and f" {' '.join(gold)} " in f" {' '.join(words)} " for gold in golds)
    side = {"em": float(words in golds), "contains": float(inside)}
    return Score(
        value=max(f1(words, gold) for gold in golds),
        rule=STRICT,
        read=" ".join(words)[:200],
        side=side,
    )


def chinese(prediction: str, wanted: Wanted) -> Score:
    """Published rows: character F1 against the full gold, after NFKC. Generated rows: see
    `closed`.
    """
    if wanted.generated and (wanted.vocabulary or wanted.numeric):
        return closed(prediction, wanted, is_chinese=True)
    read = normal_chinese(nfkc(simplified(prediction, wanted.golds)))
    golds = [normal_chinese(nfkc(gold)) for gold in wanted.golds]
    side = {
        "em": float(read in golds),
        "contains": float(any(gold and gold in read for gold in golds)),
    }
    return Score(
        value=max(f1(read, gold) for gold in golds), rule=STRICT, read=read[:200], side=side
    )


def closed(prediction: str, wanted: Wanted, *, is_chinese: bool = False) -> Score:
    """1 iff the answer names, besides what the question names, at least one thing of the vocabulary
    and only accepted ones.
    """
    left: set[str]
    if wanted.numeric:
        said = numbers(prediction, ordinals=True) - numbers(wanted.question, ordinals=True)
        left = {str(number) for number in said}
        accepted = {str(number) for gold in wanted.golds for number in numbers(gold)}
    else:
        accepted = _normal(wanted.golds, is_chinese)
        phrases = _normal(wanted.vocabulary, is_chinese) | accepted
        told = named(phrases, _one(wanted.question, is_chinese), whole_words=not is_chinese)
        if is_chinese:
            prediction = simplified(prediction, (*wanted.vocabulary, *wanted.golds))
        else:
            prediction = apart(prediction)
        said_text = _one(prediction, is_chinese)
        left = named(phrases, said_text, whole_words=not is_chinese) - told
        question = wanted.question.casefold()
        left -= relatives(left, said_text, question, is_chinese=is_chinese)
        left = left - owners(left, said_text, is_chinese=is_chinese) or left
    why = (
        ""
        if left and left <= accepted
        else "nothing of the vocabulary"
        if not left
        else "names another"
    )
    return Score(value=float(not why), rule=STRICT, read=", ".join(sorted(left))[:200], why=why)


def owners(names: Iterable[str], text: str, *, is_chinese: bool) -> set[str]:
    """Names that are last said as somebody whose something is meant: "Lund's mother is Zara" names
    Zara.

    >>> text = "hebroth s mother is lund and lund s mother is zara"
    >>> owners({"lund", "zara"}, text, is_chinese=False)
    {'lund'}
    """
    before, after, sign = ("", "", "的") if is_chinese else (r"(?<!\S)", r"(?!\S)", " s")
    found = set()
    for name in names:
        *_, last = re.finditer(before + re.escape(name) + after, text)
        if re.compile(sign + after).match(text, last.end()):
            found.add(name)
    return found


def relatives(
    names: Iterable[str], text: str, question: str, *, is_chinese: bool = False
) -> set[str]:
    """Names that are said only to say whose relative somebody is. Where the question asks for the
    relation, either side may be meant.

    >>> relatives({"lund", "zara"}, "the wife of lund", "who came")
    {'lund'}
    """
    before, after = ("", "") if is_chinese else (r"(?<!\S)", r"(?!\S)")
    found = set()
    for name in names:
        said = before + re.escape(name)
        kin = (
            rf"{said}的({_KIN_CHINESE})"
            if is_chinese
            else rf"(?<!\S)({_KIN}) of {re.escape(name)}(?!\S)|{said} s ({_KIN})(?!\S)"
        )
        relations = {match[match.lastindex or 0] for match in re.finditer(kin, text)}
        times = len(re.findall(kin, text))
        is_only_so = times == len(re.findall(said + after, text))
        if relations and is_only_so and not any(word in question for word in relations):
            found.add(name)
    return found


def _normal(phrases: Iterable[str], is_chinese: bool) -> set[str]:
    """Phrases to look for. A leading article is no part of a name: "old mill" names the old
    mill.
    """
    plain = {_one(phrase, is_chinese) for phrase in phrases}
    return plain if is_chinese else {bare_name(phrase) for phrase in plain}


def _one(text: str, is_chinese: bool) -> str:
    return normal_chinese(nfkc(text)) if is_chinese else norm(text)
