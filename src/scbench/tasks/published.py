"""Published rows to sessions and back: microsoft/SCBench on the hub, or a folder of its parquet or
JSON-lines files.

Text stays as it is, character for character. What the published schema cannot hold (evidence,
scorers' needs, recipe) goes into a side file `<config>.evidence.jsonl`; where one lies beside the
data, `read` gives back the very sessions that were written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from scbench.errors import BadConfig, BadRecord, BadRow
from scbench.reading import check
from scbench.task_cards import Subtask
from scbench.tasks import task as task_called
from scbench.tasks.build import depth_of, digest_of, sealed
from scbench.tasks.contract import Bytes, Task
from scbench.tasks.published_files import (
    OFFICIAL,
    Row,
    downloaded,
    found_in,
    rows_of,
    sha256_of,
)
from scbench.types import Role, Session, Span, Turn

Form = Literal["jsonl", "parquet"]
Functions = Mapping[str, Sequence[tuple[str, str]]]  # repo -> (name, source)
# What a row with fields of wrong types makes of the code that reads it.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLine:
    """A line of the side file: a session without its context."""

    row: int
    digest: str
    counted: int
    counter: str
    recipe: dict[str, object]
    turns: tuple[Turn, ...]


def read(task: str | Task, source: str | Path, *, limit: int | None = None) -> Iterator[Session]:
    """The sessions of a task, row by row; `limit` rows at most. `source` is "official", a folder,
    or one file.

    Raises Unknown (no such file, or the hub cannot be reached) and BadConfig at once; BadRow, with
    file, row and field, when an odd row is met, or a file that has none.
    """
    return map(_sound, read_rows(task, source, limit=limit))


def _sound(session: Session | BadRow) -> Session:
    if isinstance(session, BadRow):
        raise session
    return session


def read_rows(
    task: str | Task, source: str | Path, *, limit: int | None = None
) -> Iterator[Session | BadRow]:
    """The same with what is odd about a row in its place, so that the others can be played."""
    if limit is not None and limit < 1:
        raise BadConfig(f"limit is {limit}; it must be at least 1, or None for all rows")
    kind = task if isinstance(task, Task) else task_called(task)
    if kind.read_turn is None:
        raise BadConfig(
            f"the task {kind.name!r} has no published rows; leave --data out to generate its "
            "sessions"
        )
    path = (
        downloaded(kind) if str(source) == OFFICIAL else found_in(kind, Path(source).expanduser())
    )
    return _sessions(kind, path, limit)


def write(
    task: str | Task, sessions: Iterable[Session], folder: str | Path, *, form: Form = "jsonl"
) -> Path:
    """Write the sessions as `<config>.jsonl` or `<config>.parquet`, and the side file; returns the
    data file. An older file is replaced.
    """
    if form not in ("jsonl", "parquet"):
        raise BadConfig(f"form {form!r} does not exist; it is 'jsonl' or 'parquet'")
    kind = task if isinstance(task, Task) else task_called(task)
    target, made = Path(folder), list(sessions)
    target.mkdir(parents=True, exist_ok=True)
    write_row = kind.write_row or plain_row
    rows = [write_row(session, index) for index, session in enumerate(made)]
    path = target / f"{kind.config}.{form}"
    if form == "jsonl":
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    else:
        import polars

        polars.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    sides = [asdict(SideLine(row=at, **_beside(session))) for at, session in enumerate(made)]
    _side_path(path, kind).write_text(
        "".join(json.dumps(side, ensure_ascii=False) + "\n" for side in sides), encoding="utf-8"
    )
    return path


def plain_row(session: Session, index: int) -> dict[str, object]:
    """A row shaped as the published ones, of a task that has none; `task` names the scorer's."""
    turns = [{"input": turn.ask, "answer": turn.gold, "task": turn.task} for turn in session.turns]
    return {"id": index, "context": session.context, "multi_turns": turns}


# --- rows -----------------------------------------------------------------------------------------


def _sessions(kind: Task, path: Path, limit: int | None) -> Iterator[Session | BadRow]:
    sides = _sides(path, kind)
    file_sha256 = sha256_of(path)
    has_functions = any(part.is_function for part in kind.card.subtasks)
    functions = _functions(path) if has_functions else {}
    at = -1
    for at, row in enumerate(rows_of(path)):
        if at == limit:
            return
        if isinstance(row, BadRow):
            yield row
            continue
        where, session = f"{path} row {at}", None
        try:
            if at in sides:
                session = _restored(kind, row, sides[at], where)
            else:
                recipe = {
                    "name": kind.name,
                    "published": path.name,
                    "sha256": file_sha256,
                    "row": at,
                    "id": _note(row.get("id")),
                }
                session = _as_published(kind, row, functions, recipe, where)
        except BadRow as err:
            yield err
            continue
        yield session
    if at < 0:
        raise BadRow(f"{path} is empty: it has no row; is it whole, and no git-lfs pointer?")


def _as_published(
    kind: Task, row: Row, functions: Functions, recipe: Mapping[str, object], where: str
) -> Session:
    context, count = _context(row, where), Bytes()
    turns = [
        _turn(kind, row, item, functions, context, f"{where}, turn {number}")
        for number, item in enumerate(_items(row, where))
    ]
    return sealed(
        task=kind.name,
        context=context,
        turns=turns,
        counted=count(context),
        counter=count.name,
        recipe=recipe,
    )


