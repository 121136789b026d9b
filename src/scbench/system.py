"""What systems do in ways of their own: locks, reads at a place, how a command is quoted.

A leaf like `files`. Linux is tried; what is for Windows and macOS alone is tried with stand-ins for
what they have and lack (tests/house/test_other_systems.py).
"""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence

# A stranger's link must not lead us elsewhere, and no line end is to be translated.
OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
BUSY = {  # of `seize`: somebody else holds the lock; EDEADLK is Windows' word after some tries
    errno.EAGAIN,
    errno.EACCES,
    errno.EDEADLK,
    errno.EWOULDBLOCK,
}
_LOCKED_AT = 1 << 30  # on Windows nobody else may read what is locked, so it is no byte in use
_SEEKING = threading.Lock()

if sys.platform == "win32":
    import msvcrt

    def seize(fd: int) -> None:
        """Take the kernel's lock of an open file, which ends with its holder. Raises OSError,
        `BUSY` where another process has it.
        """
        os.lseek(fd, _LOCKED_AT, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
else:
    import fcntl

    def seize(fd: int) -> None:
        """Take the kernel's lock of an open file, which ends with its holder. Raises OSError,
        `BUSY` where another process has it.
        """
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_at(fd: int, room: memoryview, at: int) -> int:
    """Bytes of an open file from place `at` into `room`, how many there were; 0 behind its end.

    Threads may read one file at a time: its own place does not count.
    """
    if hasattr(os, "preadv"):
        return os.preadv(fd, [room], at)
    with _SEEKING:
        os.lseek(fd, at, os.SEEK_SET)
        data = os.read(fd, len(room))
    room[: len(data)] = data
    return len(data)


def command_line(words: Sequence[str]) -> str:
    """A command that can be typed here as it stands."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
