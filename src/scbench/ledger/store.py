"""The sessions of a run, each kept once under its digest."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from scbench.errors import BadConfig, BadRecord
from scbench.files import cannot_write, write_atomically
from scbench.reading import MOST_BYTES, check
from scbench.tasks.build import digest_of
from scbench.types import Session

FOLDER = "sessions"
_LEVEL = 3  # UUIDs and random words gain little from higher levels
_DIGEST = re.compile(r"[0-9A-Za-z_-]{1,128}")


def as_dict(value: object) -> dict[object, object]:
    """`enc_hook` for msgspec: any Mapping is written as an object; everything else is refused with
    a TypeError.
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in a file of records")


class SessionStore:
    """The sessions of one run folder, as gzipped JSON under `<folder>/sessions/<digest>.json.gz`.

    Sequences inside `Session.recipe` come back as tuples; all else comes back equal.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder) / FOLDER

    def path(self, digest: str) -> Path:
        """Where the session is, or would be. Raises BadConfig for a digest that cannot be a file
        name.
        """
        if not _DIGEST.fullmatch(digest):
            raise BadConfig(
                f"a session digest is 1 to 128 letters, digits, '_' or '-', not {digest!r}"
            )
        return self.folder / f"{digest}.json.gz"

    def __contains__(self, digest: str) -> bool:
        """Whether the session can be read back; a damaged file counts as missing, so that `put`
        writes it again.
        """
        try:
            self.get(digest)
        except (BadRecord, KeyError):
            return False
        return True

    def put(self, session: Session) -> Path:
        """Keep `session`; does nothing if it is already there and whole. Raises CannotWrite, or
        BadConfig if it cannot be read back equal.
        """
        path = self.path(session.digest)
        if session.digest in self:
            return path
        data = _encode(session)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise cannot_write(err, self.folder) from err
        write_atomically(
            path, gzip.compress(data, _LEVEL, mtime=0)
        )  # mtime=0: the same session gives the same bytes
        return path

    def get(self, digest: str) -> Session:
        """The session. Raises KeyError if it was never stored, BadRecord if its file is damaged or
        holds another session.
        """
        path = self.path(digest)
        try:
            with gzip.open(path, "rb") as file:
                data = file.read(MOST_BYTES + 1)  # a small file can hold an endless text
        except FileNotFoundError:
            raise KeyError(digest) from None
        except (OSError, EOFError, zlib.error) as err:
            raise BadRecord(
                f"{str(path)!r} is damaged or not readable ({err}); remove it, the next run writes "
                f"it again"
            ) from err
        session = _decode(data, path)
        if session.digest != digest:
            raise BadRecord(
                f"{str(path)!r} holds session {session.digest!r}, not the one it is named for; "
                f"remove it"
            )
        if digest_of(session) != digest:
            raise BadRecord(
                f"{str(path)!r} is not what its digest says: it was edited or damaged; remove it, "
                "the next run writes it again"
            )
        return session

    def digests(self) -> list[str]:
        """The digests of all stored sessions, sorted; their files may be damaged."""
        return sorted(path.name.removesuffix(".json.gz") for path in self.folder.glob("*.json.gz"))


def _encode(session: Session) -> bytes:
    try:
        data = msgspec.json.encode(session, enc_hook=as_dict)
        back = _decode(data, Path(session.digest))
        if back == replace(session, recipe=_frozen(dict(session.recipe))):
            _check_digest(back)
            return data
        why = "it comes back different"
    except (BadRecord, TypeError, ValueError, OverflowError, NotImplementedError) as err:
        why = str(err)
    raise BadConfig(
        f"session {session.digest!r} ({session.task}) does not survive being written and read "
        f"({why}); its recipe may hold only finite numbers, text, booleans, None, and sequences "
        "and mappings of these"
    )


def _check_digest(session: Session) -> None:
    if digest_of(session) != session.digest:
        raise BadConfig(
            f"session {session.digest!r} ({session.task}): its digest is not that of its content; "
            "`tasks.build.sealed` makes a session with the right one"
        )


def _decode(data: bytes, path: Path) -> Session:
    try:
        check(data, repr(str(path)))
        session = msgspec.json.decode(data, type=Session)
    except (msgspec.DecodeError, UnicodeDecodeError, BadRecord) as err:
        raise BadRecord(
            f"{str(path)!r} does not hold a session ({err}); remove it, the next run writes it "
            f"again"
        ) from err
    return replace(session, recipe=_frozen(dict(session.recipe)))


def _frozen(value: Any) -> Any:
    """JSON knows no tuples, our frozen values no lists: every sequence inside becomes a tuple,
    every mapping a dict.
    """
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
