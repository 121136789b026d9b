"""Sessions are kept once and come back equal, or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import threading
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from scbench import files as room
from scbench.errors import BadConfig, BadRecord, CannotWrite
from scbench.files import PART, write_atomically
from scbench.ledger.store import SessionStore
from scbench.tasks.build import digest_of
from scbench.types import Role, Session, Span, Turn, Wanted

_DRAFT = Session(
    task="kv",
    context="é你\u2028 context " * 1000,
    turns=(
        Turn(
            task="kv",
            ask="?",
            gold="g",
            wanted=Wanted(golds=("g", "h"), candidates={"f": "def f(): ..."}),
            max_new_tokens=150,
            evidence=(Span(1, 9, Role.ANSWER),),
            depth=0.5,
        ),
    ),
    counted=3000,
    counter="words",
    recipe=MappingProxyType(
        {"name": "kv", "version": 1, "knobs": {"sizes": (1, 2), "share": 0.5, "none": None}}
    ),
    digest="",
)
# digest_of copies what it is given, which a read-only mapping does not allow
SESSION = replace(_DRAFT, digest=digest_of(replace(_DRAFT, recipe=dict(_DRAFT.recipe))))


def test_a_session_comes_back_equal(tmp_path: Path) -> None:
    SessionStore(tmp_path).put(SESSION)
    assert SessionStore(tmp_path).get(SESSION.digest) == replace(
        SESSION, recipe=dict(SESSION.recipe)
    )


def test_the_same_session_is_stored_once_and_as_the_same_bytes(tmp_path: Path) -> None:
    first = SessionStore(tmp_path / "a").put(SESSION)
    before = first.stat().st_mtime_ns, first.read_bytes()
    SessionStore(tmp_path / "a").put(SESSION)
    assert (first.stat().st_mtime_ns, first.read_bytes()) == before
    assert SessionStore(tmp_path / "b").put(SESSION).read_bytes() == before[1]
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_it_takes_far_less_room_than_its_text(tmp_path: Path) -> None:
    assert SessionStore(tmp_path).put(SESSION).stat().st_size < len(SESSION.context) / 10


RENAMED = SESSION.digest.encode(), b"0b" * 32


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "other", "json"])
def test_a_damaged_file_is_an_error_to_read_and_is_written_anew(
    tmp_path: Path, damage: str
) -> None:
    store = SessionStore(tmp_path)
    path = store.put(SESSION)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-9],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "text": b"hello",
            "other": gzip.compress(gzip.decompress(whole).replace(*RENAMED)),
            "json": gzip.compress(b"{}"),
        }[damage]
    )
    with pytest.raises(BadRecord, match=SESSION.digest):
        store.get(SESSION.digest)
    assert SESSION.digest not in store
    store.put(SESSION)
    assert path.read_bytes() == whole


def test_a_session_never_stored_is_a_key_error(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    assert ("ab" in store, store.digests()) == (False, [])
    with pytest.raises(KeyError):
        store.get("ab")


@pytest.mark.parametrize("digest", ["../up", "", "a/b", ".", "x" * 200, "a\n"])
def test_a_digest_cannot_leave_the_folder(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BadConfig):
        SessionStore(tmp_path).path(digest)


@pytest.mark.parametrize(
    "value", [float("nan"), {1: 2}, print, {1, 2}, b"bytes", "\ud800"], ids=repr
)
def test_a_recipe_that_would_come_back_different_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadConfig):
        SessionStore(tmp_path).put(replace(SESSION, recipe={"knob": value}))
    assert SessionStore(tmp_path).digests() == []


def test_a_full_disk_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "x.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(room.os, "fsync", full)
    with pytest.raises(CannotWrite, match="disk is full"):
        write_atomically(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.json", b"old")]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, texts = tmp_path / "x", [b"a" * 300_000, b"b" * 300_000]
    write_atomically(path, texts[0])
    over = threading.Event()

    def rewrite() -> None:
        for turn in range(30):
            write_atomically(path, texts[turn % 2])
        over.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not over.is_set():
        assert path.read_bytes() in texts
    writer.join()
    assert not list(tmp_path.glob(f"*{PART}"))


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file")
    with pytest.raises(CannotWrite):
        SessionStore(tmp_path).put(SESSION)
