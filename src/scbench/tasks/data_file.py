"""A task from a file of data: one session a line, in JSON; the first line may be about the task.

    {"task": {"title": "Tickets", "scorer": "exact", "hint": "Answer with the number only."}}
    {"context": "...", "turns": [{"question": "...", "answers": ["41", "forty-one"],
                                  "evidence": ["Ticket 41 was sold to Ada."], "limit_tokens": 16}]}

docs/add-a-task.md has the whole of it. Sessions have the length of their contexts.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from scbench.errors import BadConfig, BadRecord, BadRow, Unknown
from scbench.reading import MOST_BYTES, read_json
from scbench.scoring import library
from scbench.scoring.choice import gold_letter
from scbench.task_cards import Subtask, TaskCard
from scbench.tasks.build import depth_of, sealed
from scbench.tasks.contract import Bytes, Task, TaskOrigin
from scbench.types import Role, Session, Span, Turn, Wanted

ABOUT = {  # field of the first line -> its kind
    "name": str,
    "title": str,
    "ability": str,
    "scorer": str,
    "head": str,
    "ask": str,
    "hint": str,
    "limit_tokens": int,
    "chance": float,
    "is_short": bool,
}
SESSION = ("context", "turns")
TURN = ("question", "answers", "options", "evidence", "limit_tokens")
KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
SCORER = "contains"  # unless the first line says another
_READ: dict[str, Task] = {}  # as written -> the task of the file as it last was


def read_task(place: str) -> Task:
    """The task in a file of data. Raises Unknown if there is none, BadRow with file and line."""
    path = Path(place).expanduser()
    if not path.is_file():
        raise Unknown(
            f"there is no file {str(path)!r}; a task from data is a .jsonl file, one session a line"
        )
    if path.stat().st_size > MOST_BYTES:
        raise BadRow(f"{path} has more than {MOST_BYTES:,} bytes, the most that are read")
    data = path.read_bytes()
    seal = hashlib.sha256(data).hexdigest()
    kept = _READ.get(place)
    if kept is None or kept.origin != TaskOrigin(place=place, digest=seal):
        kept = _READ[place] = _task(place, path, data, seal)
    return kept


def _task(place: str, path: Path, data: bytes, seal: str) -> Task:
    rows = [
        (f"{path} line {number}", _object(line, f"{path} line {number}"))
        for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1)
        if line.strip()
    ]
    about: Mapping[str, Any] = {}
    if rows and "task" in rows[0][1]:
        about = _about(*rows.pop(0))
    if not rows:
        raise BadRow(f"{path} holds no session; a line is {_shape(SESSION)}")
    card = _card(path, about)
    sessions = tuple(
        _session(card, row, where, file=path.name, sha256=seal, line=at)
        for at, (where, row) in enumerate(rows)
    )
    return Task(
        card=card,
        make=_given(place),
        given=sessions,
        origin=TaskOrigin(place=place, digest=seal),
    )


def _given(place: str) -> Any:
    def make(**settings: object) -> Session:
        """A file has the sessions it has."""
        raise BadConfig(f"the sessions of {place} are those of the file, and no others are made")

    return make


# --- the first line ---------------------------------------------------------------------------


def _about(where: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    about = row["task"]
    if set(row) != {"task"} or not isinstance(about, dict):
        raise BadRow(
            f'{where}: the line about the task is {{"task": {{...}}}} and nothing else; it may '
            f"have {', '.join(ABOUT)}"
        )
    _refuse_strays(about, tuple(ABOUT), where, "the task")
    for name, value in about.items():
        kind = ABOUT[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if kind is float else type(value) is kind
        if not fits:
            raise BadRow(f"{where}: {name!r} is {value!r:.80}; it is {KINDS[kind]}")
    if about.get("scorer", SCORER) not in library.ANY_TASK:
        raise BadRow(
            f"{where}: there is no scorer {about['scorer']!r} for data; there are "
            f"{', '.join(library.ANY_TASK)}"
        )
    return about


def _card(path: Path, about: Mapping[str, Any]) -> TaskCard:
    name = about.get("name", re.sub(r"[^a-z0-9]+", "_", path.stem.casefold()).strip("_"))
    try:
        part = Subtask(
            name=name,
            strict=about.get("scorer", SCORER),
            ask=about.get("ask", "{ask}"),
            hint=about.get("hint", ""),
            is_short=about.get("is_short", True),
            limit_tokens=about.get("limit_tokens", 40),
            chance=about.get("chance", 0.0),
        )
        return TaskCard(
            name=name,
            title=about.get("title", name),
            ability=about.get("ability", "Other"),
            subtasks=(part,),
            head=about.get("head", ""),
        )
    except BadConfig as err:
        raise BadRow(
            f'{path}: {err}; the first line may say it: {{"task": {{"name": "..."}}}}'
        ) from err


# --- sessions ---------------------------------------------------------------------------------


def _session(
    card: TaskCard, row: Mapping[str, Any], where: str, *, file: str, sha256: str, line: int
) -> Session:
    _refuse_strays(row, SESSION, where, "a session")
    context = row.get("context")
    if not isinstance(context, str) or not context.strip():
        raise BadRow(f"{where}: 'context' is {_shown(context)}; it is the text that turns share")
    items = row.get("turns")
    if not isinstance(items, list) or not items:
        raise BadRow(f"{where}: 'turns' is {_shown(items)}; it is a list of at least one turn")
    turns = [_turn(card, item, context, f"{where}, turn {n}") for n, item in enumerate(items, 1)]
    count = Bytes()
    return sealed(
        task=card.name,
        context=context,
        turns=turns,
        counted=count(context),
        counter=count.name,
        recipe={"name": card.name, "file": file, "sha256": sha256, "row": line},
    )


def _turn(card: TaskCard, item: object, context: str, where: str) -> Turn:
    if not isinstance(item, dict):
        raise BadRow(f"{where} is {_shown(item)}; a turn is {_shape(TURN[:2])}")
    _refuse_strays(item, TURN, where, "a turn")
    question = item.get("question")
    if not isinstance(question, str) or not question.strip():
        raise BadRow(f"{where}: 'question' is {_shown(question)}; it is a text")
    golds = _texts(item, "answers", where)
    options = _texts(item, "options", where) if "options" in item else ()
    limit = item.get("limit_tokens", card.subtasks[0].limit_tokens)
    if type(limit) is not int or limit < 1:
        raise BadRow(f"{where}: 'limit_tokens' is {limit!r:.80}; it is a whole number from 1")
    spans = _evidence(item.get("evidence", []), golds, context, where)
    return Turn(
        task=card.name,
        ask=question + "".join(f"\n({ascii_uppercase[n]}) {o}" for n, o in enumerate(options)),
        gold=_gold(golds, options, where),
        wanted=Wanted(golds=golds, question=question, options=options),
        max_new_tokens=limit,
        evidence=spans,
        depth=depth_of(spans, len(context)),
    )


def _gold(golds: tuple[str, ...], options: tuple[str, ...], where: str) -> str:
    """What history shows as the answer: the first one, or its letter."""
    if not options:
        return golds[0]
    letter = gold_letter(golds, options) if len(options) <= len(ascii_uppercase) else None
    if letter is None:
        raise BadRow(
            f"{where}: 'answers' are {list(golds)!r:.80}; one of them is the text or the letter of "
            f"one of the options, of which there are at most {len(ascii_uppercase)}"
        )
    return letter


def _texts(item: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    """A list of texts or numbers. Raises BadRow for anything else, or for none."""
    values = item.get(field)
    if not isinstance(values, list) or not values or not all(map(_is_answer, values)):
        raise BadRow(
            f"{where}: {field!r} is {_shown(values)}; it is a list of texts or numbers, at least "
            "one, none empty"
        )
    return tuple(str(value) for value in values)


def _is_answer(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and bool(value.strip()))


# --- evidence ---------------------------------------------------------------------------------


def _evidence(values: object, golds: Sequence[str], context: str, where: str) -> tuple[Span, ...]:
    """Spans of support, each with the answer's own where that stands in it once."""
    if not isinstance(values, list):
        raise BadRow(
            f"{where}: 'evidence' is {_shown(values)}; it is a list of quoted texts, or of "
            "[start, stop] in characters of the context"
        )
    spans: dict[Span, None] = {}
    for value in values:
        start, stop = _place(value, context, where)
        text = context[start:stop]
        inside = [gold for gold in golds if _times(gold, text) == 1]
        if text not in golds:
            spans[Span(start, stop, Role.SUPPORT)] = None
        if inside:
            at = start + text.index(inside[0])
            spans[Span(at, at + len(inside[0]), Role.ANSWER)] = None
    return tuple(spans)


