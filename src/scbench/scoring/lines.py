"""Lines of answers made anywhere: what they want, and their scores by both rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scbench.errors import BadRow
from scbench.scoring.grade import grade, short
from scbench.scoring.official import LineWanted, choice_label
from scbench.scoring.strings import shape_of
from scbench.task_cards import PAPER, Subtask, card_of, known
from scbench.types import Mode, Score, Wanted

FAILED = "failed"
YOUR_OWN = (
    "a task of your own is given by its reference: --tasks my_task.py:TASK, my.jsonl, or the name "
    "under which a package registered it"
)


class Mixes(Mapping[str, tuple[str, ...]]):
    """The tasks of several sub-tasks with the names of these, as far as cards are known by now.

    >>> MIXES["repoqa_and_kv"], "kv" in MIXES
    (('repoqa', 'kv'), False)
    """

    def __getitem__(self, task: str) -> tuple[str, ...]:
        return {name: card.parts for name, card in known().items() if card.is_mix}[task]

    def __iter__(self) -> Iterator[str]:
        return (name for name, card in known().items() if card.is_mix)

    def __len__(self) -> int:
        return sum(1 for _ in self)


MIXES = Mixes()
NOT_UNDERSTOOD = "not understood"


class NotUnderstood(str):
    """Why a line is none of ours: its place, the field, what it holds and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """A line that was understood. `prediction` is None where the turn failed."""

    task: str
    part: Subtask
    mode: Mode
    prediction: str | None
    wanted: LineWanted
    turn: int | None

    @property
    def needle_key(self) -> tuple[str, Mode, str | None]:
        """Lines of one task, mode and repository share their needles."""
        return self.task, self.mode, self.wanted.repo


def wanted_from_line(line: Mapping[str, object]) -> Wanted:
    """What the scorers need to know of a line: `gold` typed as in the published schema, or the
    runner's `ground_truth`.

    Read as well where present: options, lang, repo, name (or func_name), candidates, question (or
    input, ask), asked_key, generated, vocabulary, numeric, facts, rival_facts, rival_golds. Raises
    BadRow naming the field.
    """
    return row_of(line).wanted


def row_of(line: Mapping[str, object]) -> AnswerLine:
    """Understand one line, or raise BadRow naming the field, what it holds, and what is allowed."""
    task, subtask = _tasks(line)
    part = card_of(task).subtask(subtask)
    mode = line.get("mode")
    if not isinstance(mode, str) or mode not in set(Mode):
        raise BadRow(f"field 'mode' is {_shown(mode)}; allowed are {_listed(Mode)}")
    if "prediction" not in line:
        raise BadRow(
            "field 'prediction' is missing; it holds the answer's text, or null for a turn that "
            "failed"
        )
    prediction = line["prediction"]
    if prediction is not None and not isinstance(prediction, str):
        raise BadRow(
            f"field 'prediction' is {_shown(prediction)}; it holds the answer's text, or null for "
            f"a turn that failed"
        )
    turn = line.get("turn_idx", line.get("turn"))
    if turn is not None and (not isinstance(turn, int) or isinstance(turn, bool)):
        raise BadRow(
            f"field {'turn_idx' if 'turn_idx' in line else 'turn'!r} is {_shown(turn)}; it holds "
            f"the 0-based number of the turn"
        )
    return AnswerLine(
        task=task,
        part=part,
        mode=Mode(str(mode)),
        prediction=prediction,
        wanted=_wanted(line, part),
        turn=turn,
    )


def _tasks(line: Mapping[str, object]) -> tuple[str, str]:
    task = line.get("task")
    if not isinstance(task, str) or short(task) not in known():
        names = (f"scbench_{name}" if name in PAPER else name for name in known())
        raise BadRow(f"field 'task' is {_shown(task)}; allowed are {_listed(names)}; {YOUR_OWN}")
    task = short(task)
    allowed = MIXES.get(task, (task,))
    subtask = line.get("subtask")
    if subtask is None and task not in MIXES:
        return task, task
    if not isinstance(subtask, str) or short(subtask) not in allowed:
        raise BadRow(f"field 'subtask' is {_shown(subtask)}; {task} has {_listed(allowed)}")
    return task, short(subtask)


def _wanted(line: Mapping[str, object], part: Subtask) -> LineWanted:
    raw, is_label = (
        (line["gold"], False)
        if "gold" in line
        else (line.get("ground_truth", line.get("label")), True)
    )
    golds = _golds(raw, "ground_truth" if is_label else "gold")
    raw = raw if is_label else _whole(raw)
    options = _texts(line, "options")
    label, label_gap = raw, ""
    if not is_label and not isinstance(raw, list):
        if part.label == "list":
            label = [raw]
        elif part.label == "option" and golds:
            try:
                label = choice_label(golds, options)
            except ValueError as err:
                label_gap = str(err)
    name = _text(line, "name") or _text(line, "func_name")
    if part.is_function and not name:
        raise BadRow(
            "field 'name' (or 'func_name') is missing; a repoqa turn needs the name of the "
            "function asked for"
        )
    if part.is_function and not all(isinstance(item, str) for item in _items(raw)):
        raise BadRow(
            f"field 'gold' is {_shown(raw)}; a repoqa turn needs the function's source as text, or "
            "a list of sources"
        )
    return LineWanted(
        golds=golds,
        generated=line.get("generated") is True,
        question=_text(line, "question") or _text(line, "input") or _text(line, "ask") or "",
        shape=_text(line, "shape") or shape_of(golds[0]) if golds else None,
        asked_key=_text(line, "asked_key"),
        options=options,
        vocabulary=_texts(line, "vocabulary"),
        numeric=line.get("numeric") is True,
        is_chinese=part.is_chinese,
        name=name,
        lang=_text(line, "lang"),
        repo=_text(line, "repo"),
        candidates=_candidates(line),
        facts=_texts(line, "facts"),
        rival_facts=_texts(line, "rival_facts"),
        rival_golds=_texts(line, "rival_golds"),
        label=label,
        label_gap=label_gap,
    )


