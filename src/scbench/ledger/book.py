"""A file of lines in a folder that this process has locked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from scbench.errors import BadConfig
from scbench.ledger.lines import LineFile, LinePlace
from scbench.ledger.lock import Lock


class TurnLine(Protocol):
    """A line about a turn of a cell."""

    @property
    def key(self) -> str: ...

    @property
    def turn(self) -> int: ...


T = TypeVar("T")
Line = TypeVar("Line", bound=TurnLine)
Self = TypeVar("Self", bound="Book[Any]")


class Book(Generic[T]):
    """A LineFile in a locked folder; `check` raises BadRecord for a line that cannot be meant.

    Without a `lock` it takes the folder's own and gives it back at `close`.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        kind: type[T],
        lock: Lock | None,
        check: Callable[[T], None] | None = None,
    ) -> None:
        if lock is not None and lock.folder.resolve() != Path(folder).resolve():
            raise BadConfig(
                f"the lock is on {str(lock.folder)!r}, the file is in {str(folder)!r}; "
                "lock the folder that is written"
            )
        self._own = Lock(folder) if lock is None else None
        try:
            self.lines = LineFile(Path(folder) / name, kind, check)
        except BaseException:
            self._release()
            raise

    @property
    def torn_bytes(self) -> int:
        """Bytes of a torn last line that were put aside, in `<file>.torn`, at opening."""
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


class TurnBook(Book[Line]):
    """A Book of lines about turns, found by the cell's key and the turn; of several about one the
    newest counts. Only their places are held in memory.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        kind: type[Line],
        lock: Lock | None,
        check: Callable[[Line], None] | None = None,
    ) -> None:
        super().__init__(folder, name, kind, lock, check)
        try:
            self._places: dict[tuple[str, int], LinePlace] = {
                (line.key, line.turn): place for place, line in self.lines.places()
            }
        except BaseException:
            self.close()
            raise

    def has(self, key: str, turn: int) -> bool:
        return (key, turn) in self._places

    def line(self, key: str, turn: int) -> Line | None:
        """The line about a turn; None where there is none."""
        place = self._places.get((key, turn))
        return None if place is None else self.lines.read(place)

    def add(self, line: Line, *, sync: bool = True) -> None:
        """Write a line, which counts from now on; with `sync` it is on the disk at return."""
        self._places[line.key, line.turn] = self.lines.append(line, sync=sync)
