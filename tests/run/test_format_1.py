"""Folders from before there were checksums and facts stay readable; resuming one plays it anew."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

import scbench
from scbench.api import open_run
from scbench.engines.toy import ToyEngine
from scbench.errors import ScbenchError
from scbench.ledger import manifest
from scbench.ledger.journal import read_records
from scbench.ledger.store import SessionStore

OLD = Path(__file__).parent / "data" / "format-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "run")
    return tmp_path / "run"


def test_an_old_folder_reports_the_scores_it_reported_then(folder: Path) -> None:
    then = {
        (row["method"], row["turn"]): row["strict"]
        for row in csv.DictReader((folder / "turns.csv").read_text().splitlines())
    }
    result = open_run(folder)
    result.report()
    now = {
        (row["method"], row["turn"]): row["strict"]
        for row in csv.DictReader((folder / "turns.csv").read_text().splitlines())
    }
    assert now == then
    assert len(result.records()) == 4
    assert {row["method"] for row in result.costs()} == {"dense", "streaming-llm[tau=1/4]"}
    assert manifest.read(folder)["format"] == 1
    (digest,) = SessionStore(folder).digests()
    assert SessionStore(folder).get(digest).task == "kv"


def test_an_old_run_is_resumed_by_its_command_which_says_why_it_plays_anew(folder: Path) -> None:
    settings = manifest.read(folder)["runs"][-1]["settings"]
    words = {name: value for name, value in settings.items() if name not in ("out", "models")}
    result = scbench.run(**words, models="toy", out=folder, engine=ToyEngine(), quiet=True)
    assert sum(1 for _ in read_records(folder)) == 8
    assert len(result.records()) == 4
    assert result.outcome is not None
    assert any("did not keep what made them" in line for line in result.outcome.superseded)
    assert manifest.read(folder)["format"] == 2


@pytest.mark.parametrize("name", ["records.jsonl", "costs.jsonl", "plan.json", "manifest.json"])
def test_a_seal_torn_off_is_damage_and_no_old_folder(tmp_path: Path, name: str) -> None:
    scbench.run(
        model="toy", tasks="kv", methods="dense", length="256", sessions=1, turns=1,
        cost_repeats=1, out=tmp_path, engine=ToyEngine(), quiet=True,
    )  # fmt: skip
    path = tmp_path / name
    text = path.read_bytes()
    assert text.count(b'crc"') >= 1
    path.write_bytes(text.replace(b'crc"', b'crd"'))
    with pytest.raises(ScbenchError):
        read_all(tmp_path)


def read_all(folder: Path) -> None:
    open_run(folder).records()
    open_run(folder).costs()
    manifest.read(folder)