def _golds(raw: object, field: str) -> tuple[str, ...]:
    items = _items(raw)
    if not all(_is_gold(item) for item in items):
        raise BadRow(
            f"field {field!r} is {_shown(raw)}; it holds a text, a number, or a list of texts"
        )
    texts = tuple(str(_whole(item)) for item in items)
    if any(text.strip() for text in texts) and not all(text.strip() for text in texts):
        raise BadRow(f"field {field!r} is {_shown(raw)}; one of the accepted answers is empty")
    return texts if any(text.strip() for text in texts) else ()


def _is_gold(item: object) -> bool:
    if isinstance(item, float):
        return math.isfinite(item)
    return isinstance(item, str | int) and not isinstance(item, bool)


def _whole(raw: object) -> object:
    """A whole number that came as 38.0 is 38, as in rows of data."""
    if isinstance(raw, list):
        return [_whole(item) for item in raw]
    return int(raw) if isinstance(raw, float) and raw.is_integer() else raw


def _items(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else [raw]


def _text(line: Mapping[str, object], field: str) -> str | None:
    value = line.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRow(f"field {field!r} is {_shown(value)}; it holds a text")
    return value or None


def _texts(line: Mapping[str, object], field: str) -> tuple[str, ...]:
    value = line.get(field)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise BadRow(f"field {field!r} is {_shown(value)}; it holds a list of texts")
    return tuple(value)


def _candidates(line: Mapping[str, object]) -> dict[str, str]:
    value = line.get("candidates")
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(source, str) for source in value.values()
    ):
        raise BadRow(
            f"field 'candidates' is {_shown(value)}; it maps function names to their sources"
        )
    return dict(value)


def score_lines(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines with `scores: {"strict": x, "official": y}`; a gap is null, and `why` then
    holds its reason by rule.

    Official RepoQA takes its needles, and strict RepoQA without `candidates` its candidates, from
    the lines themselves: all of one task, mode and `repo`, in order. A line that is not understood
    is a gap under both rules, which names line and field. Raises BadRow where none is understood.
    """
    return scored([(line, understood(line, f"line {n}")) for n, line in enumerate(lines, start=1)])


def understood(line: Mapping[str, object], where: str) -> AnswerLine | NotUnderstood:
    """The line in our words, or why it is none of ours, with its place."""
    try:
        return row_of(line)
    except BadRow as err:
        return NotUnderstood(f"{where}: {err}")


def scored(rows: list[tuple[dict[str, Any], AnswerLine | NotUnderstood]]) -> list[dict[str, Any]]:
    """`score_lines` for lines already looked at."""
    if rows and all(isinstance(row, NotUnderstood) for _, row in rows):
        raise BadRow(str(rows[0][1]))
    needles: dict[tuple[str, Mode, str | None], list[tuple[str, str]]] = {}
    for _, row in rows:
        if isinstance(row, AnswerLine) and row.part.is_function and row.wanted.golds:
            needles.setdefault(row.needle_key, []).append(
                (row.wanted.golds[0], str(row.wanted.name))
            )
    return [
        _with_gaps(line, row)
        if isinstance(row, NotUnderstood)
        else _scored(line, row, needles.get(row.needle_key, []))
        for line, row in rows
    ]


def _with_gaps(line: dict[str, Any], why: NotUnderstood) -> dict[str, Any]:
    """The line as it was, with a gap under both rules."""
    out = {key: value for key, value in line.items() if key not in ("scores", "why")}
    gap = f"{NOT_UNDERSTOOD}: {why}"
    rules = ("strict", "official")
    return out | {"scores": dict.fromkeys(rules), "why": dict.fromkeys(rules, gap)}


def _scored(
    line: dict[str, Any], row: AnswerLine, needles: list[tuple[str, str]]
) -> dict[str, Any]:
    if row.prediction is None:
        scores = {
            rule: Score(value=None, rule=f"{rule}/1", why=FAILED) for rule in ("strict", "official")
        }
    else:
        wanted: Wanted = row.wanted
        if row.part.is_function and not wanted.candidates:
            wanted = _with_candidates(row.wanted, needles)
        scores = {
            "strict": grade(row.part.name, row.prediction, wanted, rule="strict", within=row.task),
            "official": grade(
                row.part.name,
                row.prediction,
                row.wanted,
                rule="official",
                needles=needles,
                within=row.task,
                mode=row.mode,
            ),
        }
    # A line that was scored before is scored afresh.
    out = {key: value for key, value in line.items() if key not in ("scores", "why")}
    out["scores"] = {rule: score.value for rule, score in scores.items()}
    if gaps := {rule: score.why for rule, score in scores.items() if score.is_gap}:
        out["why"] = gaps
    return out


def _with_candidates(wanted: LineWanted, needles: list[tuple[str, str]]) -> Wanted:
    """The functions the file itself holds of this repository: the best that is known without the
    data set.
    """
    from dataclasses import replace

    return replace(
        wanted,
        candidates={f"{index} {name}": source for index, (source, name) in enumerate(needles)},
    )


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:80]


def _listed(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)