def _times(text: str, context: str) -> int:
    """How often a text begins in another; two places may overlap."""
    return sum(1 for _ in re.finditer(f"(?={re.escape(text)})", context))


def _place(value: object, context: str, where: str) -> tuple[int, int]:
    if isinstance(value, str) and value:
        times = _times(value, context)
        if times != 1:
            raise BadRow(
                f"{where}: the evidence {value!r:.80} stands in the context {times} times; quote "
                "a text that stands there once, or give [start, stop] in characters"
            )
        at = context.index(value)
        return at, at + len(value)
    is_pair = (
        isinstance(value, list) and len(value) == 2 and all(type(edge) is int for edge in value)
    )
    if not is_pair or not 0 <= value[0] < value[1] <= len(context):  # type: ignore[index]
        raise BadRow(
            f"{where}: the evidence {_shown(value)} is no place in a context of {len(context):,} "
            "characters; it is a quoted text, or [start, stop] with start below stop"
        )
    return value[0], value[1]  # type: ignore[index]


# --- what all lines share ---------------------------------------------------------------------


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        row = read_json(line, where)
    except BadRecord as err:
        raise BadRow(str(err)) from err
    if not isinstance(row, dict):
        raise BadRow(f"{where} is {_shown(row)}; a line is {_shape(SESSION)}")
    return row


def _refuse_strays(row: Mapping[str, Any], allowed: Sequence[str], where: str, what: str) -> None:
    if strays := sorted(set(row) - set(allowed)):
        raise BadRow(f"{where} has {', '.join(map(repr, strays))}; {what} has {', '.join(allowed)}")


def _shape(fields: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}": ...' for name in fields) + "}"


def _shown(value: object) -> str:
    return "missing" if value is None else f"{value!r:.80}"
