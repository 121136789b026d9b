"""What an answer denies: "not X", "X is wrong", 不是X. What is denied is not said to be so.

A clause is denied as a whole ("the mill is not where it is"), but for one in which the denial
stands apart from what is said ("the barn, not the mill"; "not the mill but the barn").
"""

from __future__ import annotations

import re

from scbench.scoring.extract.sought import Sought

# Between clauses. A comma or full stop inside a number is none.
_CUT = re.compile(
    r"(?<=[;!?。；！？，\n])|(?<=[.:])(?=\s)|(?<=,)(?!\d)"
    r"|(?=\((?:not|nicht|rather|instead|不|非)\b)"
    r"|(?<=\))|(?=而(?:是|在|非|不|应|應))"
    r"|(?=\s(?:but|yet|however|whereas|sondern|mais|sino)\s)"
    r"|(?=\s[—–-]\s)"
)
_BUT_FOR = re.compile(
    r"\b(?:any|every)(?:thing|where|one|body) (?:but|except)\b|\ball (?:but|except)\b",
    re.IGNORECASE,
)
# What joins the clause behind a denial to it.
_JOINS = re.compile(
    r"[\s.;,!?。；！？，]*(?:(?:but|yet|however|whereas|sondern|mais|sino)\s+|而(?=[是在应應]))?",
    re.IGNORECASE,
)
_HELPS = (
    "is|are|was|were|be|been|being|am|does|do|did|has|have|had|can|could|will|would|should"
    "|may|might|must"
    "|to|seems?|appears?|isn|ist|war|sind|hat|est|es"
)
# Said of what stands before it as well: the clause is denied whole.
_WHOLE = re.compile(
    rf"\b(?:{_HELPS})\s+not\b|n[’']t\b(?=\s+\w)|\bcannot\b|\bnever\b"
    r"|\bneither\b|\bnor\b|\bno longer\b|\bnobody\b"
    r"|\bno one\b|\bthere(?:[’']s| is| are) no\b|\bnone of\b|\bnowhere\b"
    r"|\bnot (?:mistaken|certain|sure|clear|known|mentioned|stated|given|found)\b"
    r"|\b(?:is|are|was|were|as|be|looks?|seems?) (?:\w+ )?"
    r"(?:wrong|incorrect|false|impossible|excluded|eliminated|distractors?|decoys?)\b"
    r"|\brul(?:ed?|ing) out\b|\bexcluded?\b|\beliminated?\b|\bunknown\b"
    r"|\bimpossible to\b|\bunable to\b"
    r"|\bnicht\b|\bkeine?[nmrs]?\b|\bjamais\b|\bn[’']est\b|\bno es\b|\bni\b"
    r"|ではな|ではありま|じゃな|아니|아닙"
)
# Said of what stands behind it alone.
_BEHIND = re.compile(
    r"\brather than\b|\binstead of\b|\bas opposed to\b|\bother than\b|\bexcept(?: for)?\b"
    r"|\bunlike\b"
    r"|\bnot\b",
    re.IGNORECASE,
)
# "Is it the mill? No." asks, and denies what it asked.
_ANSWERED_NO = re.compile(
    r"\s*(?:(?:no|nope|nein|non)(?=\s*(?:[,.;:!—–-]|$))|不是|不对|不(?!\w))", re.IGNORECASE
)
_ANSWERED_YES = re.compile(r"\s*(?:yes|yeah|correct|right|indeed|it is|是的?)(?!\w)", re.IGNORECASE)
# A question that is put to nobody says nothing: "Is it at the mill?"
_ASKS = re.compile(
    r"(?:^|(?<=[.!?\n])|(?<=[.!?\n,…]\s))(?:is|was|are|were|could|might|can|does|did)\s+"
    r"(?:it|that|this|the|he|she|they)\b[^.!?\n]{0,200}[?？]",
    re.IGNORECASE,
)
_ASKED_NO = re.compile(rf"[?？]{_ANSWERED_NO.pattern}", re.IGNORECASE)
_NOT_ONLY = re.compile(
    r"\bnot (?:only|just|merely)\b|\bnothing (?:but|other than)\b", re.IGNORECASE
)
_CHINESE = re.compile(r"[不没沒未非无無莫勿]")
_LISTED = re.compile(r"\bnot\b[^.;!?\n]{0,400}?\b(?:or|nor)\b", re.IGNORECASE)
_BARE_ITEM = re.compile(r"\s*(?:(?:the|a|an|at|in|on)\s+)*(?:[\w'’-]+\s+){0,3}[\w'’-]+\s*,?\s*")
_VERB = re.compile(r"\b(?:is|are|was|were|it|he|she|they|I|answer)\b|['’]s\b", re.IGNORECASE)
_WHOLE_ANY_CASE = re.compile(_WHOLE.pattern, re.IGNORECASE)


def without_denials(text: str, sought: Sought) -> str:
    """The text without what it denies. Where an accepted answer itself denies, nothing is cut."""
    if _denies(sought.told):
        return text
    text = _BUT_FOR.sub("not", text)
    if not _denies(text):
        return text
    clauses = [clause for clause in _CUT.split(text) if clause]
    kept: list[str] = []
    in_list = False  # "not A, B or C" denies three
    for place, clause in enumerate(clauses):
        rest = "".join(clauses[place : place + 12])
        if in_list and _is_item(clause):
            in_list = not re.search(r"\b(?:or|nor)\b", clause, re.IGNORECASE)
            kept.append(_blank(clause))
            continue
        following = clauses[place + 1] if place + 1 < len(clauses) else ""
        said = _blank(clause) if _is_asked(clause, following) else _said(clause)
        in_list = said != clause and _goes_on(clause, rest)
        kept.append(said)
    left = "".join(kept)
    return left[_JOINS.match(left).end() :]  # type: ignore[union-attr]  # it matches nothing too


def _denies(text: str) -> bool:
    return any(
        pattern.search(text) for pattern in (_WHOLE_ANY_CASE, _BEHIND, _CHINESE, _ASKED_NO, _ASKS)
    )


def _is_asked(clause: str, following: str) -> bool:
    """Whether a clause only asks: what is answered "no", or with nothing."""
    if not clause.rstrip().endswith(("?", "？")):
        return False
    if _ANSWERED_NO.match(following):
        return True
    return bool(_ASKS.match(clause.lstrip())) and not _ANSWERED_YES.match(following)


def _said(clause: str) -> str:
    """A clause without what it denies."""
    if _NOT_ONLY.search(clause):
        return clause
    if _WHOLE_ANY_CASE.search(clause) or _CHINESE.search(clause):
        return _blank(clause)
    if denial := _BEHIND.search(clause):
        return clause[: denial.start()].removesuffix("(") + _blank(clause)
    return clause


def _blank(clause: str) -> str:
    """What is left in the place of a denied clause: its end, so that clauses stay apart."""
    tail = clause.rstrip()[-1:]
    ends = tail if tail in ".;!?。；！？" else ""
    return ends + ("\n" if clause.endswith("\n") else " ")


def _goes_on(clause: str, rest: str) -> bool:
    """Whether a denial goes on behind a comma: bare items up to one with "or"."""
    return clause.rstrip().endswith(",") and _LISTED.match(rest[_at(rest) :]) is not None


def _at(rest: str) -> int:
    match = re.search(r"\bnot\b", rest, re.IGNORECASE)
    return match.start() if match else len(rest)


def _is_item(clause: str) -> bool:
    bare = clause.strip().rstrip(".;!?")
    return _BARE_ITEM.fullmatch(bare) is not None and _VERB.search(bare) is None
