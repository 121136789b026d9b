"""Readers: for each generated task a careful person who has nothing but the text and the question.

They share no line with the rooms that make the sessions (tests/house holds it), so that a gold they
do not find is a gold to be looked at. Each goes by what the words say: a thing that was given to
somebody moves on with her, a grandmother on the mother's side is the mother's mother. A reader that
does not understand a question answers None, which counts as disagreement.

ICL.ManyShot is read by a person who knows dates, swaps and some German; made-up labels are not
read. En.Sum has no one answer: its reader gives the report's values, which are compared with the
facts of the gold. Code.RepoQA is read by shape: which function of the context has so many
arguments, loops and lines.
"""

from __future__ import annotations

from collections.abc import Callable

from readers import chains, code, numbers, pairs, reports, shots, strings
from readers.story import chinese, english, told

Reader = Callable[[str, str], "str | None"]

READERS: dict[str, Reader] = {
    "kv": pairs.read,
    "prefix_suffix": strings.read,
    "vt": chains.read,
    "mf": numbers.read,
    "qa_eng": lambda context, question: told.answer(context, question, english.LANGUAGE),
    "qa_chn": lambda context, question: told.answer(context, question, chinese.LANGUAGE),
    "choice_eng": lambda context, question: told.letter(context, question, english.LANGUAGE),
    "many_shot": shots.read,
    "summary": reports.read,
    "passkey": reports.passkey,
    "repoqa": code.read,
}
