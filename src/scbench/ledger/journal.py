"""What a run has done so far: one line per turn in `records.jsonl`, one per measurement in
`costs.jsonl`; appended, never edited.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from scbench.errors import BadRecord
from scbench.ledger.book import Book
from scbench.ledger.cells import Planned
from scbench.ledger.lines import LinePlace, read_lines
from scbench.ledger.lock import Lock
from scbench.ledger.store import as_dict
from scbench.types import KEPT_OLD, Cell, Cost, GoldScore, Record

RECORDS = "records.jsonl"
COSTS = "costs.jsonl"
NO_PLAN = Planned()


@dataclass(frozen=True, slots=True)
class _Entry:
    place: LinePlace
    is_failure: bool
    scored: str


class Journal(Book[Record]):
    """The records of a run. Only places are held in memory (some 300 bytes a turn); `done_turns`
    reads from the file.

    The newest record of a (key, turn) counts, so a failed turn is mended by appending. Raises Busy
    if another process writes to the folder, BadRecord for a damaged line before the last.
    """

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, RECORDS, Record, lock, check_record)
        self._done: dict[str, dict[int, _Entry]] = {}
        self._keys: dict[tuple[object, ...], str] = {}  # what a table shows -> the newest key of it
        self._made: dict[str, str] = {}  # key -> what made its records
        try:
            for place, record in self.lines.places():
                self._note(record, place)
        except BaseException:
            self.close()
            raise

    def _note(self, record: Record, place: LinePlace) -> None:
        turns = self._done.setdefault(record.key, {})
        self._made[record.key] = record.made
        turns[record.turn] = _Entry(place, record.failure is not None, record.scored)
        self._keys[label_of(record)] = record.key

    def append(self, record: Record) -> None:
        """Put one turn on the disk. Raises CannotWrite (the journal is then as before), or
        BadRecord for what would not read back equal.
        """
        self.extend([record])

    def extend(self, records: Sequence[Record]) -> None:
        """Put turns that ended together on the disk with one fsync: all of them or none."""
        for record in records:
            check_record(record)
        for record, place in zip(records, self.lines.extend(records), strict=True):
            self._note(record, place)

    def __contains__(self, key: object) -> bool:
        """Whether the cell has any record, failures included."""
        return key in self._done

    def done_turns(self, key: str, *, retry_failed: bool = False) -> dict[int, Record]:
        """The newest record of every turn of a cell, in turn order; with `retry_failed`, of those
        that were answered.
        """
        turns = sorted(self._done.get(key, {}).items())
        return {
            turn: self.lines.read(entry.place)
            for turn, entry in turns
            if not (retry_failed and entry.is_failure)
        }

    def missing_turns(self, cell: Cell, *, retry_failed: bool = False) -> tuple[int, ...]:
        """The turns of `cell` that have no record (with `retry_failed`: no answer), ascending;
        empty when the cell is done.
        """
        had = self._done.get(cell.key, {})
        return tuple(
            turn
            for turn in range(cell.turns)
            if turn not in had or (retry_failed and had[turn].is_failure)
        )

    def unscored_turns(self, key: str, scored: str) -> dict[int, Record]:
        """The answered turns of a cell that were not scored by `scored`."""
        turns = sorted(self._done.get(key, {}).items())
        return {
            turn: self.lines.read(entry.place)
            for turn, entry in turns
            if not entry.is_failure and entry.scored != scored
        }

    def superseded(self, cell: Cell) -> Record | None:
        """A record that a table would show in the place of this cell's, made otherwise."""
        key = self._keys.get(label_of(cell))
        if key is None or key == cell.key or cell.key in self._done:
            return None
        return self.lines.read(next(iter(self._done[key].values())).place)

    def made_of(self, model: str) -> dict[str, Counter[str]]:
        """Method to how many turns each `made` has, of the cells that tables show now: what newer
        records have replaced is left out."""
        found: dict[str, Counter[str]] = {}
        for label, key in self._keys.items():
            *_, of_model, method, _ = label
            if of_model == model:
                found.setdefault(str(method), Counter())[self._made[key]] += len(self._done[key])
        return found

    def count(self, keys: Collection[str] | None = None) -> tuple[int, int]:
        """(turns answered, turns failed), of these cells or of all."""
        chosen = (
            self._done
            if keys is None
            else {key: self._done[key] for key in keys if key in self._done}
        )
        failed = [entry.is_failure for turns in chosen.values() for entry in turns.values()]
        return failed.count(False), failed.count(True)


class Costs(Book[dict[str, Any]]):
    """The rows of the cost pass. Each has a `key`; the newest row of a key counts."""

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, COSTS, dict[str, Any], lock, check_cost)
        try:
            self._failed = {row["key"]: "failure" in row for _, row in self.lines.places()}
        except BaseException:
            self.close()
            raise

    def append(self, row: object) -> None:
        """Put one row, a mapping or a dataclass with a `key`, on the disk; sequences are read back
        as lists. Errors as `Journal.append`.
        """
        try:
            plain = _listed(msgspec.to_builtins(row, enc_hook=as_dict))
        except (TypeError, NotImplementedError) as err:
            raise BadRecord(
                f"a cost row of type {type(row).__name__} cannot be written: {err}"
            ) from err
        check_cost(plain)
        self.lines.append(plain)
        self._failed[plain["key"]] = "failure" in plain

    def __contains__(self, key: object) -> bool:
        return key in self._failed

    def has(self, key: str, *, retry_failed: bool) -> bool:
        """Whether a measurement need not be made; with `retry_failed`, one that failed must."""
        return key in self._failed and not (retry_failed and self._failed[key])


