"""The library of functions a session is made from: all of the interpreter's own, and which of them
can be asked for.

Nothing of it is stored in this project; it is read where Python is installed. Cutting and comparing
some 10,000 functions takes a while, so the outcome is kept in the user's cache folder under a name
that covers the Python version, the files' content and our own rules.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from scbench.errors import BadConfig, BadRecord
from scbench.reading import read_json
from scbench.tasks.materials.functions import describe, likeness, source, synonyms
from scbench.tasks.materials.functions.source import Function, functions_of

SKIPPED_FOLDERS = frozenset(
    [
        "test",
        "tests",
        "idle_test",
        "site-packages",
        "dist-packages",
        "idlelib",
        "lib2to3",
        "encodings",
        "turtledemo",
        "__pycache__",
    ]
)


@dataclass(frozen=True, slots=True)
class Needle:
    """A function that can be asked for, and what must not stand in a context beside it."""

    index: int  # in Library.functions
    rare: tuple[str, ...]  # two words of its body that few functions have
    rivals: tuple[int, ...]  # too like it in source or description, or quoting its docstring


@dataclass(frozen=True, slots=True)
class Library:
    functions: tuple[Function, ...]
    needles: tuple[Needle, ...]
    python: str
    sha256: str  # of the files used: their relative paths and contents


@lru_cache(maxsize=4)
def library(roots: tuple[str, ...] = ()) -> Library:
    """The functions of the standard library and of the folders `roots`, in the order of their
    paths. Kept for the life of the process.

    Raises BadConfig for a root that is no folder, and where there is no function to ask for.
    """
    files = [*_files(Path(sysconfig.get_paths()["stdlib"]))]
    for root in roots:
        if not Path(root).is_dir():
            raise BadConfig(
                f"repoqa: roots holds {root!r}, which is no folder; name folders with .py files"
            )
        files += _files(Path(root))
    sha256 = _sha256_of([part for name, data in files for part in (name.encode(), data)])
    place = _cache_place(sha256)
    made = _read(place) if place else None
    if made is None:
        made = _harvest(files)
        if place:
            _write(place, made)
    functions, needles = made
    if not needles:
        raise BadConfig(
            "repoqa: this Python has no readable library to take functions from; name folders with "
            ".py files in roots"
        )
    return Library(functions, needles, platform.python_version(), sha256)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """(module name, content) of every .py file, sorted by relative path."""
    found: list[Path] = []
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(set(inner) - SKIPPED_FOLDERS)
        found += [
            Path(folder) / name
            for name in names
            if name.endswith(".py") and not name.startswith("test_")
        ]
    for path in sorted(found, key=lambda p: p.relative_to(root).as_posix()):
        with suppress(OSError):
            yield ".".join(path.relative_to(root).with_suffix("").parts), path.read_bytes()


def _harvest(files: Sequence[tuple[str, bytes]]) -> tuple[tuple[Function, ...], tuple[Needle, ...]]:
    """Functions with equal tokens are one: the scorer could not tell them apart."""
    seen: dict[tuple[str, ...], Function] = {}
    for module, data in files:
        for function in functions_of(data, module):
            seen.setdefault(tuple(function.source.split()), function)
    functions = tuple(seen.values())
    askable = [i for i, function in enumerate(functions) if _can_be_asked(function)]
    rivals = likeness.rivals(functions, askable)
    rare = likeness.rare_words(functions, askable)
    needles = tuple(
        Needle(i, rare[i], tuple(sorted(rivals[i]))) for i in askable if i not in rivals[i]
    )
    return functions, needles


def _can_be_asked(function: Function) -> bool:
    """Public, undecorated, with a docstring that can be retold without the function's name."""
    name = function.name.lower()
    if (
        name.startswith("_")
        or function.has_decorator
        or any(mark in function.source for mark in ("```", "~~~"))
    ):
        return False
    return (
        bool(describe.retold(function))
        and name not in describe.described(function, "lexical", ("", "")).lower()
    )


# --- the kept copy --------------------------------------------------------------------------------


def _sha256_of(parts: Sequence[bytes]) -> str:
    """Each part with its length before it, so that no two sequences of parts are read alike."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.hexdigest()


def _cache_place(sha256: str) -> Path | None:
    """Where the harvest of these files is kept; None where there is no home folder."""
    rules = [
        Path(module.__file__ or "").read_bytes()
        for module in (describe, likeness, source, synonyms)
    ] + [_own_text()]
    name = _sha256_of([platform.python_version().encode(), sha256.encode(), *rules])
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "scbench" / f"functions-{name[:32]}.json"


def _own_text() -> bytes:
    return Path(__file__).read_bytes()


def _read(place: Path) -> tuple[tuple[Function, ...], tuple[Needle, ...]] | None:
    """None where there is no copy or it is not what was written."""
    try:
        seal, _, body = place.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != seal:
            return None
        raw = read_json(body, repr(str(place)))
    except (OSError, BadRecord):
        return None
    functions = tuple(Function(**row) for row in raw["functions"])
    return functions, tuple(
        Needle(index, tuple(rare), tuple(rivals)) for index, rare, rivals in raw["needles"]
    )


def _write(place: Path, made: tuple[tuple[Function, ...], tuple[Needle, ...]]) -> None:
    """Whole or not at all; several processes may write at once. A folder that cannot be written to
    costs time, not the session.
    """
    functions, needles = made
    raw = {
        "functions": [asdict(f) for f in functions],
        "needles": [[n.index, n.rare, n.rivals] for n in needles],
    }
    body = json.dumps(raw, separators=(",", ":")).encode()
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".functions-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            os.replace(draft, place)
        except OSError:
            Path(draft).unlink(missing_ok=True)
