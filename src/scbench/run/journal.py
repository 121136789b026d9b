"""What a run has done so far: one line per turn in `records.jsonl`, one per measurement in `costs.jsonl`; appended, never edited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

from scbench.errors import BadConfig, BadRecord
from scbench.run.lines import LineFile, Place, read_lines
from scbench.run.lock import Lock
from scbench.run.store import as_dict
from scbench.types import Cell, Record

RECORDS = "records.jsonl"
COSTS = "costs.jsonl"
T = TypeVar("T")
Self = TypeVar("Self", bound="_Book[Any]")


class _Book(Generic[T]):
    """A LineFile in a locked folder. Without a `lock` it takes the folder's own and gives it back at `close`."""

    def __init__(self, folder: str | Path, name: str, kind: type[T], lock: Lock | None) -> None:
        if lock is not None and lock.folder.resolve() != Path(folder).resolve():
            raise BadConfig(
                f"the lock is on {str(lock.folder)!r}, the file is in {str(folder)!r}; lock the folder that is written"
            )
        self._own = Lock(folder) if lock is None else None
        try:
            self.lines = LineFile(Path(folder) / name, kind)
        except BaseException:
            self._release()
            raise

    @property
    def torn_bytes(self) -> int:
        """How many bytes of a torn last line were put aside (in `<file>.torn`) when this was opened."""
        return self.lines.torn_bytes

    def _release(self) -> None:
        if self._own is not None:
            self._own.release()

    def close(self) -> None:
        """A second call does nothing."""
        self.lines.close()
        self._release()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Entry:
    place: Place
    is_failure: bool


class Journal(_Book[Record]):
    """The records of a run. Only places are held in memory (some 300 bytes a turn); `done_turns` reads from the file.

    The newest record of a (key, turn) counts, so a failed turn is mended by appending. Raises Busy if another process writes to
    the folder, BadRecord for a damaged line before the last.
    """

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, RECORDS, Record, lock)
        self._done: dict[str, dict[int, _Entry]] = {}
        try:
            for place, record in self.lines.places():
                self._note(record, place)
        except BaseException:
            self.close()
            raise

    def _note(self, record: Record, place: Place) -> None:
        self._done.setdefault(record.key, {})[record.turn] = _Entry(
            place, record.failure is not None
        )

    def append(self, record: Record) -> None:
        """Put one turn on the disk. Raises CannotWrite (the journal is then as before), or BadRecord for what would not read back equal."""
        self.extend([record])

    def extend(self, records: Sequence[Record]) -> None:
        """Put turns that ended together on the disk with one fsync: all of them or none."""
        for record in records:
            _check(record)
        for record, place in zip(records, self.lines.extend(records), strict=True):
            self._note(record, place)

    def __contains__(self, key: object) -> bool:
        """Whether the cell has any record, failures included."""
        return key in self._done

    def done_turns(self, key: str, *, retry_failed: bool = False) -> dict[int, Record]:
        """The newest record of every turn of a cell, in turn order; with `retry_failed`, of those that were answered."""
        turns = sorted(self._done.get(key, {}).items())
        return {
            turn: self.lines.read(entry.place)
            for turn, entry in turns
            if not (retry_failed and entry.is_failure)
        }

    def missing_turns(self, cell: Cell, *, retry_failed: bool = False) -> tuple[int, ...]:
        """The turns of `cell` that have no record (with `retry_failed`: no answer), ascending; empty when the cell is done."""
        had = self._done.get(cell.key, {})
        return tuple(
            turn
            for turn in range(cell.turns)
            if turn not in had or (retry_failed and had[turn].is_failure)
        )

    def count(self, keys: Collection[str] | None = None) -> tuple[int, int]:
        """(turns answered, turns failed), of these cells or of all."""
        chosen = (
            self._done
            if keys is None
            else {key: self._done[key] for key in keys if key in self._done}
        )
        failed = [entry.is_failure for turns in chosen.values() for entry in turns.values()]
        return failed.count(False), failed.count(True)


class Costs(_Book[dict[str, Any]]):
    """The rows of the cost pass. Each has a `key`; the newest row of a key counts."""

    def __init__(self, folder: str | Path, lock: Lock | None = None) -> None:
        super().__init__(folder, COSTS, dict[str, Any], lock)
        try:
            self._keys = {
                _key_of(row, f"{str(self.lines.path)!r} line {line:,}: ")
                for line, (_, row) in enumerate(self.lines.places(), 1)
            }
        except BaseException:
            self.close()
            raise

    def append(self, row: object) -> None:
        """Put one row, a mapping or a dataclass with a `key`, on the disk; sequences are read back as lists. Errors as `Journal.append`."""
        try:
            plain = _listed(msgspec.to_builtins(row, enc_hook=as_dict))
        except (TypeError, NotImplementedError) as err:
            raise BadRecord(
                f"a cost row of type {type(row).__name__} cannot be written: {err}"
            ) from err
        key = _key_of(plain)
        self.lines.append(plain)
        self._keys.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._keys


def read_records(path: str | Path) -> Iterator[Record]:
    """Every record of a run folder (or of one file), oldest first and repeats included; a torn last line is left out.

    Takes no lock: a run may go on writing meanwhile. Raises BadConfig if there is no such file, BadRecord naming file and line.
    """
    return read_lines(_file(path, RECORDS), Record)


def read_costs(path: str | Path) -> Iterator[dict[str, Any]]:
    """Every row of the cost pass, like `read_records`; empty if a run folder has none."""
    file = _file(path, COSTS)
    return (
        iter(())
        if file.parent == Path(path) and not file.exists()
        else read_lines(file, dict[str, Any])
    )


def current(records: Iterable[Record], plan: Collection[str] = ()) -> list[Record]:
    """The records that count: the newest of every (key, turn), without the cells that others have superseded.

    Cells that differ in nothing a table shows (say, other weights under the same name) supersede each other, so that answers under
    changed settings are never averaged with old ones: those whose key is in `plan` (of the last run) count, else the newest.
    """
    newest: dict[tuple[str, int], Record] = {}
    latest: dict[tuple[object, ...], str] = {}
    for record in records:
        newest.pop((record.key, record.turn), None)  # so that the order is that of the newest
        newest[record.key, record.turn] = record
        latest[_label(record)] = record.key
    planned = {_label(record) for record in newest.values() if record.key in plan}
    return [
        record
        for record in newest.values()
        if (
            record.key in plan
            if (label := _label(record)) in planned
            else record.key == latest[label]
        )
    ]


def _label(record: Record) -> tuple[object, ...]:
    place = record.task, record.form, record.length_tokens, record.seed, record.mode
    return *place, record.model, record.method, record.protocol


def _check(record: Record) -> None:
    if (record.answer is None) == (record.failure is None):
        raise BadRecord(
            f"a record has either an answer or a failure; turn {record.turn} of {record.key} has both or neither"
        )
    if not 0 <= record.turn < record.turns:
        raise BadRecord(
            f"turn {record.turn} of {record.key} is outside its cell's {record.turns} turns"
        )


def _key_of(row: object, where: str = "") -> str:
    key = row.get("key") if isinstance(row, Mapping) else None
    if not isinstance(key, str):
        raise BadRecord(
            f"{where}a cost row needs a text under 'key', so that a resumed pass knows what it has; got {row!r:.200}"
        )
    return key


def _listed(value: Any) -> Any:
    """Tuples as lists, the way they will be read back."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _file(path: str | Path, name: str) -> Path:
    return Path(path) / name if Path(path).is_dir() else Path(path)