def read_records(path: str | Path) -> Iterator[Record]:
    """Every record of a run folder (or of one file), oldest first and repeats included; a torn last
    line is left out.

    Takes no lock: a run may go on writing meanwhile. Raises BadConfig if there is no such file,
    BadRecord naming file and line.
    """
    return read_lines(_file(path, RECORDS), Record, check_record)


def read_costs(path: str | Path) -> Iterator[dict[str, Any]]:
    """Every row of the cost pass, like `read_records`; empty if a run folder has none."""
    file = _file(path, COSTS)
    return (
        iter(())
        if file.parent == Path(path) and not file.exists()
        else read_lines(file, dict[str, Any], check_cost)
    )


def current(records: Iterable[Record], plan: Planned = NO_PLAN) -> list[Record]:
    """The records that count: the newest of every (key, turn), without the cells that others have
    superseded.

    Cells that differ in nothing a table shows (say, other weights under the same name) supersede
    each other, so that answers under changed settings are never averaged with old ones: those whose
    key is in `plan` (of the last run) count, else the newest.
    """
    newest: dict[tuple[str, int], Record] = {}
    latest: dict[tuple[object, ...], str] = {}
    for record in records:
        newest.pop((record.key, record.turn), None)  # so that the order is that of the newest
        newest[record.key, record.turn] = record
        latest[label_of(record)] = record.key
    planned = {label_of(record) for record in newest.values() if record.key in plan.keys}
    return [
        _in_words_of_today(_marked(record, plan))
        for record in newest.values()
        if (
            record.key in plan.keys
            if (label := label_of(record)) in planned
            else record.key == latest[label]
        )
    ]


def _marked(record: Record, plan: Planned) -> Record:
    is_old = record.key in plan.old and KEPT_OLD not in record.notes
    return replace(record, notes=(*record.notes, KEPT_OLD)) if is_old else record


def _in_words_of_today(record: Record) -> Record:
    """Records from before there was `evidence_held` have that share in `evidence_kept`; all
    means the same in both (decision 103)."""
    held = record.evidence_kept
    if held is None or record.evidence_held is not None:
        return record
    return replace(record, evidence_held=held, evidence_kept=held if held == 1.0 else None)


def label_of(one: Record | Cell) -> tuple[object, ...]:
    """What a table can show of a cell: two of one label must never be averaged."""
    place = one.task, one.form, one.length_tokens, one.seed, one.sample, one.mode
    return *place, one.model, one.method, one.protocol


def check_record(record: Record) -> None:
    """Raise BadRecord for a line that no run can have meant; on writing and on reading alike."""
    turn = f"turn {record.turn} of {record.key}"
    if (record.answer is None) == (record.failure is None):
        raise BadRecord(f"a record has either an answer or a failure; {turn} has both or neither")
    if not 0 <= record.turn < record.turns:
        raise BadRecord(f"{turn} is outside its cell's {record.turns} turns")
    for score in (record.strict, record.official):
        if score.value is not None and not 0 <= score.value <= 1:
            raise BadRecord(f"{turn} has a score of {score.value}; scores lie between 0 and 1")
        if record.failure is not None and score.value is not None:
            raise BadRecord(f"{turn} has no answer and a score of {score.value}")
    for name in ("depth", "evidence_kept", "evidence_held", "evidence_loaded"):
        share = getattr(record, name)
        if isinstance(share, int | float) and not 0 <= share <= 1 + 1e-6:
            raise BadRecord(f"{turn} has {name} = {share}, which lies between 0 and 1")
    if record.gold is not None:
        _check_gold(record.gold, turn)
    texts = {"prompt_tokens": record.prompt_tokens, "truncated_tokens": record.truncated_tokens}
    for name, count in (*texts.items(), *_numbers(record.cost)):
        if count < 0:
            raise BadRecord(f"{turn} has {name} = {count}; counts, bytes and seconds begin at 0")


def _check_gold(gold: GoldScore, turn: str) -> None:
    shares = () if gold.top1_agreement is None else (gold.top1_agreement,)
    if gold.tokens < 1 or any(not 0 <= share <= 1 for share in shares):
        raise BadRecord(f"{turn} has a gold answer of {gold.tokens} tokens, agreement {shares}")
    for name, value in (("nll", gold.nll), ("kl_to_dense", gold.kl_to_dense)):
        if value is not None and not 0 <= value < math.inf:
            raise BadRecord(f"{turn} has {name} = {value}; it is a number from 0")


def _numbers(cost: Cost) -> Iterator[tuple[str, float]]:
    for field in fields(cost):
        value = getattr(cost, field.name)
        if type(value) in (int, float):
            yield field.name, value


def check_cost(row: Mapping[str, Any]) -> None:
    """Raise BadRecord for a row of the cost pass without a key, or with a number below 0."""
    if not isinstance(row, Mapping) or not isinstance(row.get("key"), str):
        raise BadRecord(
            "a cost row needs a text under 'key', so that a resumed pass knows what it has; "
            f"got {row!r:.200}"
        )
    for name, value in row.items():
        for number in value if isinstance(value, list) else [value]:
            if type(number) in (int, float) and number < 0:
                raise BadRecord(f"a cost row has {name} = {number}; costs begin at 0")


def _listed(value: Any) -> Any:
    """Tuples as lists, the way they will be read back."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _file(path: str | Path, name: str) -> Path:
    return Path(path) / name if Path(path).is_dir() else Path(path)
