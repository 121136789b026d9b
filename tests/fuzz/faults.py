"""A disk that fails at the n-th call, in this process, for the files of one folder.

Counted are the calls that change a folder: opening to write, writing, fsync, truncating, renaming,
removing. Reading never fails here.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONCE, FOREVER, BROKEN, SHORT = "ENOSPC once", "ENOSPC from then on", "EIO once", "short write"
KINDS = (ONCE, FOREVER, BROKEN, SHORT)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Disk:
    """The disk under `folder`; call `fails_at` fails as `kind` says. 0: none, and calls are
    counted.

    What was called goes to `log`, a line a call, so that the parent knows what failed.
    """

    folder: Path
    fails_at: int
    kind: str
    log: Path
    calls: int = 0

    def install(self) -> None:
        """Put ourselves before the calls of this process, for good."""
        real_open, real_text = os.open, io.open
        lines = real_text(self.log, "w", encoding="utf-8", buffering=1)
        real_write = os.write
        self._tell: Callable[[str], Any] = lines.write

        def opened(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
            if flags & WRITES:
                self.meet("open", path)
            return real_open(path, flags, mode, **more)

        def text_opened(path: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
            is_ours = isinstance(path, str | os.PathLike) and self._name(path)
            if not is_ours or not set(mode) & set("wxa+"):
                return real_text(path, mode, *words, **more)
            self.meet("open", path)
            raw = _Raw(path, mode.replace("b", "").replace("t", ""))
            raw.disk = self
            return (
                io.BufferedWriter(raw)
                if "b" in mode
                else io.TextIOWrapper(
                    io.BufferedWriter(raw), encoding=more.get("encoding") or "utf-8"
                )
            )

        def written(fd: int, data: Any) -> int:
            return real_write(fd, self.meet("write", fd, data))

        os.open, os.write = opened, written  # type: ignore[assignment]
        builtins.open = io.open = text_opened  # type: ignore[assignment]
        for name in ("fsync", "ftruncate", "replace", "unlink", "mkdir"):
            setattr(os, name, self._before(name, getattr(os, name)))

    def _before(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(first: Any, *words: Any, **more: Any) -> Any:
            self.meet(name, first)
            return real(first, *words, **more)

        return called

    def meet(self, what: str, target: Any, data: Any = b"") -> Any:
        """Count a call; raise, or give back less to write, where it is the one that fails."""
        name = self._name(target)
        if not name:
            return data
        self.calls += 1
        self._tell(f"{self.calls} {what} {name}\n")
        after = self.calls - self.fails_at
        if not self.fails_at or after < 0:
            return data
        if self.kind == SHORT and what == "write" and after == 0 and len(data) > 1:
            return memoryview(data)[: len(data) // 2]
        if after == 0 or self.kind == FOREVER or (self.kind == SHORT and after == 1):
            code = errno.EIO if self.kind == BROKEN else errno.ENOSPC
            raise OSError(code, os.strerror(code))
        return data

    def _name(self, target: Any) -> str:
        """The file's name within the folder; "" for any other. The random part of a name is cut."""
        try:
            at = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else target
            path = Path(os.path.abspath(os.fspath(at)))
            name = str(path.relative_to(self.folder))
        except (OSError, ValueError, TypeError):
            return ""
        return name if not name.endswith(".part") else f"{name.split('.')[1]}.part"


class _Raw(io.FileIO):
    disk: Disk

    def write(self, data: Any) -> int:  # type: ignore[override]
        return super().write(self.disk.meet("write", self.fileno(), data)) or 0
