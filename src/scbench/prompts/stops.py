"""Where an answer ends in words: what a template ends a turn with, or what a base model goes on to.

A model with an end token of its own needs none of this. Templates in ordinary text, and models
without a template, go on after the answer: to the next turn, or to a question they invent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BLANK_LINE = "\n\n"
LEADS_IN = (":", "：")  # a line that ends so announces the answer, and is none


@dataclass(frozen=True, slots=True)
class Stops:
    """Texts that end an answer; plain data, so that a step can cross a socket.

    >>> Stops(blank_line=True).cut("Sure, here it is:\\n\\nseven\\n\\nQuestion: and eight?")
    'Sure, here it is:\\n\\nseven'
    >>> Stops(questions=("Question:",)).cut("seven\\nQuestion: and eight?")
    'seven'
    >>> Stops(turn_ends=("### Instruction:",)).cut("seven\\n\\n### Instruction:\\nand eight?")
    'seven\\n\\n'
    """

    turn_ends: tuple[str, ...] = ()  # what the chat template writes between an answer and a turn
    questions: tuple[str, ...] = ()  # how the questions of this session begin, on a line of theirs
    blank_line: bool = False  # a blank line after some text that announces nothing

    def __bool__(self) -> bool:
        return bool(self.turn_ends or self.questions or self.blank_line)

    def cut(self, text: str) -> str | None:
        """The text before the first stop; None where there is none."""
        places = [place for place in self._places(text) if place >= 0]
        return text[: min(places)] if places else None

    def _places(self, text: str) -> Iterator[int]:
        begin = len(text) - len(text.lstrip())
        for end in self.turn_ends:
            yield text.find(end)
        for question in self.questions:
            yield text.find(f"\n{question}", begin)
        if self.blank_line:
            place = text.find(BLANK_LINE, begin)
            while place >= 0 and text[:place].rstrip().endswith(LEADS_IN):
                place = text.find(
                    BLANK_LINE, place + len(text[place:]) - len(text[place:].lstrip())
                )
            yield place
