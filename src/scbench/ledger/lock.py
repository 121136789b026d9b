"""Who may write in a run folder: one process at a time.

The lock is the kernel's (`system.seize`), so it ends with the process that holds it, however that
process ends; nothing stale can stay behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import weakref
from functools import partial
from pathlib import Path
from types import TracebackType

from scbench.errors import BadConfig, Busy
from scbench.files import PART, cannot_write
from scbench.system import BUSY, OPEN_FLAGS, seize

NAME = ".lock"


def open_folder(folder: str | Path) -> Path:
    """The folder, made if need be. Raises BadConfig if the path is a file or may not be written."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as err:
        raise BadConfig(
            f"the run folder {str(path)!r} cannot be used: it, or a part of its path, is a file; "
            f"name another folder"
        ) from err
    except OSError as err:
        raise cannot_write(err, path) from err
    return path


class Lock:
    """The right to write in `folder`, from construction to `release`. Raises Busy, naming the
    process that has it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = open_folder(folder)
        self.path = self.folder / NAME
        self._fd: int | None = self._acquire()
        self._sign(self._fd)
        self._sweep()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))

    def _acquire(self) -> int:
        while True:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o644)
            except OSError as err:
                raise cannot_write(err, self.path) from err
            try:
                seize(fd)
                if _is_still(fd, self.path):
                    return fd
            except OSError as err:
                holder = _holder(fd)
                os.close(fd)
                if err.errno in BUSY:
                    raise Busy(
                        f"the run folder {str(self.folder)!r} is in use by {holder}; wait until it "
                        f"ends, stop it, or name another folder"
                    ) from err
                raise BadConfig(
                    f"the run folder {str(self.folder)!r} cannot be locked ({err.strerror}), so "
                    f"two runs could mix their lines in it; "
                    "name a folder on a local disk"
                ) from err
            os.close(
                fd
            )  # its last holder removed the file between our open and our lock: take the new one

    def _sign(self, fd: int) -> None:
        with contextlib.suppress(
            OSError
            # the signature only serves the message of the next one; a full disk is told by whoever
            # writes data
        ):
            os.ftruncate(fd, 0)
            os.write(fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def _sweep(self) -> None:
        """Remove half-written files of killed runs; while we hold the lock nobody else is writing
        one.
        """
        for stale in (*self.folder.glob(f"*{PART}"), *self.folder.glob(f"*/*{PART}")):
            with contextlib.suppress(OSError):
                stale.unlink()

    def release(self) -> None:
        """Give the folder back; a second call does nothing."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        with contextlib.suppress(OSError):
            # before closing, so that nobody locks a file that is about to vanish
            self.path.unlink()
        os.close(fd)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _let_go(held: weakref.ref[Lock]) -> None:
    """In a forked worker: it writes nothing here, and must not keep the folder locked when its
    parent is killed.
    """
    lock = held()
    if lock is not None and lock._fd is not None:
        os.close(lock._fd)
        lock._fd = None


def _is_still(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(fd: int) -> str:
    try:
        said = os.read(fd, 200).decode(errors="replace").strip()
    except OSError:
        said = ""
    return said or "another process"
