"""People's names: built from syllables in English, surname and two given characters in Chinese;
nobody real is meant.

English: no name's word stands inside another name's word or is a word of the tables. Chinese: every
name begins with a character that nothing else in a story holds, and is three characters long, so a
name can only be read where one was written.
"""

from __future__ import annotations

import re
from functools import cache

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story import terms
from scbench.tasks.materials.story.english import ENGLISH

ONE_WORD_MAX = 400  # above so many people a second name tells them apart

ONSETS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "tr",
    "v",
    "z",
    "th",
)
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ie")
CODAS = ("", "", "", "", "n", "l", "r", "s", "th", "nd", "m")
COMMON = frozenset({
    "lemon", "melon", "human", "woman", "salad", "paper", "robin", "satan", "banana", "salami", "tuna", "pasta", "panda", "zebra", "drama", "villa",
    "father", "mother", "brother", "sister", "river", "wolves", "german", "roman", "person", "demon", "drank", "moral", "total", "vital", "rival",
})  # fmt: skip

SURNAMES = "王李张陈周吴郑孙赵冯蒋沈韩杨朱秦许吕施孔曹魏姜邹苏潘葛范彭鲁韦苗俞任袁唐薛贺汤滕殷毕郝邵傅卞齐康伍余顾孟萧尹姚湛汪祁毛狄"
GIVEN = "婷娜伟丽磊军洋勇艳杰娟涛霞桂婉玲琳瑶萍倩颖雯妍蓉薇佳嘉欣怡悦琪琦宁宏俊浩轩博睿哲翰鹏凯旭晨彬斌栋淑惠珍贞莉聪慧敏娇媛岚芸菲蕾"


@cache
def taken_words() -> frozenset[str]:
    """Every word an English story may hold besides names, lower case."""
    texts = [
        *(text for group in ENGLISH.templates.values() for text in group),
        *ENGLISH.scenery,
        *ENGLISH.chapters,
        *ENGLISH.questions.values(),
    ]
    tables = (
        terms.MATERIALS,
        terms.THINGS,
        terms.PLACE_QUALITIES,
        terms.PLACE_KINDS,
        terms.TRADES,
        terms.CRAFTS,
        terms.TOWNS,
    )
    texts += [english for table in tables for english, _ in table]
    return frozenset(re.findall(r"[a-z]+", " ".join(texts).casefold())) | COMMON


class WordMaker:
    """A seeded row of capitalised words of 4 to 9 letters, none inside another; it goes on for as
    long as it is asked.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._joined = " "
        self._made: set[str] = set()

    def more(self, count: int) -> list[str]:
        made: list[str] = []
        while len(made) < count:
            word = self._syllables()
            if (
                4 <= len(word) <= 9
                and word not in taken_words()
                and word not in self._joined
                and not self._holds_another(word)
            ):
                self._made.add(word)
                self._joined += word + " "
                made.append(word.capitalize())
        return made

    def _syllables(self) -> str:
        draw = self._draw
        text = "".join(
            draw.choice(ONSETS) + draw.choice(VOWELS) for _ in range(2 + (draw.below(4) == 0))
        )
        return text + draw.choice(CODAS)

    def _holds_another(self, word: str) -> bool:
        return any(
            word[i:j] in self._made for i in range(len(word)) for j in range(i + 4, len(word) + 1)
        )


def english_names(draw: Draw, people: int) -> list[str]:
    """`people` different names; the first ones do not depend on how many there are, up to the step
    where second names begin.
    """
    maker = WordMaker(draw)
    if people <= ONE_WORD_MAX:
        return maker.more(people)
    side = 200
    given, family = maker.more(side), maker.more(side)
    return [f"{given[i % side]} {family[(i + i // side) % side]}" for i in range(people)]


def chinese_names(draw: Draw, people: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < people:
        names[draw.choice(SURNAMES) + draw.choice(GIVEN) + draw.choice(GIVEN)] = None
    return list(names)
