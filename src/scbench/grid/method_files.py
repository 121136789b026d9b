"""Methods from files in a run's own folder: their paths there are relative to that folder.

So a project that is moved, or read from another working folder, finds its methods again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from scbench.errors import BadConfig
from scbench.methods.quotes import unquoted, written_path
from scbench.methods.spelling import FILE, LABEL, PART, apart


def seen_from(folder: Path, methods: Iterable[str]) -> list[str]:
    """Methods as a file in `folder` writes them: file paths relative to it.

    >>> seen_from(Path("runs/one"), ["dense", "mine.py:Mine[tau=1/4]"])
    ['dense', '../../mine.py:Mine[tau=1/4]']
    """

    def relative(path: Path) -> Path:
        if path.is_absolute():
            return path
        try:
            return Path(os.path.relpath(path, folder))
        except ValueError:  # on another drive
            return path.absolute()

    return [_with_paths(method, relative) for method in methods]


def read_in(folder: Path, methods: Iterable[str], *, must_be_there: str = "") -> list[str]:
    """Methods as the working folder writes them, from those of a file in `folder`.

    Older files wrote paths relative to the working folder: these are taken where nothing lies in
    `folder`. With `must_be_there` (the file's name, for the message) BadConfig is raised where
    neither exists; else the path stays as it is.
    """

    def found(path: Path) -> Path:
        if path.is_absolute():
            return path
        beside = Path(os.path.abspath(folder / path))
        if beside.is_file():
            here = Path.cwd()
            return beside.relative_to(here) if beside.is_relative_to(here) else beside
        if must_be_there and not path.is_file():
            raise BadConfig(
                f"{must_be_there} names a method in {str(path)!r}, and there is neither "
                f"{str(beside)!r} nor {str(path.absolute())!r}; paths in it are relative to its "
                "own folder: correct it there, or give --methods"
            )
        return path

    return [_with_paths(method, found) for method in methods]


def absolute(methods: Iterable[str]) -> list[str]:
    """Methods with absolute paths, to compare."""
    return [_with_paths(one, lambda path: Path(os.path.abspath(path))) for one in methods]


def _with_paths(method: str, place: Callable[[Path], Path]) -> str:
    """A spelling with every file path put elsewhere; what is no spelling stays for its reader."""
    return "+".join(_part(part, place) for part in apart(method, "+"))


def _part(part: str, place: Callable[[Path], Path]) -> str:
    label = LABEL.match(part.strip())
    rest = label["rest"] if label else part.strip()
    found = PART.match(rest)
    if found is None or FILE not in found["name"]:
        return part
    path_text, _, class_name = found["name"].rpartition(":")
    if not path_text:
        return part
    path = str(place(Path(unquoted(path_text.strip())).expanduser()))
    head = f"{label['label']}=" if label else ""
    return f"{head}{written_path(path)}:{class_name}{rest[found.end('name') :]}"
