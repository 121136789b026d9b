"""The fields of a line of answers: what each holds, and what a file of lines lacks of them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from scbench.scoring.grade import short

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "task": "kv or scbench_kv",
        "subtask": "in the two Mix tasks: which of its two kinds of turn this is",
        "mode": "multi-turn, multi-request",
        "turn_idx": "0-based number of the turn",
        "prediction": "the answer as the model gave it, thoughts and all; null: the turn failed",
        "gold": "a text, a number, or a list of accepted ones",
        "question": "what was asked",
        "generated": "true: made by scbench, whose rules know more than published ones",
        "numeric": "qa: true where the answer is a number",
        "vocabulary": "qa: all names that an answer of this kind may have",
        "options": "choice_eng, many_shot: the texts of the options in order",
        "asked_key": "kv: the key asked for, which is no answer",
        "shape": "kv: uuid or digits",
        "name": "repoqa: the function asked for",
        "lang": "repoqa: its language",
        "repo": "repoqa: its repository",
        "candidates": "repoqa: function names and their sources",
        "facts": "summary: the values that the asked report states",
        "rival_facts": "summary: those of other reports",
        "rival_golds": "summary: the summaries of other reports",
    }
)
_OTHER_NAMES = frozenset({"turn", "func_name", "input", "ask", "scores", "why"})
_OF_THE_RUNNER = frozenset({"ground_truth", "label"})
_MOST_NAMED = 8
WHERE = (
    "make-data writes them into <config>.evidence.jsonl, under each turn's 'wanted'; see "
    "`scbench score --help`"
)


def notes(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """What somebody who wrote the lines should know: fields that no rule reads, and generated
    questions that come without what their rule needs. Lines of the released runner are its own.
    """
    ours = [line for line in lines if "gold" in line or not _OF_THE_RUNNER & line.keys()]
    return [note for note in (_unread(ours), _without_vocabulary(ours)) if note]


def _unread(lines: list[Mapping[str, Any]]) -> str:
    unread = Counter(
        field for line in lines for field in line if field not in FIELDS.keys() | _OTHER_NAMES
    )
    if not unread:
        return ""
    shown = ", ".join(_with_hint(field) for field in list(unread)[:_MOST_NAMED])
    more = f" and {len(unread) - _MOST_NAMED:,} more" if len(unread) > _MOST_NAMED else ""
    return f"fields that no rule reads (they stay in the lines as they are): {shown}{more}"


def _with_hint(field: str) -> str:
    near = difflib.get_close_matches(field, FIELDS, n=1, cutoff=0.65)
    shown = repr(field[:40])
    return f"{shown} (did you mean {near[0]!r}?)" if near else shown


def _without_vocabulary(lines: list[Mapping[str, Any]]) -> str:
    count = sum(_is_bare_question(line) for line in lines)
    if not count:
        return ""
    return (
        f"{count:,} generated lines of qa_eng or qa_chn say neither 'numeric' nor 'vocabulary': "
        f"they are scored as published ones, by F1 over words; {WHERE}"
    )


def _is_bare_question(line: Mapping[str, Any]) -> bool:
    name = line.get("subtask") or line.get("task")
    is_question = isinstance(name, str) and short(name) in ("qa_eng", "qa_chn")
    is_told = line.get("numeric") is True or bool(line.get("vocabulary"))
    return is_question and line.get("generated") is True and not is_told
