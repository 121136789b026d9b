"""Rule-based readers of document sessions: they see text only, and answer as the ask demands or say
that they cannot (None).
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from scbench.types import Role, Session, Turn

_TITLE = re.compile(r'titled "(.+?)" in')
_KEY = re.compile(r"pass key for (.+)\?")
_ASKED = re.compile(r'Key: "(.+)"')
_WORD = re.compile(r"[a-z]{3,}")


def spans_text(session: Session, turn: Turn, role: Role) -> list[str]:
    return [session.context[span.start : span.stop] for span in turn.evidence if span.role is role]


def without(session: Session, turn: Turn) -> str:
    """The context with the turn's support spans cut out."""
    text = session.context
    for span in sorted(
        (s for s in turn.evidence if s.role is Role.SUPPORT), key=lambda s: -s.start
    ):
        text = text[: span.start] + text[span.stop :]
    return text


def passkey(text: str, ask: str) -> str | None:
    owner = re.escape(_KEY.findall(ask)[0])
    found = re.findall(rf"The pass key for {owner} is (\d+)\.", text)
    return str(found[0]) if len(found) == 1 else None


def value(text: str, ask: str) -> str | None:
    found = re.findall(rf'"{re.escape(_ASKED.findall(ask)[0])}": "(.+?)"', text)
    return str(found[0]) if len(found) == 1 else None


def report(text: str, ask: str) -> str:
    """The body of the report asked for, from its heading to the next one."""
    title = _TITLE.findall(ask)[0]
    parts = re.split(r"^Report \d+: (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def functions(text: str) -> dict[str, str]:
    """Every function of a context by its source, as Python's own parser finds them."""
    lines = text.split("\n")
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            source = "\n".join(lines[first - 1 : node.end_lineno])
            found[source] = node.name
    return found


def bm25(description: str, sources: Mapping[str, str]) -> list[str]:
    """Names of the functions, best match of words first. Code is cut into words at underscores and
    inner capitals.
    """
    bags = {name: Counter(_words(source)) for name, source in sources.items()}
    spread = Counter(word for bag in bags.values() for word in bag)
    mean = sum(bag.total() for bag in bags.values()) / len(bags)
    asked = set(_words(description))

    def score(bag: Counter[str]) -> float:
        total = 0.0
        for word in asked & bag.keys():
            rarity = math.log(1 + (len(bags) - spread[word] + 0.5) / (spread[word] + 0.5))
            total += (
                rarity * bag[word] * 2.2 / (bag[word] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
            )
        return total

    return sorted(bags, key=lambda name: (-score(bags[name]), name))


def _words(text: str) -> list[str]:
    return _WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())


def uniform_distance(depths: Sequence[float]) -> float:
    """The largest distance of the depths' distribution from the uniform one on [0, 1)."""
    ordered, n = sorted(depths), len(depths)
    return max(max((i + 1) / n - depth, depth - i / n) for i, depth in enumerate(ordered))
