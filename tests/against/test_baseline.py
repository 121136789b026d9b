"""A baseline in a file says what the run said, or is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from scbench.against.baseline import read_baseline, write_baseline
from scbench.against.likeness import differs, likeness, unlike
from scbench.api import open_run
from scbench.errors import BadRecord, Mismatch
from scbench.ledger.facts import read_facts

KEPT = Path(__file__).parents[1] / "house" / "data" / "kept"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    write_baseline(path, open_run(KEPT).baseline())
    return path


def test_it_reads_back_as_it_was(file: Path) -> None:
    kept, read = open_run(KEPT).baseline(), read_baseline(file)
    assert read.items.equals(kept.items)
    assert read.items.schema == kept.items.schema
    assert read.likeness == kept.likeness
    assert kept.items.height == 24


@pytest.mark.parametrize("part", range(5))
def test_a_flipped_bit_is_refused(file: Path, part: int) -> None:
    data = bytearray(file.read_bytes())
    data[(part * 2 + 1) * len(data) // 11] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadRecord):
        read_baseline(file)


def test_one_without_its_checksum_is_refused(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r',\s*"crc": "[0-9a-f]{8}"', "", text), encoding="utf-8")
    with pytest.raises(BadRecord, match="does not say that it is one"):
        read_baseline(file)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda items: items.with_columns(pl.lit(7.0).alias("strict")), "outside 0..1"),
        (lambda items: items.with_columns(pl.lit(-0.1).alias("strict")), "outside 0..1"),
        (lambda items: pl.concat([items, items.head(1)]), "twice"),
        (lambda items: items.rename({"answer": "reply"}), "columns are not"),
    ],
)
def test_items_that_no_run_can_have_are_refused(
    tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], why: str
) -> None:
    kept = open_run(KEPT).baseline()
    write_baseline(tmp_path / "x.json", replace(kept, items=change(kept.items)))
    with pytest.raises(BadRecord, match=why):
        read_baseline(tmp_path / "x.json")


@pytest.mark.parametrize("text", ["", "{}", '{"kind":1}', "[1]", "x"])
def test_other_files_are_refused_with_what_to_give(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadRecord, match=r"write-baseline|damaged|is not JSON"):
        read_baseline(tmp_path / "x.json")
    with pytest.raises(BadRecord, match="write-baseline"):
        read_baseline(tmp_path)
    with pytest.raises(BadRecord, match="write-baseline"):
        read_baseline(tmp_path / "none.json")


def test_what_must_be_alike_is_named_where_it_is_not() -> None:
    run = open_run(KEPT)
    records, facts = run.records(), read_facts(KEPT)
    was = likeness(records, facts)
    assert unlike(was, was) == differs(was, was) == []
    protocol = replace(records[0].protocol, max_new_tokens=3)
    changes = {
        "models": replace(records[0], model="other"),
        "tasks": replace(records[0], task="vt"),
        "lengths": replace(records[0], length_tokens=77),
        "sessions": replace(records[0], seed="9:9"),
        "prompts": replace(records[0], protocol=protocol),
        "scorers": replace(records[0], scored="0123456789abcdef"),
    }
    for name, changed in changes.items():
        lines = unlike(was, likeness([changed, *records[1:]], facts))
        assert any(line.startswith(f"{name}: ") for line in lines), name


def test_other_weights_under_the_same_name_are_another_model() -> None:
    records, facts = open_run(KEPT).records(), read_facts(KEPT)
    changed = {
        digest: {**row, "facts": {**row["facts"], "weights_digest": "toy/2"}}
        if row["kind"] == "model"
        else row
        for digest, row in facts.items()
    }
    (line,) = unlike(likeness(records, facts), likeness(records, changed))
    assert "weights toy/1" in line
    assert "weights toy/2" in line


def test_another_engine_may_be_compared_and_is_told() -> None:
    records, facts = open_run(KEPT).records(), read_facts(KEPT)
    changed = {
        digest: {**row, "facts": {**row["facts"], "dtype": "bfloat16"}}
        if row["kind"] == "model"
        else row
        for digest, row in facts.items()
    }
    was, now = likeness(records, facts), likeness(records, changed)
    assert unlike(was, now) == []
    (line,) = differs(was, now)
    assert "bfloat16" in line


def test_a_run_without_facts_is_not_the_same_model_by_name_alone(tmp_path: Path) -> None:
    shutil.copytree(KEPT, tmp_path / "run")
    (tmp_path / "run" / "facts.jsonl").unlink()
    with pytest.raises(Mismatch, match="what it is made of was not kept"):
        open_run(tmp_path / "run").against(open_run(KEPT))
