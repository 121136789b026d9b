"""Fixed answers through every scorer, and the sessions that the generators make.

The functions of RepoQA are written here: those of its generator come from the Python that runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from golden.grid import MADE, TASKS
from golden.play import Row
from scbench.scoring import grade
from scbench.tasks import task
from scbench.tasks.contract import Bytes
from scbench.types import PAPER_MODES, Wanted

TINY_TOKENS, FULL_TOKENS = 512, 8192
CLIP = '''def clip(values, low, high):
    """Limit every value."""
    out = []
    for value in values:
        if value < low:
            value = low
        elif value > high:
            value = high
        out.append(value)
    return out'''
WINDOW = """def window(items, width):
    start = 0
    while start + width <= len(items):
        yield items[start : start + width]
        start += 1"""
ODD = '\u200b  \x00Ünïcödé — “٣٤” 是 \u2028{"a": [1,\n```\nB) or (C)? 1,234.50 \ufffd' * 2


def answers_to(gold: str, other: str) -> dict[str, str]:
    """Right, wrong, partial and odd texts."""
    half = gold[: max(1, len(gold) // 2)]
    return {
        "gold": gold,
        "blank around": f"\n  {gold} \n\n",
        "in a sentence": f"The answer is {gold}.",
        "quoted": f'"{gold}"',
        "shouted": gold.upper(),
        "half": half,
        "the end": gold[-max(1, len(gold) // 3) :],
        "another turn's": other,
        "both": f"{other}, {gold}",
        "twice": f"{gold} {gold}",
        "nothing": "",
        "refusal": "I cannot find it in the text.",
        "odd": ODD,
        "gold, then odd": f"{gold}\n{ODD}",
        "one letter off": gold[:-1] + ("x" if not gold.endswith("x") else "y"),
    }


def sessions() -> Iterator[tuple[str, Any]]:
    """Name and session of every task that makes the same on every machine."""
    for form, names, target in (("tiny", TASKS, TINY_TOKENS), ("full", MADE, FULL_TOKENS)):
        for name in names:
            kind = task(name, form)
            yield (
                f"{form} {name}",
                kind.make(seed="golden:0", target=target, turns=4, count=Bytes()),
            )


def made() -> list[Row]:
    """What the generators make: a digest of each turn, and of the context."""
    rows: list[Row] = []
    for name, session in sessions():
        rows.append(
            {"part": "sessions", "method": name, "at": "context", "text": seal(session.context)}
        )
        for at, turn in enumerate(session.turns):
            text = repr(
                (turn.ask, turn.gold, turn.wanted.golds, turn.max_new_tokens, turn.evidence)
            )
            rows.append(
                {"part": "sessions", "method": name, "at": f"turn {at}", "text": seal(text)}
            )
    return rows


def scored() -> list[Row]:
    """Both rules over fixed answers to every turn of every task."""
    rows: list[Row] = []
    for name, session in sessions():
        golds = [turn.gold for turn in session.turns]
        for at, turn in enumerate(session.turns):
            other = golds[(at + 1) % len(golds)]
            rows += graded(
                name, turn.task, f"turn {at}", turn.wanted, turn.gold, other, session.task
            )
    rows += graded(
        "written repoqa", "repoqa", "clip", by_hand(), fenced(CLIP), fenced(WINDOW), "repoqa"
    )
    return rows


def by_hand() -> Wanted:
    return Wanted(
        golds=(CLIP,),
        name="clip",
        lang="python",
        repo="ours",
        candidates={"clip": CLIP, "window": WINDOW},
    )


def fenced(source: str) -> str:
    return f"```python\n{source}\n```"


def graded(
    name: str, subtask: str, at: str, wanted: Wanted, gold: str, other: str, within: str
) -> list[Row]:
    rows = []
    needles = [(CLIP, "clip"), (WINDOW, "window")] if name == "written repoqa" else []
    for kind, text in answers_to(gold, other).items():
        strict = grade(subtask, text, wanted, rule="strict")
        published = [
            grade(subtask, text, wanted, rule="official", needles=needles, within=within, mode=mode)
            for mode in PAPER_MODES
        ]
        rows.append(
            {
                "part": "scores",
                "method": f"{name}, scorer {subtask}",
                "at": f"{at}, {kind}",
                "strict": strict.value,
                "strict side": {word: round(value, 9) for word, value in strict.side.items()},
                "official": [score.value for score in published],
            }
        )
    return rows


def seal(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
