"""Which line of somebody's file an exception came from."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from scbench.code import PACKAGE


def offending_line(error: BaseException, files: Iterable[Path]) -> str:
    """' at mine.py:12: `x = 1 / 0`', the innermost line in one of `files` or beside them; '' where
    none of these was running."""
    folders = {file.resolve().parent for file in files}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and path.resolve().parent in folders:
            source = f": `{frame.line}`" if frame.line else ""
            return f" at {path.name}:{frame.lineno}{source}"
    return ""


def files_of(classes: Iterable[type]) -> set[Path]:
    """The files of the classes, and of their bases, that are not ours."""
    modules = {base.__module__ for cls in classes for base in cls.__mro__}
    places = [
        getattr(sys.modules.get(name), "__file__", None)
        for name in modules
        if not name.startswith(f"{PACKAGE}.")
        and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    return {Path(place) for place in places if place}
