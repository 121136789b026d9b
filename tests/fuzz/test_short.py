"""Short forms of the attacks of scripts/fuzz, and proof that they see what they are for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import bits, faults
from fuzz.left import TABLES, difference, left
from fuzz.tally import Tally, table
from scbench.ledger import lines

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def fuzz(*words: str) -> str:
    """What the program says; it forks, which a process that has played may not."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", *words, "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> list[bits.Target]:
    return bits.make(tmp_path_factory.mktemp("runs"))


def test_no_flipped_bit_is_taken_in_silence(targets: list[bits.Target]) -> None:
    tally = bits.attack(targets, flips=160, seed=5)
    assert tally.failures == []
    assert tally.total() == 160
    assert tally.total(bits.REFUSED) > 140
    assert tally.counts.keys() == {
        "records.jsonl",
        "costs.jsonl",
        "facts.jsonl",
        "agreement.jsonl",
        "evidence.jsonl",
        "plan.json",
        "manifest.json",
        "equal-bytes.json",
        "sessions",
        "pool",
    }


@pytest.mark.slow
def test_the_attack_sees_a_reader_that_skips_the_checksum(
    targets: list[bits.Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(text: bytes, where: str) -> tuple[bytes, bool]:
        return re.sub(rb',\s*"crc":\s*"[^"]*"\s*\}\s*\Z', b"}", text), True

    monkeypatch.setattr(lines, "unsealed", careless)
    tally = bits.attack(targets, flips=160, seed=5)
    assert tally.total(bits.SILENT) > 5
    assert any("records.jsonl" in line for line in tally.failures)
    assert "SILENT" in table([tally])


@pytest.mark.slow
def test_kills_and_failing_disks_lose_nothing() -> None:
    said = fuzz("kill", "disk", "--short")
    assert "0 failures" in said
    assert re.search(r"^kill \(", said, re.MULTILINE)
    assert re.search(r"^disk \(", said, re.MULTILINE)


@pytest.mark.soak
def test_no_kill_loses_doubles_or_changes_a_turn() -> None:
    assert "0 failures" in fuzz("kill")


@pytest.mark.soak
def test_no_failing_call_of_the_disk_loses_doubles_or_changes_a_turn() -> None:
    assert "0 failures" in fuzz("disk")


@pytest.mark.soak
def test_no_flipped_bit_of_three_thousand_is_taken_in_silence() -> None:
    assert "0 failures" in fuzz("bits")


def test_two_folders_that_differ_are_told_apart(targets: list[bits.Target], tmp_path: Path) -> None:
    folder = next(one.path.parent for one in targets if one.name == "records.jsonl")
    for name in TABLES:
        (folder / name).write_text("a table")
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    wanted = left(folder)
    assert difference(wanted, left(other)) == []
    records = (other / "records.jsonl").read_bytes()
    first, rest = records.split(b"\n", 1)
    (other / "records.jsonl").write_bytes(rest)
    assert difference(wanted, left(other)) == ["1 turns lost"]
    (other / "records.jsonl").write_bytes(records + first + b"\n")
    assert difference(wanted, left(other)) == ["1 turns doubled"]
    (other / "plan.json").unlink()
    (other / "results.csv").write_text("another table")
    assert difference(wanted, left(other)) == ["1 turns doubled", "other plan", "other tables"]


def test_a_failing_disk_fails_where_it_was_told_to(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from fuzz.faults import Disk;"
        "folder = pathlib.Path(sys.argv[1]);"
        "Disk(folder, 3, 'ENOSPC once', folder.parent / 'calls').install();"
        "(folder / 'a').write_bytes(b'1'); (folder / 'b').write_text('2')"
    )
    (tmp_path / "f").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "f")],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert "No space left" in done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == ["1 open a", "2 write a", "3 open b"]
    assert len(faults.KINDS) == 4


def test_a_table_counts_by_target_and_names_failures() -> None:
    tally = Tally("bits")
    tally.note("plan.json", "refused")
    tally.fail("plan.json", "SILENT", "byte 3")
    text = table([tally])
    assert "bits (2 tries" in text
    assert "bits: SILENT: byte 3" in text
