"""The library of functions a session is made from, and which of them can be asked for.

Cutting and comparing some thousand functions takes a while, so the outcome is kept in the user's
cache folder under a name that covers the files' content and our own rules.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from scbench.errors import BadConfig, BadRecord
from scbench.reading import read_json
from scbench.tasks.materials.functions import corpus, describe, likeness, source
from scbench.tasks.materials.functions.corpus import corpus_files, files_of, installed
from scbench.tasks.materials.functions.source import Function, functions_of

MOST_ALIKE_RATIO = 0.01  # of all functions: as many may have a needle's shape


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
    shapes: tuple[str, ...]  # of the functions, in words
    corpus: str  # the packages read, with their versions
    sha256: str  # of the files used: their relative paths and contents


@lru_cache(maxsize=4)
def library(roots: tuple[str, ...] = ()) -> Library:
    """The functions of the corpus and of the folders `roots`, in the order of their paths. Kept for
    the life of the process.

    Raises BadConfig for a root that is no folder, and where there is no function to ask for.
    """
    packages = installed()
    files = [*corpus_files()]
    for root in roots:
        if not Path(root).is_dir():
            raise BadConfig(
                f"repoqa: roots holds {root!r}, which is no folder; name folders with .py files"
            )
        files += files_of(Path(root))
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
            f"repoqa: no function of {packages} can be asked for; name folders with .py files in "
            "roots"
        )
    shapes = tuple(map(describe.shape, functions))
    return Library(functions, needles, shapes, packages, sha256)


def _harvest(files: Sequence[tuple[str, bytes]]) -> tuple[tuple[Function, ...], tuple[Needle, ...]]:
    """Functions with equal tokens are one: the scorer could not tell them apart."""
    seen: dict[tuple[str, ...], Function] = {}
    for module, data in files:
        for function in functions_of(data, module):
            seen.setdefault(tuple(function.source.split()), function)
    functions = tuple(seen.values())
    most = max(1, MOST_ALIKE_RATIO * len(functions))
    spread = Counter(describe.shape(function) for function in functions)
    askable = [
        i
        for i, function in enumerate(functions)
        if _can_be_asked(function) and spread[describe.shape(function)] <= most
    ]
    rivals = likeness.rivals(functions, askable)
    rare = likeness.rare_words(functions, askable)
    needles = tuple(
        Needle(i, rare[i], tuple(sorted(rivals[i]))) for i in askable if i not in rivals[i]
    )
    return functions, needles


def _can_be_asked(function: Function) -> bool:
    """Public, undecorated, with a docstring that says what it does without saying its name."""
    if (
        function.name.startswith("_")
        or function.has_decorator
        or any(mark in function.source for mark in ("```", "~~~"))
    ):
        return False
    told = describe.prose(function)
    return bool(told) and not describe.tells_name(function, told)


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
        Path(module.__file__ or "").read_bytes() for module in (corpus, describe, likeness, source)
    ] + [_own_text()]
    name = _sha256_of([sha256.encode(), *rules])
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
