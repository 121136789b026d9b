"""What is looked for in an answer: the kind of thing, and what its turn knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from scbench.types import Wanted


class AnswerKind(StrEnum):
    """The kind of answer that a strict rule judges."""

    LETTER = "letter"  # of an option, or the option's text
    NUMBER = "number"
    STRING = "string"  # one word of the context, character for character
    NAMES = "names"  # several such words
    PHRASE = "phrase"  # something of a closed vocabulary
    WORDS = "words"  # a short text, judged by the words it shares
    CODE = "code"
    PROSE = "prose"


SHORT = frozenset(AnswerKind) - {AnswerKind.CODE, AnswerKind.PROSE}


@dataclass(frozen=True)
class Sought:
    """A kind of answer, and its turn.

    What stands in an accepted answer or in an option is part of it, and never a mark around it:
    a function that handles `</think>` can be answered.
    """

    kind: AnswerKind
    wanted: Wanted

    @property
    def is_short(self) -> bool:
        return self.kind in SHORT

    @cached_property
    def told(self) -> str:
        """The texts that an answer may consist of."""
        return "\n".join((*self.wanted.golds, *self.wanted.options, *self.wanted.vocabulary))

    def is_mark(self, text: str) -> bool:
        return text not in self.told

    def marks(self, pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
        """The matches of a pattern of marks that are no part of an accepted answer."""
        return (match for match in pattern.finditer(text) if self.is_mark(match[0].strip()))
