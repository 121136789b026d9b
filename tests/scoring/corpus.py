"""Random answers built from pieces of their golds, the same for ever, and the labels the released
scorer would be handed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .sources import CLIPPED, FUNCTIONS, NOTES

T = TypeVar("T")
TASKS = (
    "kv",
    "prefix_suffix",
    "vt",
    "repoqa",
    "qa_eng",
    "qa_chn",
    "choice_eng",
    "mf",
    "many_shot",
    "summary",
    "passkey",
)
MASK = (1 << 64) - 1


class Dice:
    """SplitMix64: the standard library's generator may change its algorithms, and the expected
    values are kept as data.
    """

    def __init__(self, seed: int) -> None:
        self.state = (
            seed * 0xD1342543DE82EF95 & MASK
        )  # another constant than the step, or the streams of two seeds would overlap

    def below(self, n: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return (z ^ (z >> 31)) % n

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def text(self, alphabet: Sequence[str], count: int) -> str:
        return "".join(self.pick(alphabet) for _ in range(count))


@dataclass(frozen=True)
class Item:
    task: str
    prediction: str
    label: Any
    options: tuple[str, ...] = ()
    name: str | None = None
    lang: str | None = None
    needles: tuple[tuple[str, str], ...] = ()


JOINTS = (
    " ",
    "",
    "\n",
    ", ",
    ": ",
    ". ",
    " or ",
    " and ",
    "\t",
    "\n\n",
    " - ",
    '"',
    "' ",
    "\u3000",
    "\r\n",
    "\x1c",
    "\u2028",
    "  ",
)
NOISE = (
    "The answer is", "answer is:", "answer:", "option is", "Answer:", "the value is", "it is", "not", "Because", "I think", "A", "B", "AB", "BCD",
    "a", "d", "(C)", "C.", "3rd", "12", "1,234", "77.5", "-3", "٣٤", "７７", "²", "½", "\x00", "\x07", "\u200b", "ﬁ", "ß", "İ", "ſ", "Ω", "…", "《", "》",
    "“", "”", "，", "。", "是", "小", "?", "!", "{", "}", "", "", "9" * 20, "1e9", "0.5.", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
)  # fmt: skip
WORDS = (
    "bridge",
    "cost",
    "412",
    "crowns",
    "survey",
    "took",
    "nine",
    "weeks",
    "board",
    "advises",
    "second",
    "pier",
    "the",
    "of",
    "The",
    "a",
    "naïve",
    "x1",
)


def variants(dice: Dice, gold: str) -> str:
    kind = dice.below(12)
    if kind == 0:
        return gold.upper()
    if kind == 1:
        return gold.lower()
    if kind == 2:
        return gold[:-1]
    if kind == 3:
        return gold[1:]
    if kind == 4:
        return gold + gold[-1:]
    if kind == 5:
        return gold[::-1]
    if kind == 6 and gold:
        return gold[dice.below(len(gold))]
    return gold


def answer(dice: Dice, golds: Sequence[str], noise: Sequence[str] = NOISE) -> str:
    parts: list[str] = []
    for _ in range(dice.below(6)):
        parts += [
            variants(dice, dice.pick(golds)) if dice.below(2) else dice.pick(noise),
            dice.pick(JOINTS),
        ]
    return "".join(parts)


def kv(dice: Dice, task: str) -> Item:
    gold = (
        "-".join(dice.text("0123456789abcdef", n) for n in (8, 4, 4, 4, 12))
        if dice.below(2)
        else dice.text("abz019-_", dice.below(9))
    )
    return Item(task, answer(dice, [gold, dice.text("abc012", 8)]), gold)


def vt(dice: Dice, task: str) -> Item:
    names = [dice.text("ABCDEFXYZ", 1 + dice.below(5)) for _ in range(1 + dice.below(7))]
    return Item(task, answer(dice, [*names, " ".join(names)]), names)


def qa_eng(dice: Dice, task: str) -> Item:
    gold = dice.pick(
        ["the old mill", "Ann", "Straße", "A", "", "ﬁsh", "Dr. Stone", "42", "é\u0301"]
    )
    return Item(task, answer(dice, [gold, "The Old-Mill", "Anna", "barn"]), [gold])


def qa_chn(dice: Dice, task: str) -> Item:
    gold = dice.pick(
        [
            "林小梅",
            "Ａ座",
            "A座。",
            "《红楼梦》",
            "",
            "一二三 四五",
            "ＡＢc",
            "3月5日",
            "İstanbul",
            "——",
        ]
    )
    return Item(task, answer(dice, [gold, "是林小梅。", "小明", "王强", gold * 2]), gold)


def choice_eng(dice: Dice, task: str) -> Item:
    options = [
        "Alice",
        "Dr. Stone",
        dice.pick(["Bob", "A", "the river, I", "Carol"]),
        dice.pick(["The river", "Because", "B", "Bob"]),
    ]
    gold = dice.pick(options)
    return Item(
        task,
        answer(dice, [*options, "A", "B", "C", "D", gold]),
        [gold, "ABCD"[options.index(gold)]],
        tuple(options),
    )


def many_shot(dice: Dice, task: str) -> Item:
    return Item(
        task,
        answer(dice, ["(B) Alice", "A or B", "Because", "The answer is (C)."]),
        dice.pick("ABCDEFG"),
    )


def mf(dice: Dice, task: str) -> Item:
    gold: Any = dice.pick([77, 1234, 0, 5, 34, 10**20, 77.5, 0.5, 12])
    return Item(
        task,
        answer(dice, [str(gold), f"{gold}.9", f"-{gold}", "9" * 400, "77 78 79", ".5", "7."]),
        gold,
    )


def passkey(dice: Dice, task: str) -> Item:
    gold = dice.pick(["90210", "00412", "7"])
    label: Any = [gold] if dice.below(8) == 0 else gold
    return Item(task, answer(dice, [gold, "90,210", "90211", f"x{gold}y"]), label)


def summary(dice: Dice, task: str) -> Item:
    def text(sentences: int) -> str:
        return "".join(
            " ".join(dice.pick(WORDS) for _ in range(dice.below(14)))
            + dice.pick([". ", ".\n", "\n", " ", "\n\n"])
            for _ in range(sentences)
        )

    gold = text(1 + dice.below(5))
    kind = dice.below(5)
    if kind == 0:
        return Item(task, " ".join(reversed(gold.split())), gold)
    if kind == 1:
        return Item(task, gold.upper() + text(2), gold)
    return Item(task, answer(dice, [gold, gold]) if kind == 2 else text(dice.below(6)), gold)


def changed(dice: Dice, source: str) -> str:
    """Some words replaced, dropped or doubled: similarities on both sides of 0.8."""
    words = source.split(" ")
    for _ in range(dice.below(6)):
        at = dice.below(len(words))
        words[at : at + 1] = dice.pick([["other"], [], [words[at], words[at]], [words[at] + ";"]])
        words = words or [""]
    return " ".join(words)


def code_answer(dice: Dice, sources: Sequence[str]) -> str:
    text = ""
    for _ in range(1 + dice.below(3)):
        source = dice.pick(sources)
        source = changed(dice, source) if dice.below(3) == 0 else source
        lines = source.split("\n")
        source = "\n".join(lines[: dice.below(len(lines)) + 1]) if dice.below(6) == 0 else source
        fence = dice.pick(
            ["```", "```", "```", "```python", "```c++", "``` go", "  ```", "~~~", ""]
        )
        close = dice.pick(["\n```", "\n```", "\n```", "\n```\n", "", "```", "\n  ```"])
        text += dice.pick(["", "", "Here it is:\n", dice.pick(NOTES) + "\n"]) + (
            f"{fence}\n{source}{close}" if fence else source
        )
        text += dice.pick(["\n", "", "\nThat is all.", "\n\n\n"])
    return text


def repoqa(dice: Dice, task: str) -> Item:
    lang = dice.pick(sorted(FUNCTIONS))
    named = list(FUNCTIONS[lang].items())
    name, gold = dice.pick(named)
    needles = tuple((source, other) for other, source in named if other == name or dice.below(3))
    pool = [source for _, source in named] + [gold, gold, gold, *CLIPPED[lang]]
    return Item(task, code_answer(dice, pool), gold, name=name, lang=lang, needles=needles)


MAKERS: dict[str, Callable[[Dice, str], Item]] = {
    "kv": kv,
    "prefix_suffix": kv,
    "vt": vt,
    "repoqa": repoqa,
    "qa_eng": qa_eng,
    "qa_chn": qa_chn,
    "choice_eng": choice_eng,
    "mf": mf,
    "many_shot": many_shot,
    "summary": summary,
    "passkey": passkey,
}


def corpus(task: str, count: int, seed: int = 1) -> Iterator[Item]:
    dice = Dice(seed * 1000 + TASKS.index(task))
    for _ in range(count):
        yield MAKERS[task](dice, task)
