"""A file of lines in a folder that this process has locked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from scbench.errors import BadConfig
from scbench.ledger.lines import LineFile
from scbench.ledger.lock import Lock

T = TypeVar("T")
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
