"""How sure an answer says it is. Who says "perhaps X" and nothing else has answered X."""

from __future__ import annotations

import re

from scbench.scoring.extract.sought import Sought

_DOUBT = (
    r"perhaps|maybe|possibly|presumably|apparently|(?:most )?(?:probably|likely)"
    r"|I(?:['’]d| would)? (?:think|believe|guess|say|suppose|assume)(?: that)?"
    r"|I(?:['’]m| am) (?:not|un)[ -]?(?:entirely |completely |quite |100% |too )?(?:sure|certain)"
    r"|not (?:entirely |completely |quite )?(?:sure|certain)"
    r"|if I (?:remember|recall) (?:correctly|rightly|right)|as far as I (?:can tell|know)"
    r"|vielleicht|wahrscheinlich|vermutlich|peut-être|probablement|quizás?|tal vez|probablemente"
    r"|возможно|вероятно|наверное|たぶん|おそらく|아마도?"
)
_CHINESE = (
    r"(?:不太|不)?(?:可能|也许|也許|或许|或許|大概|应该|應該|不确定|不確定|我猜|我想|我认为|我認為)"
)
_FIRST = re.compile(
    rf"\s*(?:(?:{_DOUBT})(?!\w)|{_CHINESE})(?:\s*[,，:：]\s*|\s+|(?=\W)|(?=[^\x00-\x7f]))"
    r"(?:(?:but|但是?|不过)\s*[,，]?\s*)?",
    re.IGNORECASE,
)
_MAY_BE = re.compile(
    r"\A\s*(?:it|that|this) (?:may|might|could|must|should|would) (?:well )?be\s+",
    re.IGNORECASE,
)
_LAST = re.compile(rf"\s*[,，(—–-]\s*(?:{_DOUBT})[).!?\s]*\Z", re.IGNORECASE)
_LAST_CHARS = 80


def without_hedge(text: str, sought: Sought) -> str:
    """The text without the doubt that it begins or ends with.

    >>> from scbench.scoring.extract.sought import AnswerKind
    >>> from scbench.types import Wanted
    >>> sought = Sought(AnswerKind.WORDS, Wanted(golds=("two spoons",)))
    >>> without_hedge("I am not sure, but perhaps two spoons", sought)
    'two spoons'
    >>> without_hedge("two spoons, I think.", sought)
    'two spoons'
    """
    start = 0
    while found := _FIRST.match(text, start):
        if not text[found.end() :].strip() or not sought.is_mark(found[0].strip()):
            break
        start = found.end()
    text = _MAY_BE.sub("", text[start:], count=1)
    last = _LAST.search(text, max(0, len(text) - _LAST_CHARS))
    if last and text[: last.start()].strip() and sought.is_mark(last[0].strip(" ,.")):
        return text[: last.start()]
    return text
