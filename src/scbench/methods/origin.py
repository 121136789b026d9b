"""Where the code of a stage comes from: ours, an installed package, or somebody's file.

A method is identified by origin and spelling, never by its name alone: the commonest way to write
a method is to copy `snapkv.py` and edit it, and the copy still calls itself snapkv.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scbench.code import PACKAGE, digest_of
from scbench.methods.quotes import written_path
from scbench.methods.sources import distribution_of, file_of, sources_of


class Kind(StrEnum):
    HOUSE = "scbench"
    PACKAGE = "package"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One stage's origin. `sources` has a digest for every file its answers depend on."""

    kind: Kind
    # file: as the user wrote it, empty for what was typed into a session; package: name and version
    place: str = ""
    path: str = ""  # file: absolute
    class_name: str = ""
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over `sources`."""
        return digest_of(dict(self.sources))

    @property
    def is_ours(self) -> bool:
        return self.kind is Kind.HOUSE


PLACES_WRITTEN: dict[str, str] = {}  # module of a loaded file -> its path as the user wrote it
REGISTERED: dict[str, tuple[str, str]] = {}  # module behind an entry point -> its package, version
GIVEN: dict[str, type] = {}  # classes of this process whose objects were handed over, as written
_ORIGINS: dict[type, Origin] = {}


def origin_of(stage: type) -> Origin:
    """The origin of a stage's class, as its sources stood when it was first asked for."""
    if stage not in _ORIGINS:
        _ORIGINS[stage] = _found(stage)
    return _ORIGINS[stage]


def _found(stage: type) -> Origin:
    name = stage.__module__
    sources = tuple(sources_of(stage).items())
    if name.startswith(f"{PACKAGE}."):
        return Origin(kind=Kind.HOUSE, class_name=stage.__qualname__, sources=sources)
    module = sys.modules.get(name)
    file = file_of(module)
    is_file = name in PLACES_WRITTEN
    found = None if is_file else REGISTERED.get(name) or distribution_of(name)
    if found is not None:
        return Origin(
            kind=Kind.PACKAGE,
            place=" ".join(found),
            class_name=stage.__qualname__,
            sources=sources,
        )
    return Origin(
        kind=Kind.FILE,
        place=PLACES_WRITTEN.get(name, _from_here(file)),
        path=str(file.resolve()) if file else "",
        class_name=stage.__qualname__,
        sources=sources,
    )


def _from_here(file: Path | None) -> str:
    """A script as one would write it: from the current folder, where that holds it."""
    if file is None:
        return ""
    path = file.resolve()
    here = Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def given(stage: type) -> None:
    """Remember the class of an object that somebody handed over, so that its spelling is read back
    to it: its script need not be run a second time, and what was typed into a session has none."""
    origin = origin_of(stage)
    if origin.kind is Kind.FILE and stage.__module__ not in PLACES_WRITTEN:
        GIVEN[written_name(stage)] = stage


def shown_name(stage: type) -> str:
    """How a stage is called wherever it is named: `snapkv`, `my_knorm.py:Knorm` for a file's, and
    `Knorm` for one that was typed into a session.

    A stage of a package has its registered name; only one package can have it.
    """
    origin = origin_of(stage)
    if origin.kind is Kind.FILE and not origin.place:
        return origin.class_name
    if origin.kind is Kind.FILE:
        return f"{Path(origin.place).name}:{origin.class_name}"
    return str(getattr(stage, "name", "") or stage.__qualname__)  # a black box has no name


def written_name(stage: type) -> str:
    """How a stage is written so that `parse` finds it again: a file's with its path."""
    origin = origin_of(stage)
    if origin.kind is not Kind.FILE or not origin.place:
        return shown_name(stage)
    return f"{written_path(origin.place)}:{origin.class_name}"


def mark_of(path: Path) -> str:
    """The name under which a file is loaded as a module: two files may share a name."""
    mark = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    return f"scbench_user_{path.stem}_{mark}"
