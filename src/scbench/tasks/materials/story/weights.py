"""How long a sentence is, as one number for both languages, so that evidence goes to the same place
of the log in both.
"""

from __future__ import annotations

import re
from functools import cache

from scbench.tasks.materials.story.chinese import CHINESE
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.language import Language

NOMINAL_CHARS = {
    "english": {"a": 7, "b": 7, "o": 12, "p": 12, "x": 8, "d": 3},
    "chinese": {"a": 3, "b": 3, "o": 2, "p": 3, "x": 2, "d": 3},
}


def _nominal(language: Language, text: str) -> int:
    chars = NOMINAL_CHARS[language.name]
    return len(re.sub(r"\{(.)\}", lambda slot: "_" * chars[slot[1]], text)) + len(language.space)


@cache
def weights() -> tuple[dict[str, tuple[float, ...]], tuple[float, ...]]:
    """Kind -> weight per template, and weight per scenery sentence; 1 is an average sentence. The
    mean over both languages.
    """
    means = {}
    for language in (ENGLISH, CHINESE):
        lengths = [
            _nominal(language, text) for texts in language.templates.values() for text in texts
        ]
        means[language.name] = sum(lengths) / len(lengths)

    def weight(english: str, chinese: str) -> float:
        return (
            _nominal(ENGLISH, english) / means["english"]
            + _nominal(CHINESE, chinese) / means["chinese"]
        ) / 2

    templates = {
        kind: tuple(weight(e, c) for e, c in zip(texts, CHINESE.templates[kind], strict=True))
        for kind, texts in ENGLISH.templates.items()
    }
    return templates, tuple(
        weight(e, c) for e, c in zip(ENGLISH.scenery, CHINESE.scenery, strict=True)
    )
