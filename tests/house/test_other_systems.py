"""Windows and macOS, as far as Linux can show: each part runs with stand-ins for what they have and
without what they lack."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scbench import system
from scbench.grid import meter
from scbench.ledger import manifest

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "data" / "kept"
# A Windows of our own making: its locks are by byte, nobody else may read a locked one, and a file
# that is open is not removed.
WINDOWS = """
import errno, os, socket, subprocess, sys, tempfile, types
assert "scbench" not in sys.modules
held = {}
def locking(fd, mode, count):
    place = (os.fstat(fd).st_ino, os.lseek(fd, 0, os.SEEK_CUR))
    if held.get(place, fd) != fd:
        raise OSError(errno.EACCES, "Permission denied")
    held[place] = fd
def close(fd, real=os.close):
    for place in [place for place, owner in held.items() if owner == fd]:
        del held[place]
    real(fd)
def unlink(path, *, dir_fd=None, real=os.unlink):
    if held:
        raise PermissionError(errno.EACCES, "in use", str(path))
    real(path, dir_fd=dir_fd)
def read(fd, count, real=os.read):
    at, file = os.lseek(fd, 0, os.SEEK_CUR), os.fstat(fd).st_ino
    for (inode, place), owner in held.items():
        if inode == file and owner != fd and at <= place < at + count:
            raise PermissionError(errno.EACCES, "locked")
    return real(fd, count)
os.close, os.unlink, os.read = close, unlink, read
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
sys.modules["fcntl"] = sys.modules["resource"] = None
sys.platform = "win32"
for name in ("preadv", "sched_getaffinity", "sysconf", "register_at_fork", "O_NOFOLLOW"):
    delattr(os, name)
"""


def on_windows(code: str, *words: str) -> str:
    """What a program prints there."""
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS + code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_folder_has_one_writer_on_windows(tmp_path: Path) -> None:
    told = on_windows(
        """
from scbench.ledger.lock import Lock
from scbench.errors import Busy
first = Lock(sys.argv[1])
try:
    Lock(sys.argv[1])
except Busy as busy:
    print(busy)
first.release()
Lock(sys.argv[1]).release()
print("free again")
print(*{"msvcrt", "fcntl"} & vars(sys.modules["scbench.system"]).keys())
""",
        str(tmp_path),
    )
    assert "is in use by process" in told  # the holder's name can be read, though its byte cannot
    assert told.endswith("free again\nmsvcrt\n")


def test_a_command_is_quoted_for_the_shell_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["scbench", "report", "my runs/a"]
    assert system.command_line(words) == "scbench report 'my runs/a'"
    monkeypatch.setattr(sys, "platform", "win32")
    assert system.command_line(words) == 'scbench report "my runs/a"'


def test_the_line_to_type_is_one_that_windows_takes() -> None:
    told = on_windows("from scbench.extras import INSTALL; print(INSTALL)")
    assert told == "pip install scbench[local]\n"


def test_threads_read_one_file_where_there_is_no_preadv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(1 << 16)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.delattr(os, "preadv")
    fd = os.open(tmp_path / "file", os.O_RDONLY)

    def read(at: int) -> bool:
        room = bytearray(100)
        count = system.read_at(fd, memoryview(room), at)
        return bytes(room[:count]) == data[at : at + 100]

    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read, range(0, len(data), 37)))
        assert system.read_at(fd, memoryview(bytearray(10)), len(data)) == 0
    finally:
        os.close(fd)


def test_time_is_measured_where_memory_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(name: object) -> None:
        raise TypeError("LoadLibrary() argument 1 must be str, not None")

    monkeypatch.setattr(ctypes, "CDLL", nameless)
    monkeypatch.setattr(meter, "Path", lambda _: Path("/no/such/proc"))
    found = meter.measured("cpu", lambda: 3)
    assert (found.value, found.peak_bytes) == (3, None)
    assert found.seconds >= 0


def test_a_manifest_is_written_where_the_machine_says_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "sysconf")
    found = manifest.host()
    assert found["usable_cores"] == os.cpu_count()
    assert found["memory_bytes"] is None


def test_code_is_parsed_where_a_child_has_no_limit_of_memory() -> None:
    told = on_windows(
        """
import io, json
from scbench.scoring import alone
task = json.dumps(["outermost", ["def f():\\n    return 1\\n"], "python"]).encode()
sys.stdin = types.SimpleNamespace(buffer=io.BytesIO(task))
sys.exit(alone.main())
"""
    )
    assert "def f()" in told


@pytest.mark.slow
@pytest.mark.parametrize("page", ["cp1252", "cp437", "ascii"])
def test_a_table_says_the_same_under_an_old_code_page(page: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "scbench", "report", str(KEPT), "--to", str(tmp_path)]
    shown = {}
    for name in (page, "utf-8"):
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": name}
        done = subprocess.run(words, capture_output=True, env=env, timeout=120, check=True)
        shown[name] = done.stdout.decode(name)
    assert "-100" in shown[page]
    assert "?100" not in shown[page]
    assert [line.count("?") for line in shown[page].splitlines()] == [
        line.count("?") for line in shown["utf-8"].splitlines()
    ]
