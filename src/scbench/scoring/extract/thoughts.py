"""The thought before an answer, in the marks that models put around it.

A thought that never ended has no answer after it: what it says on the way is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_WORDS = "think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad|seed:think"
_NAMES = "begin_of_thought|START_THINKING|begin_of_thinking"
_ENDS = "end_of_thought|END_THINKING|end_of_thinking"
_MARK = re.compile(
    rf"(?P<open><(?:{_WORDS})>|<\|(?:{_NAMES})\|>|\[THINK\]|◁think▷|<unused94>(?:thought)?)"
    rf"|</(?:{_WORDS})>|<\|(?:{_ENDS})\|>|\[/THINK\]|◁/think▷|<unused95>",
    re.IGNORECASE,
)
# Channels of the harmony format, with its marks and as it reads where special tokens are left out.
_FINAL = re.compile(r"<\|channel\|>final(?:<\|constrain\|>\w+)?<\|message\|>|assistantfinal")
_CHANNEL = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary|final)")
_BARE_CHANNEL = "analysis"
_PROCESS = re.compile(r"\s*here(?:'s| is) my thought process:", re.IGNORECASE)
_RESPONSE = re.compile(r"here(?:'s| is) my response:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an answer says aloud, and whether a thought before it was closed or left open."""

    text: str
    has_thought: bool = False
    is_unclosed: bool = False


def spoken(text: str, is_mark: Callable[[str], bool] = lambda mark: True) -> Spoken:
    """An answer without its thoughts. Where the prompt opened the thought, only its end is seen.

    >>> spoken("so it is 4\\n</think>\\n5"), spoken("<think>it is 4").is_unclosed
    (Spoken(text='\\n5', has_thought=True, is_unclosed=False), True)
    """
    channelled = _of_channels(text) or _of_process(text)
    if channelled is not None:
        return channelled
    kept: list[str] = []
    start = 0  # of what has not been looked at
    opened: int | None = None
    has_thought = False
    for mark in _MARK.finditer(text):
        if not is_mark(mark[0]):
            continue
        if mark["open"]:
            opened = mark.start() if opened is None else opened
            continue
        has_thought = True
        if opened is None:
            kept = []  # its beginning stood in the prompt: all before the mark was thought
        else:
            kept.append(text[start:opened])
        start, opened = mark.end(), None
    kept.append(text[start:opened])
    return Spoken("".join(kept), has_thought, is_unclosed=opened is not None)


def _of_channels(text: str) -> Spoken | None:
    is_marked = _CHANNEL.match(text) is not None
    if not is_marked and not text.lstrip().startswith(_BARE_CHANNEL):
        return None
    finals = list(_FINAL.finditer(text))
    if finals:
        return Spoken(text[finals[-1].end() :], has_thought=True)
    # "analysis" is a word as well: only marks show a channel that never came to its end.
    return Spoken("", is_unclosed=True) if is_marked else None


def _of_process(text: str) -> Spoken | None:
    if not _PROCESS.match(text):
        return None
    answers = list(_RESPONSE.finditer(text))
    if not answers:
        return Spoken("", is_unclosed=True)
    return Spoken(text[answers[-1].end() :], has_thought=True)
