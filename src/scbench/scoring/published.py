"""The rules of the released scorer (github.com/microsoft/MInference, scbench/compute_scores.py),
defects included.

Each rule takes a prediction and a label *typed as the released code types it* and gives a float. A
rule raises where the released code raises (a gold of the wrong type, no gold at all, a number too
large for a float); `official.grade` turns that into a gap with the reason. Every oddity here is on
purpose and named in the benchmark specification; mend nothing.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

RAISES = (
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
)
RECORD_FIELDS = (
    "id",
    "turn_idx",
    "prediction",
    "ground_truth",
    "task",
    "lang",
    "repo",
)  # what the runner writes for a kv turn of Mix
# First and last code point of each run of the released list of CJK marks.
_MARK_RUNS = (
    (0x2013, 0x2014), (0x2018, 0x2019), (0x201B, 0x201F), (0x2026, 0x2027), (0x3001, 0x3003), (0x300B, 0x3011), (0x3014, 0x301F),
    (0x3030, 0x3030), (0x303E, 0x303F), (0xFE4F, 0xFE4F), (0xFF01, 0xFF0D), (0xFF0F, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF64),
)  # fmt: skip
_DROP_MARKS = dict.fromkeys(
    [
        *map(ord, string.punctuation),
        *(code for first, last in _MARK_RUNS for code in range(first, last + 1)),
    ]
)
_FIRST_NUMBER = re.compile(r"\d+\.\d+|\d+")
_CHOICE_SPACES = str.maketrans(dict.fromkeys("\n\"'.,?!{}", " "))
_CHOICE_PREFIXES = ("answer is:", "answer:", "answer is", "option is")


def normal_chinese(text: str) -> str:
    """Lower case, then without ASCII punctuation, the fixed CJK marks, and whitespace. The opening
    mark U+300A stays, as released.
    """
    return "".join(text.lower().translate(_DROP_MARKS).split())


def contained(prediction: str, label: Any) -> float:
    """kv, prefix_suffix: the gold is a substring, case and all."""
    return float(label in prediction)


def kv_in_record(prediction: str, label: Any, fields: tuple[str, ...] = RECORD_FIELDS) -> float:
    """kv turns of Mix.RepoQA+KV in multi-request mode: the gold is looked up among the FIELD NAMES
    of the record, so it is never found.
    """
    return float(label in dict.fromkeys(fields))


def multihop(prediction: str, label: Any) -> float:
    """Share of the names that are substrings in any case, rounded to 2 decimals. No names:
    raises.
    """
    lowered = prediction.lower()
    hits = sum(1.0 for name in label if name.lower() in lowered)
    return round(hits / len(label), 2)


def any_contained(prediction: str, label: Any) -> float:
    """qa_eng (a list of one gold) and many_shot (a plain string, so its CHARACTERS): one of them is
    a substring in any case.
    """
    raised = prediction.strip().upper()
    return float(any(item.upper() in raised for item in label))


def chinese_f1(prediction: str, label: Any) -> float:
    """Best character F1 against the elements of the label; those of a plain string are its
    characters.
    """
    words = normal_chinese(prediction)
    have = Counter(words)
    best = 0.0
    for item in dict.fromkeys(label):
        gold = normal_chinese(item)
        same = sum(min(have[c], n) for c, n in Counter(gold).items())
        if same:
            precision, recall = same / len(words), same / len(gold)
            best = max(best, (2 * precision * recall) / (precision + recall))
    return best


def choice(prediction: str, label: Any) -> float:
    """label = [option text, letter]; the order of the tests is the released one."""
    text = prediction.strip()
    if text == "":
        return 0.0
    if text[0] in "ABCD":
        return float(text[0] in label)
    if text in label:
        return 1.0
    text = re.sub(" {2,}", " ", text.translate(_CHOICE_SPACES))
    for prefix in _CHOICE_PREFIXES:
        at = text.find(prefix)
        if at >= 0:
            after = text[at + len(prefix) + 1 :]
            # A text that ends with the prefix fails before any startswith, which the empty option
            # would pass.
            return float(
                len(text) > at + len(prefix) and any(after.startswith(item) for item in label)
            )
    for word in text.split():
        if word in "ABCD":
            return float(word in label)
    return 0.0


def math_find(prediction: str, label: Any) -> float:
    """The first unsigned number, cut to an integer for an integer gold. Any other gold raises,
    found number or not.
    """
    gold = label[0] if isinstance(label, list) else label
    if not isinstance(gold, int | float):
        raise TypeError(f"expected int or float, got {type(gold).__name__}")
    match = _FIRST_NUMBER.search(prediction)
    if match is None:
        return 0.0
    value = float(match[0])
    return float((int(value) if isinstance(gold, int) else value) == gold)


def passkey(prediction: str, label: Any) -> float:
    """The first run of ASCII digits equals the gold as a string; without digits the run is the
    empty string.
    """
    gold = label[0] if isinstance(label, list) else label
    match = re.search("[0-9]+", prediction)
    return float(gold == (match[0] if match else ""))


RULES: dict[str, Callable[[str, Any], float]] = {
    rule.__name__: rule
    for rule in (
        contained,
        kv_in_record,
        multihop,
        any_contained,
        chinese_f1,
        choice,
        math_find,
        passkey,
    )
}
