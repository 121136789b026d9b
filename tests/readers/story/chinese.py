"""What a Chinese sentence of a story says.

Names are of three characters, things of two, places of three; the day is taken out of the sentence
first, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from readers.story.told import ReadableLanguage, Said

_SLOTS = {
    "A": r"(?P<a>[一-鿿]{3})",
    "B": r"(?P<b>[一-鿿]{3})",
    "O": r"(?P<o>[一-鿿]{2})",
    "P": r"(?P<p>[一-鿿]{3})",
    "X": r"(?P<x>[一-鿿]{2,4}|\d{4})",
}
_DAY = re.compile(r"(?:到了)?第(\d+)天(?:，|一早，|中午，)?")
_HEADING = re.compile(r"^第\d+章　.*$", re.MULTILINE)

_SAYS = """
goes: {A}去了{P}|{A}在来到{P}|{A}一路走到了{P}|{A}才赶到{P}|{A}就动身前往{P}，并且到了那里|{A}已经到了{P}
finds: {A}在{P}找到{O}|{A}在{P}找到了{O}|{A}在{P}四处察看时找到{O}|{A}在{P}无意中找到{O}
finds: 没有人惦记{O}，直到{A}在{P}找到它|在{P}，{A}从草堆下翻出了{O}
gives: {A}在{P}把{O}给了{B}|{A}在{P}把{O}送给{B}|在{P}，{A}将{O}交到{B}手里|{B}在{P}得到{A}给的{O}
gives: 在{P}，{B}谢过{A}，收下了{O}|作为礼物，{B}在{P}从{A}那里得到{O}
puts: {A}把{O}放到{P}|{A}把{O}留在{P}|{A}带着{O}到{P}，放下了它|{A}为了稳妥把{O}存在{P}
puts: {O}被{A}带到了{P}|{A}一句话也没说，把{O}搁在{P}的角落里
buys: {A}在{P}买了{O}|{A}在{P}买下{O}|{A}在{P}出了公道的价钱，买到{O}|{A}成了{O}的主人，是在{P}买的
buys: 在{P}讨价还价之后，{A}买了{O}|在{P}，{A}花了几个钱买{O}
sells: {A}在{P}卖了{O}|{A}在{P}卖掉{O}|{A}在{P}便宜地卖出{O}|{A}不再留着{O}，在{P}卖了
sells: 在{P}谈了很久，{A}卖了{O}|在{P}，{A}叫卖{O}，有人买走了
mends: {A}在{P}修好{O}|{A}在{P}修了{O}|{A}在{P}坐下来，把{O}修补完整|{A}总算在{P}修好{O}
mends: 借来工具，{A}在{P}修理了{O}|在{P}，{A}让破损的{O}恢复如初
meets: {A}在{P}遇见{B}|{A}在{P}碰到{B}|{A}在{P}迎面撞上了{B}|{A}和{B}在{P}说了话
meets: 在{P}，{A}和{B}一起吃了饭|纯属巧合，{A}在{P}与{B}相逢
learns: {A}学会了{X}|{A}学会{X}|反复练习以后，{A}学会了{X}|{A}终于掌握了{X}|靠着耐心，{A}学成了{X}
learns: {X}的课程结束，{A}学得很好
trade: {A}是{X}|{A}以{X}为业|{A}靠当{X}谋生|街上人人都知道{A}是{X}|多年以来，{A}一直做{X}|{A}门上的招牌写着{X}
mother: {A}是{B}的母亲|{B}的母亲是{A}|{B}叫{A}母亲|邻居都知道，{A}是{B}的母亲|生下{B}的是{A}
"""
_CHILD = re.compile(r"(?P<b>[一-鿿]{3})是(?P<a>[一-鿿]{3})的孩子，(?P=a)是慈爱的母亲")
_ASKS = """
place-last: 故事结束时，{O}在哪里？
who-gave: 是谁把{O}给了{B}？
where-before: {A}去{P}，在这之前刚刚在哪里？
kin 1: {A}的母亲是谁？
kin 2: {A}的外祖母是谁？
kin 3: {A}的外祖母的母亲是谁？
trade-of-finder: 找到{O}的人以什么为业？
when: {A}是在第几天学会{X}的？
count: {A}一共去过{P}几次？
"""


def _rows(table: str) -> list[tuple[str, re.Pattern[str]]]:
    rows = []
    for line in table.strip().splitlines():
        kind, _, ways = line.partition(": ")
        rows += [(kind, re.compile(way.format_map(_SLOTS))) for way in ways.split("|")]
    return rows


_SAID, _ASKED = _rows(_SAYS), _rows(_ASKS)
_SAID.insert(0, ("mother", _CHILD))  # before the trade: "...是..."


def sentences(text: str) -> Iterator[str]:
    for found in re.finditer(r"[^。\n]+。", _HEADING.sub("", text)):
        yield found[0].rstrip("。")


def says(sentence: str) -> Said | None:
    day = _DAY.search(sentence)
    bare = sentence[: day.start()] + sentence[day.end() :] if day else sentence
    for kind, pattern in _SAID:
        if (day is None) == (kind in ("trade", "mother")) and (match := pattern.fullmatch(bare)):
            return {"kind": kind, **match.groupdict(), "d": day[1] if day else ""}
    return None


def asks(question: str) -> Said | None:
    day = re.search(r"第(\d+)天", question)
    bare = question[: day.start()] + question[day.end() :] if day else question
    for kind, pattern in _ASKED:
        if match := pattern.fullmatch(bare):
            word, _, hops = kind.partition(" ")
            slots = match.groupdict()
            return {"kind": word, **slots, "hops": hops, "d": day[1] if day else ""}
    return None


LANGUAGE = ReadableLanguage(sentences, says, asks)
