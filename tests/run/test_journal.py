"""The journal: what it promises when a run is killed, the disk is full, the file is bad, or two
runs meet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, BadRecord, Busy, CannotWrite, Released
from scbench.files import sealed
from scbench.ledger import lines
from scbench.ledger.cells import Planned
from scbench.ledger.journal import COSTS, RECORDS, Costs, Journal, current, read_costs, read_records
from scbench.ledger.lock import Lock
from scbench.types import Answer, Cell, Cost, Failure, Finish, Form, Mode, Protocol, Record, Score

GAP = Score(value=None, rule="strict/1", why="crashed")
GOOD = Score(value=1.0, rule="strict/1", read="x", side={"em": 1.0})


def record(
    turn: int = 0, key: str = "k", text: str = "ja \u2028 \n 你好 \x00", **changes: object
) -> Record:
    base = Record(
        key=key,
        task="kv",
        length_tokens=4096,
        seed="a:0",
        mode=Mode.MULTI_TURN,
        model="toy",
        method="dense",
        protocol=Protocol(),
        session_digest="d",
        turn=turn,
        turns=5,
        subtask="kv",
        prompt_tokens=4000,
        answer=Answer(ids=(1, 2, 3), text=text, finish=Finish.END),
        failure=None,
        strict=GOOD,
        official=GOOD,
        cost=Cost(held_bytes=12, estimated=("held_bytes",)),
        notes=("budget_not_binding",),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def failed(turn: int = 0, key: str = "k") -> Record:
    return record(
        turn,
        key,
        answer=None,
        failure=Failure(kind="out-of-memory", why="64 GiB"),
        strict=GAP,
        official=GAP,
    )


def cell(key: str = "k", turns: int = 5) -> Cell:
    return Cell(
        task="kv",
        length_tokens=4096,
        seed="a:0",
        mode=Mode.MULTI_TURN,
        model="toy",
        method="dense",
        protocol=Protocol(),
        turns=turns,
        session_digest="d",
        key=key,
    )


def fill(folder: Path, turns: int = 3) -> list[Record]:
    records = [record(turn, text=f"answer {turn} é\n") for turn in range(turns)]
    with Journal(folder) as journal:
        journal.extend(records)
    return records


THREE = [record(turn, text=f"answer {turn} é\n") for turn in range(3)]


@pytest.fixture(scope="module")
def three_lines() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        return (Path(folder) / RECORDS).read_bytes()


def test_what_was_appended_is_read_back_equal(tmp_path: Path) -> None:
    records = [*fill(tmp_path), failed(3)]
    with Journal(tmp_path) as journal:
        journal.append(records[3])
        assert list(journal.done_turns("k").values()) == records
    assert list(read_records(tmp_path)) == list(read_records(tmp_path / RECORDS)) == records


@given(data=st.data())
def test_a_cut_at_any_byte_loses_at_most_the_line_it_cuts(
    three_lines: bytes, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(three_lines)))
    whole = three_lines[:cut].count(b"\n")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / RECORDS
        path.write_bytes(three_lines[:cut])
        seen = list(read_records(name))  # a reader must cope before the writer has mended
        with Journal(name) as journal:
            kept = list(journal.done_turns("k").values())
            journal.append(record(4))
        assert kept == seen == THREE[: len(kept)]
        assert len(kept) in (whole, whole + 1)  # +1: only the newline was lost
        assert list(read_records(name)) == [*kept, record(4)]


def test_the_torn_bytes_are_put_aside_and_told(tmp_path: Path) -> None:
    fill(tmp_path)
    with open(tmp_path / RECORDS, "ab") as file:
        file.write(b'{"key":"k","ta')
    with Journal(tmp_path) as journal:
        assert journal.torn_bytes == 14
    assert (tmp_path / f"{RECORDS}.torn").read_bytes() == b'{"key":"k","ta\n'
    with Journal(tmp_path) as journal:
        assert journal.torn_bytes == 0


def test_zero_bytes_after_a_power_cut_are_a_torn_line(tmp_path: Path) -> None:
    records = fill(tmp_path)
    with open(tmp_path / RECORDS, "ab") as file:
        file.write(bytes(4096))
    with Journal(tmp_path) as journal:
        assert list(journal.done_turns("k").values()) == records


def test_a_torn_line_longer_than_a_block_is_dropped_whole(tmp_path: Path) -> None:
    records = fill(tmp_path)
    with open(tmp_path / RECORDS, "ab") as file:
        file.write(b'{"key":"' + b"x" * 200_000)
    with Journal(tmp_path) as journal:
        assert (journal.torn_bytes, list(journal.done_turns("k").values())) == (200_008, records)


@pytest.mark.parametrize(
    "bad",
    [b"not json", b"", b"[]", b'{"key":"k"}', b"\xff\xfe", b'{"key":1}', b"null", b"[" * 100_000],
    ids=lambda bad: repr(bad[:12]),
)
def test_a_bad_line_before_the_last_is_named_and_left_alone(tmp_path: Path, bad: bytes) -> None:
    fill(tmp_path)
    path = tmp_path / RECORDS
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(whole[0] + bad + b"\n" + whole[2])
    before = path.read_bytes()
    with pytest.raises(BadRecord, match=r"records\.jsonl' line 2 "):
        Journal(tmp_path)
    with pytest.raises(BadRecord, match=r"records\.jsonl' line 2 "):
        list(read_records(tmp_path))
    assert path.read_bytes() == before
    path.write_bytes(whole[0] + whole[2])
    Journal(tmp_path).close()  # the failed opening kept no lock


def unsealed_line(row: Record) -> bytes:
    """The line as scbench wrote it before lines had checksums."""
    return msgspec.json.encode(row) + b"\n"


def test_a_line_from_before_forms_and_checksums_is_read_and_is_of_the_full_form(
    tmp_path: Path,
) -> None:
    line = unsealed_line(record()).replace(b',"form":"full"', b"")
    assert b'"form"' not in line
    (tmp_path / RECORDS).write_bytes(line)
    assert [one.form for one in read_records(tmp_path)] == [Form.FULL]


def test_a_tiny_record_never_supersedes_a_full_one() -> None:
    full, tiny = record(key="a"), record(key="b", form=Form.TINY)
    assert current([full, tiny]) == [full, tiny]


def test_a_line_with_fields_of_a_newer_version_is_read_without_them(tmp_path: Path) -> None:
    newer = msgspec.json.encode(record()).replace(b'{"key"', b'{"new_field":{"x":1},"key"', 1)
    (tmp_path / RECORDS).write_bytes(sealed(newer) + b"\n")
    assert list(read_records(tmp_path)) == [record()]


@pytest.mark.parametrize("place", [b'{"key"', b'{"held_bytes"'])
def test_an_unknown_field_without_a_checksum_is_damage_at_any_depth(
    tmp_path: Path, place: bytes
) -> None:
    line = unsealed_line(record()).replace(place, b'{"new_field":1,' + place[1:], 1)
    assert b"new_field" in line
    (tmp_path / RECORDS).write_bytes(line)
    with pytest.raises(BadRecord, match="new_field"):
        Journal(tmp_path)


@settings(max_examples=60)
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
@example(at=-1, bit=0)  # a vertical tab in place of the last newline
def test_no_flipped_bit_changes_what_is_read(three_lines: bytes, at: int, bit: int) -> None:
    damaged = bytearray(three_lines)
    damaged[at % len(damaged)] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / RECORDS).write_bytes(bytes(damaged))
        with pytest.raises(BadRecord):
            list(read_records(folder))


def test_a_record_that_could_not_be_written_is_not_read_either(tmp_path: Path) -> None:
    beyond = replace(record(), strict=replace(GOOD, value=7.0))
    (tmp_path / RECORDS).write_bytes(sealed(msgspec.json.encode(beyond)) + b"\n")
    with pytest.raises(BadRecord, match=r"7\.0"):
        list(read_records(tmp_path))


def test_a_journal_renamed_and_copied_back_under_the_run_is_noticed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(record(0))
        path = tmp_path / RECORDS
        kept = path.read_bytes()
        path.rename(tmp_path / "backup")
        path.write_bytes(kept)
        with pytest.raises(CannotWrite, match="replaced"):
            journal.append(record(1))


def test_a_link_in_the_journals_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / RECORDS).symlink_to(victim)
    with pytest.raises(CannotWrite, match="link"):
        Journal(tmp_path / "run")


def test_a_strangers_file_without_newline_is_not_taken_for_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / RECORDS
    path.write_bytes(b"\x89PNG and so on")
    with pytest.raises(BadRecord):
        Journal(tmp_path)
    with pytest.raises(BadRecord):
        list(read_records(tmp_path))
    assert path.read_bytes() == b"\x89PNG and so on"


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_run_folder_that_is_a_file_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadConfig):
        Journal(tmp_path / where)


def test_a_folder_in_the_journals_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / RECORDS).mkdir()
    with pytest.raises(BadConfig):
        Journal(tmp_path)


def test_reading_where_nothing_was_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="scbench run"):
        list(read_records(tmp_path))


def test_an_empty_journal_is_a_journal(tmp_path: Path) -> None:
    (tmp_path / RECORDS).touch()
    with Journal(tmp_path) as journal:
        assert journal.count() == (0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        record(evidence_kept=float("nan")),
        record(strict=replace(GOOD, side={"em": float("inf")})),
        record(text="\ud800"),
        record(depth=object()),
        record(notes=["a list"]),
        replace(failed(), failure=None),
        replace(failed(), answer=record().answer),
        record(turn=5),
    ],
    ids=["nan", "inf", "surrogate", "object", "list", "neither", "both", "turn"],
)
def test_a_record_that_would_not_read_back_equal_is_refused_and_leaves_no_trace(
    tmp_path: Path, bad: Record
) -> None:
    with Journal(tmp_path) as journal:
        with pytest.raises(BadRecord):
            journal.extend([record(), bad])
        assert journal.count() == (0, 0)
    assert (tmp_path / RECORDS).read_bytes() == b""


def test_the_newest_record_of_a_turn_counts(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.extend([failed(0), record(1), failed(2)])
        journal.append(record(0, text="second try"))
    with Journal(tmp_path) as journal:
        assert journal.done_turns("k") == {
            0: record(0, text="second try"),
            1: record(1),
            2: failed(2),
        }
        assert list(journal.done_turns("k", retry_failed=True)) == [0, 1]
        assert journal.missing_turns(cell()) == (3, 4)
        assert journal.missing_turns(cell(), retry_failed=True) == (2, 3, 4)
        assert journal.missing_turns(cell("other")) == (0, 1, 2, 3, 4)
        assert journal.count() == (2, 1)
        assert journal.count(["other"]) == (0, 0)
        assert ("k" in journal, "other" in journal) == (True, False)


def test_current_keeps_the_newest_of_each_turn() -> None:
    assert current([failed(0), record(1), record(0)]) == [record(1), record(0)]


def test_current_never_mixes_cells_that_a_table_could_not_tell_apart() -> None:
    old, new, elsewhere = (
        [record(0, "old"), record(1, "old")],
        [record(0, "new")],
        [record(0, "else", task="vt")],
    )
    assert current([*old, *new, *elsewhere]) == [*new, *elsewhere]
    assert current([*old, *new, *elsewhere], Planned(keys=frozenset({"old"}))) == [*old, *elsewhere]


def full_disk(fd: int, data: memoryview, calls: list[int]) -> int:
    """Room for a part of a line, then for nothing."""
    calls.append(len(data))
    if len(calls) == 1:
        return os.pwrite(fd, data[:100], os.fstat(fd).st_size)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_and_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = fill(tmp_path)
    before = (tmp_path / RECORDS).read_bytes()
    with Journal(tmp_path) as journal:
        calls: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(lines.os, "write", lambda fd, data: full_disk(fd, data, calls))
            with pytest.raises(CannotWrite, match=r"disk is full.*kept"):
                journal.append(record(3))
        assert len(calls) == 2  # the first part did go to the disk
        assert (tmp_path / RECORDS).read_bytes() == before
        assert journal.missing_turns(cell()) == (3, 4)
        journal.append(record(4))  # room again: the same journal goes on
    assert list(read_records(tmp_path)) == [*records, record(4)]


def test_a_full_disk_that_cannot_even_take_the_part_back_is_mended_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "no")

    records = fill(tmp_path)
    with Journal(tmp_path) as journal:
        with monkeypatch.context() as patch:
            calls: list[int] = []
            patch.setattr(lines.os, "write", lambda fd, data: full_disk(fd, data, calls))
            patch.setattr(lines.os, "ftruncate", refuse)
            with pytest.raises(CannotWrite):
                journal.append(record(3))
            with pytest.raises(CannotWrite):
                journal.append(record(3))
        assert list(read_records(tmp_path)) == records
        journal.append(record(4))
    assert list(read_records(tmp_path)) == [*records, record(4)]


def test_the_kernels_own_limit_on_a_file_leaves_whole_lines(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    records = fill(tmp_path)
    size = (tmp_path / RECORDS).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
        try:
            with pytest.raises(CannotWrite):
                journal.append(record(3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / RECORDS).stat().st_size == size
    assert list(read_records(tmp_path)) == records


def test_an_interrupt_while_writing_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(fd: int) -> None:
        raise KeyboardInterrupt

    records = fill(tmp_path)
    with Journal(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(lines.os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append(record(3))
        journal.append(record(4))
    assert list(read_records(tmp_path)) == [*records, record(4)]


WRITER = """
import sys
sys.path.insert(0, {here!r})
from test_journal import record
from scbench.ledger.journal import Journal
with Journal({folder!r}) as journal:
    print("ready", flush=True)
    for number in range(100_000):
        journal.append(record(number % 5, key=str(number // 5)))
        print(number, flush=True)
"""


def start_writer(folder: Path) -> subprocess.Popen[str]:
    code = WRITER.format(here=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_after_kill_9_every_turn_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    process = start_writer(tmp_path)
    assert process.stdout is not None
    with process.stdout:
        acknowledged = [int(process.stdout.readline()) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().splitlines() if line]
    process.wait()
    with Journal(tmp_path) as journal:  # and its lock died with it
        assert sum(journal.count()) in (acknowledged[-1] + 1, acknowledged[-1] + 2)
    assert not (tmp_path / ".lock").exists()


def test_a_second_process_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    process = start_writer(tmp_path)
    try:
        with pytest.raises(Busy, match=f"process {process.pid} "):
            Journal(tmp_path)
        list(read_records(tmp_path))  # readers are welcome
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_worker_does_not_keep_the_folder_of_a_killed_run(tmp_path: Path) -> None:
    code = f"""
import os, time
from scbench.ledger.lock import Lock
lock = Lock({str(tmp_path)!r})
worker = os.fork()
if worker == 0:
    lock.release()
    print(os.getpid(), os.path.exists(lock.path), flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker, held = process.stdout.readline().split()
    try:
        assert held == "True"  # the worker's release is not the owner's
        with pytest.raises(Busy):
            Lock(tmp_path)
        process.kill()
        process.wait()
        Lock(tmp_path).release()
    finally:
        os.kill(int(worker), signal.SIGKILL)
        process.kill()
        process.communicate()


def test_a_second_journal_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(Busy, match=str(os.getpid())):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_one_lock_serves_journal_and_costs(tmp_path: Path) -> None:
    with Lock(tmp_path) as lock, Journal(tmp_path, lock) as journal, Costs(tmp_path, lock) as costs:
        journal.append(record())
        costs.append({"key": "c"})
        with pytest.raises(Busy):
            Costs(tmp_path)
        with pytest.raises(BadConfig):
            Journal(tmp_path / "elsewhere", lock)


def test_taking_the_lock_sweeps_half_written_files(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    stale = [tmp_path / ".manifest.json.1-ab.part", tmp_path / "sessions" / ".d.json.gz.1-ab.part"]
    for path in stale:
        path.touch()
    Lock(tmp_path).release()
    assert not any(path.exists() for path in stale)


def test_many_openings_at_once_let_exactly_one_in(tmp_path: Path) -> None:
    got: list[Lock] = []
    start = threading.Barrier(8)

    def grab() -> None:
        start.wait()
        with contextlib.suppress(Busy):
            got.append(Lock(tmp_path))

    threads = [threading.Thread(target=grab) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].release()


def test_appends_from_many_threads_are_all_whole(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        threads = [
            threading.Thread(
                target=lambda key=str(n): [journal.append(record(t, key)) for t in range(5)]
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.count() == (40, 0)
        assert [journal.missing_turns(cell(str(n))) for n in range(8)] == [()] * 8
    assert len(list(read_records(tmp_path))) == 40


@pytest.mark.parametrize(
    "meddle",
    [lambda p: p.unlink(), lambda p: p.write_bytes(b""), lambda p: shutil.rmtree(p.parent)],
)
def test_a_journal_changed_behind_our_back_is_noticed(tmp_path: Path, meddle: object) -> None:
    with Journal(tmp_path / "run") as journal:
        journal.append(record())
        meddle(tmp_path / "run" / RECORDS)  # type: ignore[operator]
        with pytest.raises(CannotWrite, match="another program"):
            journal.append(record(1))


def test_a_closed_journal_takes_no_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(Released):
        journal.append(record())


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_write_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotWrite, match="permission"):
        Journal(tmp_path)


@dataclass(frozen=True)
class Row:
    key: str
    cost: Cost
    runs_s: tuple[float, ...]


def test_a_cost_row_is_any_dataclass_or_mapping_with_a_key(tmp_path: Path) -> None:
    with Costs(tmp_path) as costs:
        costs.append(Row("a", Cost(tpot_s=0.5), (1.0, 2.0)))
        costs.append({"key": "b", "runs_s": (1, 2)})
        assert ("a" in costs, "c" in costs) == (True, False)
    first, second = read_costs(tmp_path)
    assert (first["key"], first["cost"]["tpot_s"], first["runs_s"]) == ("a", 0.5, [1.0, 2.0])
    assert second == {"key": "b", "runs_s": [1, 2]}
    with Costs(tmp_path) as costs:
        assert "a" in costs


@pytest.mark.parametrize(
    "bad", [{"runs_s": 1}, {"key": "a", "tpot_s": float("nan")}, {"key": 3}, print, [1]], ids=repr
)
def test_a_cost_row_without_key_or_with_a_nan_is_refused(tmp_path: Path, bad: object) -> None:
    with Costs(tmp_path) as costs, pytest.raises(BadRecord):
        costs.append(bad)
    assert list(read_costs(tmp_path)) == []


def test_a_bad_cost_line_is_named(tmp_path: Path) -> None:
    (tmp_path / COSTS).write_bytes(b'{"key":"a"}\n{"no":"key"}\n')
    with pytest.raises(BadRecord, match=r"costs\.jsonl' line 2"):
        Costs(tmp_path)
    Lock(tmp_path).release()


def test_a_run_without_cost_pass_has_no_costs(tmp_path: Path) -> None:
    assert list(read_costs(tmp_path)) == []


def test_no_bit_of_a_checksum_makes_a_cost_row_pass_for_an_old_one(tmp_path: Path) -> None:
    with Costs(tmp_path) as costs:
        costs.append({"key": "k", "held_bytes": 12})
    whole = (tmp_path / COSTS).read_bytes()
    for at in range(whole.index(b',"crc"'), len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            (tmp_path / COSTS).write_bytes(bytes(damaged))
            with contextlib.suppress(BadRecord):  # another blank at the end does no harm
                assert list(read_costs(tmp_path)) == [{"key": "k", "held_bytes": 12}]