def _context(row: Row, where: str) -> str:
    """The shared text: `context`, or `input` where a row has none; a list of numbers as Python
    prints it.
    """
    value = row.get("context") if row.get("context") is not None else row.get("input")
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and all(
        isinstance(number, int) and not isinstance(number, bool) for number in value
    ):
        return str(value)
    raise BadRow(
        f"{where}: 'context' (or 'input') must be text that is not empty, or a list of whole "
        f"numbers; the row has {', '.join(sorted(row))}"
    )


def _items(row: Row, where: str) -> list[Row]:
    items = row.get("multi_turns")
    if (
        not isinstance(items, list)
        or not items
        or not all(isinstance(item, dict) for item in items)
    ):
        raise BadRow(
            f"{where}: 'multi_turns' must be a list of at least one object, it is "
            f"{str(items)[:80]!r}"
        )
    return items


def _turn(kind: Task, row: Row, item: Row, functions: Functions, context: str, where: str) -> Turn:
    assert kind.read_turn is not None, "`read` refuses tasks without published rows"
    try:
        turn = kind.read_turn(row, item)
        part = kind.card.subtask(turn.task)
        return _placed(_judged(turn, part, functions), part, context)
    except (BadRow, *UNREADABLE) as err:
        raise BadRow(f"{where}: {err}") from err


def _note(value: object) -> object:
    return value if isinstance(value, str | int) else None


# --- RepoQA's candidates --------------------------------------------------------------------------


def _functions(path: Path) -> Functions:
    """(name, source) of every function asked for, by repo, over ALL rows of the file, before any
    selection.
    """
    found: dict[str, dict[tuple[str, str], None]] = {}
    for row in rows_of(path):
        if isinstance(row, BadRow):
            continue
        items = row.get("multi_turns")
        for item in items if isinstance(items, list) else ():
            is_function = (
                isinstance(item, dict)
                and item.get("task") in (None, "scbench_repoqa")
                and isinstance(item.get("answer"), str)
            )
            if is_function:
                found.setdefault(str(row.get("repo") or ""), {})[
                    str(item.get("name") or ""), item["answer"]
                ] = None
    return {repo: list(pairs) for repo, pairs in found.items()}


def _judged(turn: Turn, part: Subtask, functions: Functions) -> Turn:
    """A function turn with all functions of its repo to choose from; a second function of the same
    name gets a number behind it.
    """
    if not part.is_function:
        return turn
    own = (turn.wanted.name or "", turn.wanted.golds[0])
    candidates = {own[0]: own[1]}
    for name, source in functions.get(turn.wanted.repo or "", ()):
        if (name, source) != own:
            candidates[name if name not in candidates else f"{name}#{len(candidates)}"] = source
    return replace(turn, wanted=replace(turn.wanted, candidates=candidates))


# --- evidence -------------------------------------------------------------------------------------


def _placed(turn: Turn, part: Subtask, context: str) -> Turn:
    """The turn with the place of its answer, where the gold stands in the context exactly once;
    MultiHop: where each name is given its value.
    """
    if not part.gold_place:
        return turn
    golds = turn.wanted.golds if part.wants_all else turn.wanted.golds[:1]
    spans = [_only_place(part.gold_place.replace("{gold}", gold), gold, context) for gold in golds]
    if not all(spans):
        return turn  # half the evidence would look like all of it
    evidence = tuple(
        sorted((span for span in spans if span is not None), key=lambda span: span.start)
    )
    return replace(turn, evidence=evidence, depth=depth_of(evidence, len(context)))


def _only_place(text: str, gold: str, context: str) -> Span | None:
    at = context.find(text) if gold.strip() else -1
    if at < 0 or context.find(text, at + 1) >= 0:
        return None
    start = at + text.index(gold)
    return Span(start, start + len(gold), Role.ANSWER)


# --- the side file --------------------------------------------------------------------------------


def _side_path(path: Path, kind: Task) -> Path:
    return path.with_name(f"{kind.config}.evidence.jsonl")


def _beside(session: Session) -> dict[str, Any]:
    return {
        name: getattr(session, name) for name in ("digest", "counted", "counter", "recipe", "turns")
    }


def _sides(path: Path, kind: Task) -> dict[int, SideLine]:
    beside = _side_path(path, kind)
    if not beside.is_file():
        return {}
    import msgspec

    sides: dict[int, SideLine] = {}
    try:
        lines = beside.read_bytes().split(b"\n")
    except OSError as err:
        raise BadRow(f"{beside} cannot be read: {err.strerror}") from err
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{beside} line {number}"
        try:
            check(line, where)
            side = msgspec.json.decode(line, type=SideLine)
        except (msgspec.DecodeError, UnicodeDecodeError, BadRecord) as err:
            why = str(err).removeprefix(f"{where} ")
            raise BadRow(f"{where}: {why}; remove the file to read the rows without it") from err
        sides[side.row] = side
    return sides


def _restored(kind: Task, row: Row, side: SideLine, where: str) -> Session:
    """The session that was written. Raises BadRow if row and side file are not of one making."""
    session = Session(
        task=kind.name,
        context=_context(row, where),
        turns=side.turns,
        counted=side.counted,
        counter=side.counter,
        recipe=side.recipe,
        digest=side.digest,
    )
    shown = [(item.get("input"), item.get("answer")) for item in _items(row, where)]
    try:
        turns: Any = (kind.write_row or plain_row)(session, side.row)["multi_turns"]
        written = [(item["input"], item["answer"]) for item in turns]
    except (BadRecord, *UNREADABLE):
        written = None  # the side file tells of another session than the row
    if digest_of(session) != side.digest or shown != written:
        raise BadRow(
            f"{where} has changed since {kind.config}.evidence.jsonl was written beside it; remove "
            f"that file to read the row without it"
        )
    return session
